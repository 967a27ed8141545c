"""Whisper: the real faster-whisper with models made here (tiny, of the true architecture, with known words in them)."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.engines.models_whisper import make_whisper
from tests.laws import laws
from tests.laws.laws import chunks
from tests.laws.test_workers import keep
from tests.unit.workers.pools import group, running, until
from vivavoce.contracts.engines import BatchTranscriptionEngine
from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing, InvalidAudio, Overloaded, UnknownName
from vivavoce.contracts.speech import Transcript, TranscriptionOptions
from vivavoce.engines.whisper import Whisper
from vivavoce.engines.whisper.utterance import WINDOW, WhisperUtterance
from vivavoce.workers.options import EngineOptions

pytestmark = pytest.mark.engine

RATE = 16_000
LOW, HIGH = "low tide today", "high tide today"
OPTIONS = TranscriptionOptions()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("multilingual"), multilingual=True)


@pytest.fixture(scope="module")
def engine(model: Path) -> Whisper:
    return Whisper({"model": str(model), "threads": 1, "partials": False})


def tone(seconds: float, frequency: float = 300.0) -> bytes:
    wave = np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)
    return (8_000 * wave).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


def work(engine: Whisper, utterance: WhisperUtterance) -> list[Transcript]:
    """Do what is pending; the partials that came of it."""
    found = []
    while utterance.pending:
        engine.advance([utterance])
        partial = utterance.poll()
        if partial is not None:
            found.append(partial)
    return found


def read(engine: Whisper, pcm: bytes, options: TranscriptionOptions = OPTIONS) -> Transcript:
    utterance = engine.open(options)
    utterance.send(pcm)
    utterance.end()
    work(engine, utterance)
    return utterance.finish()


def test_it_is_a_batch_engine(engine: Whisper) -> None:
    checked: BatchTranscriptionEngine = engine  # type: ignore[assignment]  # streams are of its own kind
    assert checked.BATCH == 1


def test_what_is_heard_is_read_with_times_and_confidence(engine: Whisper) -> None:
    low, high = read(engine, tone(2.0, 300)), read(engine, tone(2.0, 3_000))
    assert (low.text, high.text) == (LOW, HIGH)
    assert low.final
    assert low.language == "en"
    assert [word.text for word in low.words] == LOW.split()
    assert all(0 <= word.start <= word.end <= 2.0 for word in low.words)
    assert all(0 < (word.confidence or 0) <= 1 for word in low.words)
    assert 0 < (low.confidence or 0) <= 1


def test_long_audio_is_read_in_windows_cut_in_pauses_with_times_of_the_whole(engine: Whisper) -> None:
    pcm = tone(23.0, 300) + silence(1.0) + tone(23.0, 3_000) + silence(1.0) + tone(5.0, 300)
    heard = read(engine, pcm)
    assert heard.text == f"{LOW} {HIGH} {LOW}"
    starts = [word.start for word in heard.words]
    assert starts == sorted(starts)
    assert starts[3] == pytest.approx(23.5, abs=0.6)
    assert starts[6] == pytest.approx(47.5, abs=0.6)


def test_a_window_is_read_as_soon_as_it_is_full_and_no_longer_changes(engine: Whisper) -> None:
    utterance = engine.open(OPTIONS)
    utterance.send(tone(WINDOW - 1))
    assert not utterance.pending
    utterance.send(silence(1.5))
    [partial] = work(engine, utterance)
    assert (partial.text, partial.stable, partial.final) == (LOW, len(LOW), False)
    utterance.send(tone(2.0, 3_000))
    utterance.end()
    work(engine, utterance)
    assert utterance.finish().text == f"{LOW} {HIGH}"


@pytest.mark.parametrize("pcm", [b"", silence(1.0), silence(40.0), np.full(RATE, 12, "<i2").tobytes()])
def test_silence_is_not_even_shown_to_the_model(engine: Whisper, pcm: bytes) -> None:
    heard = read(engine, pcm)
    assert (heard.text, heard.words, heard.confidence) == ("", (), None)


def test_chunks_make_no_difference(engine: Whisper) -> None:
    pcm = tone(1.0, 300) + silence(0.3) + tone(1.0, 300)
    whole = read(engine, pcm)
    utterance = engine.open(OPTIONS)
    for start in range(0, len(pcm), 626):
        utterance.send(pcm[start : start + 626])
    utterance.end()
    work(engine, utterance)
    assert utterance.finish() == whole


def test_eight_utterances_do_not_mix(engine: Whisper) -> None:
    sounds = [tone(2.0, 300 if number % 2 else 3_000) for number in range(8)]
    utterances = [engine.open(OPTIONS) for _ in sounds]
    for start in range(0, len(sounds[0]), 3_200):
        for utterance, pcm in zip(utterances, sounds, strict=True):
            utterance.send(pcm[start : start + 3_200])
    for utterance in utterances:
        utterance.end()
        work(engine, utterance)
    assert [utterance.finish().text for utterance in utterances] == [HIGH, LOW] * 4


def test_cancelling_between_windows_reads_no_further(engine: Whisper) -> None:
    utterance = engine.open(OPTIONS)
    utterance.send(tone(90.0))
    utterance.end()
    engine.advance([utterance])
    assert utterance.pending
    utterance.close()
    utterance.close()
    assert not utterance.pending
    with pytest.raises(EngineFailed):
        utterance.send(tone(0.1))


def test_misuse_is_told(engine: Whisper, model: Path) -> None:
    utterance = engine.open(OPTIONS)
    with pytest.raises(InvalidAudio):
        utterance.send(b"odd")
    with pytest.raises(EngineFailed):
        utterance.finish()
    short = Whisper({"model": str(model), "max_seconds": 1, "partials": False})
    brief = short.open(OPTIONS)
    brief.send(tone(0.9))
    with pytest.raises(Overloaded):
        brief.send(tone(0.2))
    short.close()
    with pytest.raises(EngineFailed):
        short.open(OPTIONS)


# --- languages


def test_an_english_model_reads_english_only(engine: Whisper) -> None:
    assert engine.capabilities.languages == ("en",)
    assert engine.capabilities.tasks == ()
    assert read(engine, tone(1.0), TranscriptionOptions(language="en-GB")).language == "en"
    with pytest.raises(UnknownName, match="en, not 'de'"):
        engine.open(TranscriptionOptions(language="de"))
    with pytest.raises(UnknownName, match="translate"):
        engine.open(TranscriptionOptions(task="translate"))


def test_a_multilingual_model_reads_translates_and_finds_out(many: Path) -> None:
    engine = Whisper({"model": str(many), "partials": False})
    assert {"en", "de", "fr"} <= set(engine.capabilities.languages)
    assert engine.capabilities.tasks == ("translate",)
    assert read(engine, tone(2.0), TranscriptionOptions(language="de")).language == "de"
    assert read(engine, tone(2.0), TranscriptionOptions(language="de", task="translate")).text == LOW
    found = read(engine, tone(2.0), TranscriptionOptions(language=""))
    assert found.language in ("en", "de", "fr")
    assert found.text == LOW
    with pytest.raises(UnknownName):
        engine.open(TranscriptionOptions(language="tlh"))


def test_a_vocabulary_does_no_harm(engine: Whisper) -> None:
    """The generated model does not listen to its prompt; that it reaches the library is what can be shown."""
    assert read(engine, tone(2.0), TranscriptionOptions(vocabulary=("Vivavoce", "tide"))).final


# --- partials: only where the machine can afford them


def ticking(step: float) -> Callable[[], float]:
    """A clock by which a reading takes ``step`` seconds."""
    ticks: Iterable[int] = itertools.count()
    numbers = iter(ticks)
    return lambda: next(numbers) * step


@pytest.mark.parametrize(("reading", "affordable"), [(0.05, True), (0.3, True), (0.75, True), (0.85, False), (3.0, False)])
def test_what_a_reading_costs_decides_about_partials(model: Path, reading: float, affordable: bool) -> None:
    engine = Whisper({"model": str(model)}, ticking(reading))
    assert engine.cost == pytest.approx(reading)
    assert engine.capabilities.streaming is affordable
    assert engine.capabilities.final_latency == engine.cost
    utterance = engine.open(OPTIONS)
    utterance.send(tone(3.0))
    assert utterance.pending is affordable
    assert [partial.text for partial in work(engine, utterance)] == ([LOW] if affordable else [])


def test_partials_are_spaced_by_their_cost_and_shared_by_all_who_speak(model: Path) -> None:
    engine = Whisper({"model": str(model)}, ticking(0.25))  # one partial every 0.625 s for one speaker
    first = engine.open(OPTIONS)

    def partials(utterances: list[WhisperUtterance]) -> int:
        count = 0
        for _ in range(60):  # six seconds
            for utterance in utterances:
                utterance.send(tone(0.1))
                before = utterance.pending
                work(engine, utterance)
                count += before
        return count

    alone = partials([first])
    others = [engine.open(OPTIONS) for _ in range(2)]
    together = partials([first, *others])
    assert 8 <= alone <= 10
    assert together <= alone + 1  # the same work for three as for one
    for other in others:
        other.close()
    assert partials([first]) >= 8


def test_partials_can_be_turned_on_off_and_not_asked_for(model: Path) -> None:
    on = Whisper({"model": str(model), "partials": True}, ticking(0.2))
    off = Whisper({"model": str(model), "partials": False}, ticking(0.01))
    assert (on.capabilities.streaming, off.capabilities.streaming) == (True, False)
    utterance = on.open(TranscriptionOptions(partials=False))
    utterance.send(tone(5.0))
    assert not utterance.pending
    with pytest.raises(ConfigurationError):
        Whisper({"model": str(model), "partials": "often"}, ticking(0.1))


def test_a_partial_promises_only_what_is_done(model: Path) -> None:
    engine = Whisper({"model": str(model), "partials": True}, ticking(0.2))
    utterance = engine.open(OPTIONS)
    utterance.send(tone(2.0))
    [partial] = work(engine, utterance)
    assert (partial.text, partial.stable) == (LOW, 0)


# --- files


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    shutil.copytree(model.parent, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_a_missing_file_is_named_with_the_mending_command(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(EngineMissing, match="vivavoce models pull") as told:
        Whisper({"model": str(copy / "model.bin")})
    assert name in told.value.message


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
@pytest.mark.parametrize("kind", ["empty", "truncated", "garbage"])
def test_a_damaged_file_is_an_error_that_says_so(copy: Path, name: str, kind: str) -> None:
    file = copy / name
    content = {
        "empty": b"",
        "truncated": file.read_bytes()[: file.stat().st_size // 2],
        "garbage": b"\xff\xfe nonsense" * 40,
    }
    file.write_bytes(content[kind])
    with pytest.raises(EngineFailed) as told:
        Whisper({"model": str(copy / "model.bin")})
    assert told.value.code == "damaged_model"
    assert str(copy) in told.value.message


def test_without_a_path_or_with_an_absent_device_it_says_what_to_do(model: Path) -> None:
    with pytest.raises(ConfigurationError):
        Whisper({})
    with pytest.raises(EngineMissing, match="cpu"):
        Whisper({"model": str(model), "device": "cuda"})
    with pytest.raises(ConfigurationError):
        Whisper({"model": str(model), "device": "abacus"})
    for compute_type in ("float16", "abacus"):  # no CPU computes in half precision
        with pytest.raises(ConfigurationError, match="compute_type"):
            Whisper({"model": str(model), "device": "cpu", "compute_type": compute_type})
    assert Whisper({"model": str(model)}).device == "cpu"


OUT_OF_MEMORY = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]) << 20,) * 2)
from vivavoce.contracts.errors import VivavoceError
try:
    from vivavoce.engines.whisper import Whisper
    Whisper({"model": sys.argv[1], "threads": 1})
except VivavoceError as error:
    print("told", error.code)
except (MemoryError, ImportError, OSError) as error:
    print("told", type(error).__name__)
"""


