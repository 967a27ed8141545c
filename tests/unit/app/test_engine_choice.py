"""Engines and their models: which is used first, what each is given, what sessions call them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vivavoce.app import engines
from vivavoce.app.engines import EngineEntry, aliases, candidates, lacking, languages, mending, threads, worker_groups
from vivavoce.app.graph import parts_of
from vivavoce.config.settings import EngineChoices, Settings
from vivavoce.contracts.errors import ConfigurationError, UnknownName
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.flow.clock import SystemClock
from vivavoce.services.importing import import_model
from vivavoce.services.model_catalogue import CATALOGUE as MODELS
from vivavoce.services.records import FileRecord, ModelRecord, write
from vivavoce.sessions.options import ConversationOptions, SessionOptions
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool

HERE = ("json",)
"""A module that is installed everywhere stands for an engine's package."""
ENGINES = (
    EngineEntry("sherpa", "stt", "Apache-2.0", HERE, pulls=True),
    EngineEntry("moonshine", "stt", "MIT", ("no_such_package",), mend="pip install moonshine", pulls=True),
    EngineEntry("whisper", "stt", "MIT", HERE, pulls=True),
    EngineEntry("pocketsphinx", "stt", "BSD", HERE, settings={"decoders": 2}, languages=("en",)),
    EngineEntry("spelling", "stt", "MIT", HERE, pulls=True, general=False),
    EngineEntry("piper", "tts", "GPL", HERE, pulls=True, shared=True),
    EngineEntry("kokoro", "tts", "MIT", HERE, pulls=True),
    EngineEntry("flite", "tts", "MIT", HERE, languages=("en",)),
    EngineEntry("espeak", "tts", "GPL", HERE),
)


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CATALOGUE", ENGINES)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "models"


def put(store: Path, *names: str) -> None:
    """Models as they would lie there: whole by their records, small in truth."""
    for name in names:
        entry = MODELS[name]
        folder = store / name
        folder.mkdir(parents=True)
        for file in entry.files:
            (folder / file.name).write_bytes(b"x")
        files = {file.name: FileRecord(1, "", "hub") for file in entry.files}
        write(folder, ModelRecord(entry.engine, entry.kind, entry.licence, "", files, entry.languages))


def settings(store: Path, language: str = "en", **choices: object) -> Settings:
    conversation = ConversationOptions(language=language)
    return Settings(
        models_dir=str(store),
        engines=EngineChoices(**choices),  # type: ignore[arg-type]
        sessions=SessionOptions(conversation=conversation),
    )


def names(found: Settings, kind: str = "stt") -> list[str]:
    return [candidate.name for candidate in candidates(kind, found, Path(found.models_dir))]  # type: ignore[arg-type]


def groups(found: Settings) -> dict[str, WorkerOptions]:
    return {group.name: group for group in worker_groups(found, ("stt", "tts"))}


def test_without_models_the_built_in_engines_serve(store: Path) -> None:
    assert names(settings(store)) == ["pocketsphinx"]
    assert names(settings(store), "tts") == ["flite", "espeak"]
    assert all(group.prewarm for group in groups(settings(store)).values())


def test_what_is_installed_comes_before_what_is_built_in(store: Path) -> None:
    put(store, "whisper-base.en", "sherpa-en", "moonshine-small-en", "spelling-en")
    assert names(settings(store)) == ["sherpa-en", "whisper-base.en", "pocketsphinx", "spelling-en"]


def test_the_language_of_conversations_decides_first(store: Path) -> None:
    put(store, "whisper-base", "sherpa-en")
    assert names(settings(store, "de"))[0] == "whisper-base"
    assert names(settings(store, "de"), "tts")[0] == "espeak"
    assert names(settings(store, "en"))[0] == "sherpa-en"
    spoken = languages(settings(store, "de"))
    assert spoken[0] == "de" and {"en", "fr", "ja"} <= set(spoken)
    assert len(set(spoken)) == len(spoken)


def test_a_model_this_machine_cannot_carry_is_not_the_default(store: Path) -> None:
    put(store, "whisper-large-v3-turbo", "whisper-tiny.en")
    heavy = MODELS["whisper-large-v3-turbo"].needs.cores > engines.this_machine().cores
    assert names(settings(store))[0] == ("whisper-tiny.en" if heavy else "whisper-large-v3-turbo")


@pytest.mark.parametrize(
    ("wanted", "first"),
    [("whisper", "whisper-base.en"), ("whisper-tiny.en", "whisper-tiny.en"), ("pocketsphinx", "pocketsphinx"),
     ("spelling", "spelling-en"), ("sherpa-en", "sherpa-en")],
)  # fmt: skip
def test_an_engine_or_a_model_may_be_named(wanted: str, first: str, store: Path) -> None:
    put(store, "whisper-tiny.en", "whisper-base.en", "sherpa-en", "spelling-en")
    found = names(settings(store, stt=wanted))
    assert found[0] == first
    assert sorted(found) == sorted(names(settings(store)))


def test_only_the_default_is_loaded_at_the_start(store: Path) -> None:
    put(store, "whisper-base.en", "sherpa-en", "kokoro-v1.0")
    found = groups(settings(store))
    assert [name for name, group in found.items() if group.prewarm] == ["sherpa-en", "kokoro-v1.0", "flite", "espeak"]
    for name in ("whisper-base.en", "pocketsphinx"):
        assert found[name].idle_unload == engines.IDLE
    assert all(len(group.engines) == 1 for group in found.values()), "no process is shared, least of all with the GPL"


