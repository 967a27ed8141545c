"""flite, the real library."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from tests.conftest import require
from vivavoce.contracts.engines import SynthesisEngine
from vivavoce.contracts.errors import EngineMissing, UnknownName
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.engines import flite
from vivavoce.engines.flite import Flite, SpokenPiece

pytestmark = pytest.mark.engine


@cache
def engine() -> Flite | None:
    try:
        return Flite({})
    except EngineMissing:
        return None


@pytest.fixture
def tts() -> Flite:
    found = engine()
    require(found, "flite is not installed: apt-get install libflite1")
    assert found is not None
    return found


@pytest.fixture
def say(tts: Flite) -> Callable[..., list[SpokenPiece]]:
    return lambda text, **options: list(tts.open(SynthesisOptions(**options)).speak(text))


def samples(pieces: list[SpokenPiece]) -> np.ndarray:
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").astype(np.int32)


def assert_tiles(pieces: list[SpokenPiece], text: str) -> None:
    at = 0
    for piece in pieces:
        assert piece.text_start == at
        assert piece.text_end >= at
        assert piece.pcm
        assert len(piece.pcm) % 2 == 0
        at = piece.text_end
    assert at == len(text)


def test_it_is_a_synthesis_engine(tts: Flite) -> None:
    checked: SynthesisEngine = tts
    assert not checked.capabilities.word_times
    assert tts.open(SynthesisOptions()).format.rate == checked.capabilities.sample_rate == 16_000


def test_every_voice_speaks_at_once_and_loud_enough(tts: Flite, say: Callable[..., list[SpokenPiece]]) -> None:
    for voice in tts.capabilities.voices:
        said = samples(say("Hello there, my dear friend.", voice=voice.id))
        assert 1.0 < said.size / 16_000 < 3.0, voice
        assert np.abs(said).max() > 6_000, voice
        assert np.flatnonzero(np.abs(said) > 300)[0] < 0.06 * 16_000, voice


@pytest.mark.parametrize(
    "text",
    [
        "Hello there, my dear friend. How are you?",
        "Größe über Öl 😀 schön, 25 Äpfel.",
        "  leading and trailing   ",
        "Ends in silence ... …",
        "你好 only this is read",
        "It’s “quoted” – with dashes — and more; see: yes!",
        "nothing\0stops\x01it",
    ],
)
def test_spans_tile_the_text(say: Callable[..., list[SpokenPiece]], text: str) -> None:
    pieces = say(text)
    assert_tiles(pieces, text)
    assert not any(piece.exact for piece in pieces)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "...", "\0", "你好", "😀"])
def test_text_without_a_sound(say: Callable[..., list[SpokenPiece]], text: str) -> None:
    pieces = say(text)
    assert_tiles(pieces, text)
    assert samples(pieces).size < 16_000


def test_accents_are_read_as_letters(say: Callable[..., list[SpokenPiece]]) -> None:
    assert samples(say("resume", voice="kal16")).tobytes() == samples(say("résumé", voice="kal16")).tobytes()


def test_pieces_of_one_job_are_kept_apart(tts: Flite) -> None:
    job = tts.open(SynthesisOptions())
    first, second = samples(list(job.speak("Hello there."))), samples(list(job.speak("How are you?")))
    alone = samples(list(tts.open(SynthesisOptions()).speak("How are you?")))
    assert np.abs(first[-800:]).max() > 200
    assert second.size - alone.size == pytest.approx(0.29 * 16_000, abs=800)


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed(say: Callable[..., list[SpokenPiece]], speed: float) -> None:
    text = "The quick brown fox jumps over the lazy dog."
    assert samples(say(text)).size / samples(say(text, speed=speed)).size == pytest.approx(speed, rel=0.15)


@pytest.mark.parametrize("options", [{"voice": "nobody"}, {"language": "de"}, {"language": ""}])
def test_wrong_names(tts: Flite, options: dict[str, str]) -> None:
    with pytest.raises(UnknownName):
        tts.open(SynthesisOptions(**options))
    with pytest.raises(UnknownName):
        Flite({"voice": "nobody"})


def test_an_abandoned_job_leaves_no_trace(tts: Flite, say: Callable[..., list[SpokenPiece]]) -> None:
    length = samples(say("Hello there.")).size
    job = tts.open(SynthesisOptions(speed=2.0))
    steps = job.speak("The quick brown fox jumps over the lazy dog. " * 10)
    next(steps)
    del steps
    job.close()
    job.close()
    assert samples(say("Hello there.")).size == pytest.approx(length, abs=400)  # the vocoder's noise differs a little


@pytest.mark.parametrize("text", ["word " * 600, "x" * 600, "1" * 400, "?!" * 500])
def test_very_long_texts_come_in_bounded_steps(say: Callable[..., list[SpokenPiece]], text: str) -> None:
    pieces = say(text, voice="kal16")
    assert_tiles(pieces, text)
    assert all(len(piece.pcm) <= 2 * 1_600 for piece in pieces)


def test_random_texts(say: Callable[..., list[SpokenPiece]]) -> None:
    chance = random.Random(7)
    alphabet = "abcdefghij äöüß ,.!?;:'\"-()[]{}<>&%$#@ 0123456789\n\t\x00\x01\x1b é 你 мир 😀 \u202e\u0301"
    for _ in range(300):
        text = "".join(chance.choices(alphabet, k=chance.randrange(0, 60)))
        assert_tiles(say(text, voice="kal16", speed=chance.choice([0.5, 1.0, 3.0])), text)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, mode: int = 0) -> ctypes.CDLL:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    flite._library.cache_clear()
    with pytest.raises(EngineMissing, match="apt-get install libflite1"):
        Flite({})