@pytest.mark.process
@pytest.mark.parametrize("megabytes", [150, 400, 700])
def test_too_little_memory_is_an_error_or_death_but_no_hang(model: Path, megabytes: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, str(model), str(megabytes)],
        capture_output=True, text=True, timeout=120, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode != 0 or done.stdout.startswith("told") or not done.stdout


# --- in real workers


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
async def test_laws(model: Path, law: laws.Law) -> None:
    options = EngineOptions("stt", "whisper", {"model": str(model), "threads": 1})
    await keep(law, "speech_to_text", "whisper", group(options))


@pytest.mark.process
@pytest.mark.real_time
async def test_eight_sessions_at_once_and_unloading(model: Path) -> None:
    whisper = EngineOptions("stt", "whisper", {"model": str(model), "threads": 1})
    async with running(group(whisper, prewarm=False, idle_unload=0.3)) as pool:
        port = pool.speech_to_text("whisper")
        sounds = [chunks(tone(1.5, 300 if number % 2 else 3_000), 1_600) for number in range(8)]
        heard = await asyncio.gather(*(laws.transcribe(port, pieces, OPTIONS) for pieces in sounds))
        assert [transcripts[-1].text for transcripts in heard] == [HIGH, LOW] * 4
        await until(lambda: all(line.pid is None for line in pool.status()))
        again = await laws.transcribe(port, sounds[1], OPTIONS)
        assert again[-1].text == LOW
