"""Spelled letters and digits with the real network and recordings of its held-out set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import SPEECH, require
from tests.laws import laws
from tests.laws.test_workers import keep
from vivavoce.contracts.engines import TranscriptionEngine
from vivavoce.contracts.errors import EngineFailed, EngineMissing, InvalidAudio, Overloaded, UnknownName
from vivavoce.contracts.speech import Transcript, TranscriptionOptions
from vivavoce.engines import spelling
from vivavoce.engines.spelling import FRAME, Spelling, TokenCutter
from vivavoce.workers.options import EngineOptions, WorkerOptions

pytestmark = pytest.mark.engine
Read = Callable[[str], bytes]
MODEL = SPEECH / "models" / "moonshine-micro" / "spelling_cnn_mel.shrunk.onnx"
PAUSE = bytes(2 * 4_800)


@pytest.fixture
def engine(speech: Path) -> Iterator[Spelling]:
    require(spelling.onnxruntime, "onnxruntime is not installed: pip install 'vivavoce[builtin]'")
    require(MODEL.is_file(), f"no spelling model at {MODEL}")
    engine = Spelling({"model": str(MODEL)})
    yield engine
    engine.close()


def read(engine: Spelling, pcm: bytes, step: int = 320) -> tuple[list[Transcript], Transcript]:
    """Partials and the final of one utterance."""
    stream = engine.open(TranscriptionOptions())
    try:
        pieces = (pcm[at : at + 2 * step] for at in range(0, len(pcm), 2 * step))
        partials = [partial for partial in map(stream.send, pieces) if partial is not None]
        return partials, stream.finish()
    finally:
        stream.close()


def expected(path: Path) -> str:
    name = path.name.split("__")[0]
    return spelling._DIGITS.get(name, name)


def test_nine_of_ten_held_out_recordings_are_read_right(engine: Spelling, speech: Path, recording: Read) -> None:
    clips = sorted((speech / "alphanumeric").glob("*.wav"))
    assert len(clips) >= 100
    wrong = []
    for clip in clips:
        _, final = read(engine, recording(f"alphanumeric/{clip.name}"))
        if final.text != expected(clip):
            wrong.append((expected(clip), final.text))
    print(f"{len(clips) - len(wrong)} of {len(clips)} right; wrong: {wrong}")
    assert len(wrong) <= 0.12 * len(clips), wrong


def spelled(recording: Read, *names: str, take: int = 1) -> bytes:
    clips = [recording(f"alphanumeric/{name}__petewarden_nohash_{take}.wav") for name in names]
    return PAUSE + PAUSE.join(clips) + PAUSE


def test_a_spelled_sequence_is_read_token_by_token(engine: Spelling, recording: Read) -> None:
    pcm = spelled(recording, "b", "four", "k", "seven", "x", "zero")
    partials, final = read(engine, pcm)
    assert final.text == "b 4 k 7 x 0"
    assert [partial.text for partial in partials[:3]] == ["b", "b 4", "b 4 k"]
    assert all(partial.stable == len(partial.text) for partial in partials)
    assert final.final and final.language == "en"
    assert final.confidence is not None and final.confidence > 0.6


def test_words_have_times_within_their_recordings(engine: Spelling, recording: Read) -> None:
    _, final = read(engine, spelled(recording, "two", "g", "w"))
    assert [word.text for word in final.words] == ["2", "g", "w"]
    for number, word in enumerate(final.words):
        begins = 0.3 + number * 1.3
        assert begins < word.start < word.end < begins + 1.0
        assert word.confidence is not None and 0.35 <= word.confidence <= 1.0


@pytest.mark.parametrize("step", [1, 7, 160, 16_000, 10**6])
def test_the_reading_does_not_depend_on_how_it_is_cut(engine: Spelling, recording: Read, step: int) -> None:
    pcm = spelled(recording, "m", "nine", "s", take=0)
    _, plain = read(engine, pcm)
    _, cut = read(engine, pcm, step)
    assert cut == plain


def test_the_level_does_not_matter_much(engine: Spelling, recording: Read) -> None:
    pcm = spelled(recording, "h", "six", "y")
    softer = (np.frombuffer(pcm, "<i2") * 0.4).astype("<i2").tobytes()
    assert read(engine, softer)[1].text == read(engine, pcm)[1].text == "h 6 y"


def test_noise_and_clicks_are_no_letters(engine: Spelling) -> None:
    generator = np.random.default_rng(7)
    noise = generator.normal(0, 600, 5 * 16_000).astype("<i2").tobytes()
    click = bytes(2 * 8_000) + b"\xff\x7f" * 200 + bytes(2 * 8_000)
    for pcm in (b"", bytes(2 * 32_000), noise, click, b"\xff\x7f" * 48_000):
        _, final = read(engine, pcm)
        assert final == Transcript("", final=True, language="en")


def test_what_it_is_not_sure_of_is_left_out(recording: Read, engine: Spelling) -> None:
    sure = Spelling({"model": str(MODEL), "confidence": 1.01})
    partials, final = read(sure, spelled(recording, "b", "four"))
    assert partials == []
    assert final.text == ""


def test_the_last_token_needs_no_pause(engine: Spelling, recording: Read) -> None:
    pcm = recording("alphanumeric/seven__petewarden_nohash_1.wav")
    loud = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2")) > 600)
    partials, final = read(engine, pcm[: 2 * (int(loud[-1]) + 320)])
    assert partials == []
    assert final.text == "7"


def test_misuse(engine: Spelling) -> None:
    checked: TranscriptionEngine = engine
    with pytest.raises(UnknownName):
        checked.open(TranscriptionOptions(language="de"))
    stream = checked.open(TranscriptionOptions(language="en-GB"))
    with pytest.raises(InvalidAudio):
        stream.send(bytes(3))
    stream.finish()
    for late in (lambda: stream.send(bytes(2)), stream.finish):
        with pytest.raises(EngineFailed):
            late()
    stream.close()
    short = Spelling({"model": str(MODEL), "max_seconds": 1}).open(TranscriptionOptions())
    short.send(bytes(2 * 16_000))
    with pytest.raises(Overloaded):
        short.send(bytes(2))


def test_what_is_missing_is_named(engine: Spelling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineMissing, match="vivavoce models pull spelling"):
        Spelling({"model": str(tmp_path / "none.onnx")})
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"this is no model")
    with pytest.raises(EngineMissing, match="no usable model"):
        Spelling({"model": str(bad)})
    bad.write_bytes(MODEL.read_bytes())
    with pytest.raises(EngineMissing, match="description"):
        Spelling({"model": str(bad)})
    meta = json.loads((MODEL.parent / "spelling_cnn_meta.json").read_text())
    for wrong in ("{}", "no json", json.dumps(meta | {"sample_rate": 8_000})):
        bad.with_suffix(".json").write_text(wrong)
        with pytest.raises(EngineMissing, match="describes"):
            Spelling({"model": str(bad)})
    bad.with_suffix(".json").write_text(json.dumps(meta))
    Spelling({"model": str(bad)}).close()
    monkeypatch.setattr(spelling, "onnxruntime", None)
    with pytest.raises(EngineMissing, match="pip install"):
        Spelling({"model": str(MODEL)})


@given(st.lists(st.tuples(st.integers(8, 110), st.integers(25, 80)), max_size=5))
@settings(deadline=None, max_examples=40)
def test_the_cutter_finds_every_burst_and_bounds_what_it_keeps(bursts: list[tuple[int, int]]) -> None:
    cutter = TokenCutter()
    quiet, loud = np.zeros(FRAME, np.float32), np.full(FRAME, 0.1, np.float32)
    position, wanted, found = 0, [], []
    for length, pause in [(0, 30), *bursts]:
        wanted += [(position, position + length)] if length else []
        position += length + pause
        tokens = [cutter.push(frame) for frame in [loud] * length + [quiet] * pause]
        found += [token for token in tokens if token is not None]
        assert len(cutter._kept) <= 250
    assert [(token.start, token.end) for token in found] == wanted
    assert all(token.samples.size <= (110 + 40) * FRAME for token in found)
    assert all(np.count_nonzero(token.samples) == (token.end - token.start) * FRAME for token in found)
    assert cutter.finish() is None


@pytest.fixture
def group(engine: Spelling) -> WorkerOptions:
    return WorkerOptions("law", (EngineOptions("stt", "spelling", {"model": str(MODEL)}),))


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
async def test_the_laws_in_a_worker(law: laws.Law, group: WorkerOptions) -> None:
    await keep(law, "speech_to_text", "spelling", group)
