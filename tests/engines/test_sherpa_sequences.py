"""Paraformer and Moonshine in sherpa-onnx itself, with models made here; and what NeMo's transducers must not lack.

They tell no times, and write words otherwise than the families of ``test_sherpa``.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.engines import models_sequences as models
from tests.engines.models_sherpa import say
from tests.laws import laws
from tests.laws.laws import silence
from tests.laws.test_workers import keep
from tests.unit.workers.pools import group
from vivavoce.contracts.errors import EngineFailed, EngineMissing
from vivavoce.contracts.speech import Transcript, TranscriptionOptions
from vivavoce.engines.sherpa import SherpaRecogniser
from vivavoce.engines.sherpa.files import inspect
from vivavoce.workers.options import EngineOptions

pytestmark = pytest.mark.engine

Make = Callable[[Path], Path]


def masked_moonshine_v2(folder: Path) -> Path:
    """With attention masks, as newer exports have them."""
    return models.moonshine_v2(folder, mask=True)


ALL: list[Make] = [
    models.paraformer,
    models.streaming_paraformer,
    models.moonshine,
    models.moonshine_v2,
    masked_moonshine_v2,
]
SENTENCES = ["abcdghef", "ab", "cd gh", "ghab  ef", "efef", "cdcdcd", "gh", "abef"]
OPTIONS = TranscriptionOptions()


def words(text: str) -> str:
    """How it is read: two letters are a word."""
    letters = text.replace(" ", "")
    return " ".join(letters[at : at + 2] for at in range(0, len(letters), 2))


def name(make: Make) -> str:
    return make.__name__  # type: ignore[attr-defined, no-any-return]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Make], Path]:
    folder = tmp_path_factory.mktemp("models")
    found: dict[str, Path] = {}
    return lambda make: found.setdefault(name(make), make(folder / name(make)))


@pytest.fixture(params=ALL, ids=name)
def engine(made: Callable[[Make], Path], request: pytest.FixtureRequest) -> SherpaRecogniser:
    return SherpaRecogniser({"model": str(made(request.param)), "threads": 1})


def read(engine: SherpaRecogniser, sounds: Sequence[bytes], chunk: int = 3_200) -> tuple[list[Transcript], list[str]]:
    """Partials of the first, and the finals of all, heard at the same time."""
    streams = [engine.open(OPTIONS) for _ in sounds]
    partials = []
    for at in range(0, max(map(len, sounds)) + chunk, chunk):
        for stream, pcm in zip(streams, sounds, strict=True):
            stream.send(pcm[at : at + chunk]) if at < len(pcm) else stream.end()
        while batch := [stream for stream in streams if stream.pending][: engine.BATCH]:
            engine.advance(batch)
        partial = streams[0].poll() if at < len(sounds[0]) else None
        partials += [partial] if partial is not None else []
    finals = [stream.finish().text for stream in streams]
    for stream in streams:
        stream.close()
    return partials, finals


@pytest.mark.parametrize("text", SENTENCES)
def test_what_was_said_is_read(engine: SherpaRecogniser, text: str) -> None:
    _, (final,) = read(engine, [say(text)])
    assert final == words(text)


def test_eight_utterances_do_not_mix(engine: SherpaRecogniser) -> None:
    _, finals = read(engine, [say(text) for text in SENTENCES])
    assert finals == [words(text) for text in SENTENCES]


def test_chunks_make_no_difference(engine: SherpaRecogniser) -> None:
    chance = random.Random(4)
    pcm = say("abcdghef")
    for _ in range(3):
        stream, at = engine.open(OPTIONS), 0
        while at < len(pcm):
            size = 2 * chance.randrange(1, 6_000)
            stream.send(pcm[at : at + size])
            at += size
            while stream.pending:
                engine.advance([stream])
        stream.end()
        while stream.pending:
            engine.advance([stream])
        assert stream.finish().text == "ab cd gh ef"
        stream.close()


def test_one_that_is_withdrawn_in_mid_word_leaves_the_others_alone(engine: SherpaRecogniser) -> None:
    kept, withdrawn = engine.open(OPTIONS), engine.open(OPTIONS)
    for at in range(0, 51_200, 3_200):
        kept.send(say("abcdghef")[at : at + 3_200])
        if at < 20_000:
            withdrawn.send(say("ghghghgh")[at : at + 3_200])
        elif not withdrawn.closed:
            withdrawn.close()
        while kept.pending:
            engine.advance([kept])
    kept.end()
    while kept.pending:
        engine.advance([kept])
    assert kept.finish().text == "ab cd gh ef"


@pytest.mark.parametrize("pcm", [b"", silence(0.02), silence(2.0)], ids=["nothing", "20 ms", "silence"])
def test_nothing_is_read_of_silence(engine: SherpaRecogniser, pcm: bytes) -> None:
    assert read(engine, [pcm])[1] == [""]


def test_a_long_utterance(engine: SherpaRecogniser) -> None:
    text = "abcd ghef  " * 20
    _, (final,) = read(engine, [say(text)])
    assert final == words(text)


def test_partials_of_streaming_paraformer_grow(made: Callable[[Make], Path]) -> None:
    engine = SherpaRecogniser({"model": str(made(models.streaming_paraformer)), "threads": 1})
    assert engine.capabilities.streaming
    partials, (final,) = read(engine, [say("abcdghefabcdghef")])
    assert len(partials) >= 3
    texts = [partial.text.replace(" ", "") for partial in partials]
    assert all(later.startswith(earlier) for earlier, later in zip(texts, [*texts[1:], "abcdghefabcdghef"], strict=True))
    assert final == words("abcdghefabcdghef")


# --- files


@pytest.mark.parametrize("make", ALL, ids=name)
@pytest.mark.parametrize("kind", ["absent", "empty", "cut", "junk"])
def test_every_file_that_is_not_right_is_named(tmp_path: Path, make: Make, kind: str) -> None:
    for file in sorted(make(tmp_path / "whole").parent.iterdir()):
        main = make(tmp_path / f"{file.name}.{kind}")
        wrong = main.parent / file.name
        content = wrong.read_bytes()
        if kind == "absent":
            wrong.unlink()
        else:
            wrong.write_bytes({"empty": b"", "cut": content[: len(content) // 2], "junk": b"\xff\xfejunk" * 50}[kind])
        if kind == "cut" and wrong.suffix == ".txt":
            continue  # fewer tokens are still tokens
        with pytest.raises((EngineFailed, EngineMissing)) as told:
            SherpaRecogniser({"model": str(main), "threads": 1})
        assert str(main.parent) in told.value.message


@pytest.mark.parametrize("key", ["vocab_size", "subsampling_factor", "pred_rnn_layers", "pred_hidden"])
def test_a_nemo_transducer_that_lacks_metadata_is_refused_and_does_not_end_the_process(tmp_path: Path, key: str) -> None:
    with pytest.raises(EngineFailed, match=key):
        inspect(models.nemo_transducer_lacking(tmp_path, key))


LOAD = """
import sys
import sherpa_onnx
folder = sys.argv[1]
sherpa_onnx.OfflineRecognizer.from_transducer(
    **{part: f"{folder}/{part}.onnx" for part in ("encoder", "decoder", "joiner")}, tokens=f"{folder}/tokens.txt",
    model_type="nemo_transducer",
)
print("loaded")
"""


@pytest.mark.process
@pytest.mark.parametrize("key", ["subsampling_factor", "pred_rnn_layers", "pred_hidden", ""])
def test_the_library_itself_ends_the_process(tmp_path: Path, key: str) -> None:
    """That is why they are looked for before; where this fails one day, they need not be."""
    models.nemo_transducer_lacking(tmp_path, key)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path)], capture_output=True, text=True, timeout=60, cwd=ROOT, check=False
    )
    assert (done.stdout.strip() == "loaded") is (key == "")


# --- in a worker


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
@pytest.mark.parametrize("make", [models.streaming_paraformer, models.moonshine_v2], ids=name)
async def test_laws(made: Callable[[Make], Path], make: Make, law: laws.Law) -> None:
    options = EngineOptions("stt", "sherpa", {"model": str(made(make)), "threads": 1})
    await keep(law, "speech_to_text", "sherpa", group(options))