def test_what_an_engine_is_given(store: Path) -> None:
    put(store, "whisper-base.en", "piper-de_DE-thorsten", "piper-en_US-amy")
    options = {"whisper": {"beam_size": 1, "device": "cpu"}, "whisper-base.en": {"beam_size": 5}}
    found = groups(settings(store, threads=3, device="cuda", options=options))
    assert found["whisper-base.en"].engines[0].settings == {
        "model": str(store / "whisper-base.en" / "model.bin"),
        "threads": 3,
        "device": "cpu",
        "beam_size": 5,
    }
    assert found["piper"].engines[0].settings["models"] == os.pathsep.join(
        (
            str(store / "piper-en_US-amy" / "en_US-amy-medium.onnx"),
            str(store / "piper-de_DE-thorsten" / "de_DE-thorsten-medium.onnx"),
        )
    )
    assert found["pocketsphinx"].engines[0].settings == {"decoders": 2}


def test_a_voice_that_is_named_comes_first_in_the_group_of_all(store: Path) -> None:
    put(store, "piper-de_DE-thorsten", "piper-en_US-amy")
    found = groups(settings(store, tts="piper-de_DE-thorsten"))
    assert next(iter(name for name in found if name != "pocketsphinx")) == "piper"
    paths = str(found["piper"].engines[0].settings["models"]).split(os.pathsep)
    assert [Path(path).parent.name for path in paths] == ["piper-de_DE-thorsten", "piper-en_US-amy"]


def test_what_is_missing_is_told_with_its_remedy(store: Path) -> None:
    put(store, "moonshine-tiny-en")
    by_name = {engine.name: engine for engine in ENGINES}
    told = {name: lacking(engine, store) for name, engine in by_name.items()}
    assert told["moonshine"] == "the package no_such_package"
    assert told["whisper"] == told["piper"] == "a model"
    assert mending(by_name["moonshine"], told["moonshine"]) == "pip install moonshine"
    pull = mending(by_name["whisper"], "a model").removeprefix("vivavoce models pull ")
    assert MODELS[pull].engine == "whisper" and not MODELS[pull].restricted


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("moonshine", "needs the package no_such_package; pip install moonshine"),
        ("moonshine-tiny-en", "needs the package no_such_package"),
        ("whisper", "needs a model; vivavoce models pull whisper-"),
        ("whisper-base", "the model whisper-base is not here; vivavoce models pull whisper-base"),
        ("wisper", "there is no engine 'wisper'; choose one of auto, sherpa,"),
        ("piper-en_US-amy", "there is no engine"),
        ("off", "there is no engine 'off'"),
    ],
)
def test_a_choice_that_cannot_be_had(wanted: str, words: str, store: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        worker_groups(settings(store, stt=wanted), ("stt",))
    assert words in caught.value.message


def test_a_model_of_ones_own_serves_like_any_other(tmp_path: Path, store: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (source / name).write_bytes(b"x")
    import_model(source, store, name="my-whisper")
    assert names(settings(store))[0] == "my-whisper"
    assert groups(settings(store, stt="my-whisper"))["my-whisper"].engines[0].name == "whisper"


def test_ports_are_called_by_model_and_known_by_engine(store: Path) -> None:
    put(store, "whisper-base.en", "whisper-tiny.en", "sherpa-en")
    found = settings(store, stt="whisper-tiny.en")
    parts = parts_of(found, ("stt",))
    choice = parts.ports.stt
    assert list(choice.ports) == ["whisper-tiny.en", "sherpa-en", "whisper-base.en", "pocketsphinx"]
    assert choice.default == "whisper-tiny.en"
    assert choice.get("whisper") is choice.get("whisper-tiny.en") is choice.get()
    assert choice.get("sherpa") is choice.get("sherpa-en")
    assert choice.get("whisper-base.en") is not choice.get("whisper")
    assert choice.name("whisper") == "whisper-tiny.en" and choice.name("nobody") == "nobody"
    assert aliases(worker_groups(found, ("stt",)), "stt") == {"whisper": "whisper-tiny.en", "sherpa": "sherpa-en"}
    assert [group.name for group in parts.groups] == list(choice.ports)


@pytest.mark.parametrize(("configured", "cores", "expected"), [(0, 1, 1), (0, 2, 1), (0, 4, 3), (0, 64, 4), (7, 2, 7)])
def test_threads(configured: int, cores: int, expected: int) -> None:
    assert threads(configured, cores) == expected


def test_a_device_is_passed_on_only_where_it_was_chosen(store: Path) -> None:
    put(store, "whisper-base.en")
    assert "device" not in groups(settings(store))["whisper-base.en"].engines[0].settings
    assert groups(settings(store, device="cpu"))["whisper-base.en"].engines[0].settings["device"] == "cpu"


@pytest.mark.process
@pytest.mark.real_time
async def test_two_models_of_one_engine_run_in_processes_of_their_own() -> None:
    """Each is reached by its model's name, the first by the engine's too; the second is started by its first job."""
    tone = {kind: EngineOptions("tts", "test/tone", {"hertz": 440}) for kind in ("one", "two")}
    pool = WorkerPool(
        [WorkerOptions("one", (tone["one"],)), WorkerOptions("two", (tone["two"],), prewarm=False)], SystemClock()
    )
    await pool.start()
    try:
        assert [worker.pid is not None for worker in pool.status()] == [True, False]
        for name, group in (("test/tone", "one"), ("one", "one"), ("two", "two")):
            synthesis = pool.text_to_speech(name).open(SynthesisOptions("", "en", 24_000, 1.0))
            synthesis.send("hello")
            synthesis.finish()
            assert sum(len(audio.chunk.pcm) for audio in [audio async for audio in synthesis]) > 0, name
            assert {worker.group for worker in pool.status() if worker.pid is not None} >= {group}
        assert len({worker.pid for worker in pool.status()}) == 2
        with pytest.raises(UnknownName):
            pool.text_to_speech("three")
    finally:
        await pool.close()
