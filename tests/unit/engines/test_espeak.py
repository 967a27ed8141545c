"""espeak-ng, the real library."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import require
from vivavoce.contracts.engines import SynthesisEngine
from vivavoce.contracts.errors import EngineMissing, UnknownName
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.engines import espeak
from vivavoce.engines.espeak import Espeak, SpokenPiece

pytestmark = pytest.mark.engine


@cache
def engine() -> Espeak:
    return Espeak({})


@pytest.fixture(autouse=True)
def present() -> None:
    require(espeak.espeakng_loader, "espeakng-loader is not installed: pip install 'vivavoce[builtin]'")


def say(text: str, **options: object) -> list[SpokenPiece]:
    return list(engine().open(SynthesisOptions(**options)).speak(text))  # type: ignore[arg-type]


def seconds(pieces: list[SpokenPiece]) -> float:
    return sum(len(piece.pcm) for piece in pieces) / 2 / engine().capabilities.sample_rate


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


def test_it_is_a_synthesis_engine() -> None:
    checked: SynthesisEngine = engine()
    assert checked.capabilities.word_times
    assert engine().open(SynthesisOptions()).format.rate == checked.capabilities.sample_rate == 22_050


def test_speech_is_loud_and_starts_at_once() -> None:
    said = samples(say("Hello there, my dear friend."))
    assert 1.0 < len(said) / 22_050 < 3.0
    assert 8_000 < np.abs(said).max() < 32_768
    first = np.flatnonzero(np.abs(said) > 100)[0]
    assert first < 0.008 * 22_050


def test_the_first_chunk_is_short_and_all_are_small() -> None:
    pieces = say("The quick brown fox jumps over the lazy dog.")
    assert seconds(pieces[:1]) <= 0.06
    assert all(seconds([piece]) <= 0.1 for piece in pieces)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Hello there, my dear friend. How are you?", "en"),
        ("Größe über Öl 😀 schön, 25 Äpfel. Das ist z.B. gut.", "de"),
        ("   leading and trailing   ", "en"),
        ("Ends in silence ... …", "en"),
        ("Zahlen 1234567890123456789012345678901234567890", "de"),
        ("a\0b\x01c\x7f \ud800 \U0010ffff", "en"),
        ("Цена — 100 рублей; не знаю!", "ru"),
        ("مرحبا بالعالم", "ar"),
        ("今天天气很好。我们走吧！", "zh"),
        ("e\u0301te\u0301", "fr"),
    ],
)
def test_spans_tile_the_text(text: str, language: str) -> None:
    pieces = say(text, language=language)
    assert_tiles(pieces, text)
    assert all(piece.exact for piece in pieces)


def test_spans_follow_the_words() -> None:
    text = "Größe 😀 über alles. Nothing else matters."
    pieces = say(text, language="de")
    position = text.index("Nothing")
    before = [piece for piece in pieces if piece.text_end <= position]
    alone = seconds(say(text[: position - 1], language="de"))
    assert seconds(before) == pytest.approx(alone + 0.3, abs=0.2)  # its own length and the pause behind the full stop


def test_a_pause_says_no_more_characters() -> None:
    pieces = say("Wait. Go.")
    silent = [piece for piece in pieces if np.abs(samples([piece])).max() < 100]
    assert silent
    assert all(piece.text_end - piece.text_start <= 1 for piece in silent)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "...", "\0", "\u200b", "—"])
def test_text_without_a_sound(text: str) -> None:
    pieces = say(text)
    assert_tiles(pieces, text)
    assert seconds(pieces) < 1.5


def test_pieces_of_one_job_are_kept_apart() -> None:
    joined = seconds(say("Hello there. How are you?"))
    job = engine().open(SynthesisOptions())
    apart = seconds(list(job.speak("Hello there."))) + seconds(list(job.speak("How are you?")))
    assert apart == pytest.approx(joined, abs=0.05)


@pytest.mark.parametrize("speed", [0.5, 2.0, 4.0])
def test_speed(speed: float) -> None:
    text = "The quick brown fox jumps over the lazy dog and then it runs away into the deep dark forest."
    assert seconds(say(text)) / seconds(say(text, speed=speed)) == pytest.approx(speed, rel=0.1)


def test_speed_below_the_floor_of_the_library_stays_there() -> None:
    assert seconds(say("Hello there.", speed=0.25)) == pytest.approx(seconds(say("Hello there.", speed=0.4)), rel=0.02)


def test_languages_sound_different() -> None:
    text = "she thinks about the weather"
    assert seconds(say(text, language="fr")) != pytest.approx(seconds(say(text, language="en")), rel=0.02)


@pytest.mark.parametrize(
    ("language", "voice"),
    [
        ("en", "en-us"),
        ("en-GB", "en-gb"),
        ("en_US", "en-us"),
        ("de-AT", "de"),
        ("fr", "fr-fr"),
        ("zh-CN", "cmn"),
        ("pt-BR", "pt-br"),
    ],
)
def test_a_language_finds_its_voice(language: str, voice: str) -> None:
    by_language, by_voice = engine().open(SynthesisOptions(language=language)), engine().open(SynthesisOptions(voice=voice))
    assert by_language._identifier == by_voice._identifier


def test_a_variant_is_another_voice() -> None:
    pitch = {}
    for voice in ("en-us", "EN-US+f3"):
        vowel = samples(say("Aaaah, my.", voice=voice))[3_000:9_000].astype(float)
        echo = np.correlate(vowel, vowel, "full")[vowel.size - 1 :]
        pitch[voice] = 22_050 / (60 + int(echo[60:400].argmax()))
    assert pitch["EN-US+f3"] > 1.2 * pitch["en-us"]


def test_every_listed_voice_speaks() -> None:
    voices = engine().capabilities.voices
    assert len(voices) > 100
    assert len({voice.id for voice in voices}) == len(voices)
    for voice in voices:
        assert np.abs(samples(say("a 1 hello", voice=voice.id))).max() > 1_000, voice


@pytest.mark.parametrize("options", [{"voice": "nobody"}, {"voice": "en-us+nobody"}, {"language": "xx"}, {"language": ""}])
def test_wrong_names(options: dict[str, str]) -> None:
    with pytest.raises(UnknownName):
        engine().open(SynthesisOptions(**options))
    with pytest.raises(UnknownName):
        Espeak({"voice": "nobody"})


def test_an_abandoned_job_leaves_no_trace() -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 20
    fresh = seconds(say("Hello there."))
    job = engine().open(SynthesisOptions())
    steps = iter(job.speak(text))
    for _ in range(3):
        next(steps)
    del steps
    job.close()
    job.close()
    assert seconds(say("Hello there.")) == pytest.approx(fresh, rel=0.02)  # the library is not exact to the sample


def test_interleaved_jobs_do_not_mix() -> None:
    text = "One two three four five six seven eight nine ten. " * 8
    alone = [say(text), say(text, language="de", speed=2.0)]
    mixed: list[list[SpokenPiece]] = [[], []]
    jobs = [
        engine().open(SynthesisOptions()).speak(text),
        engine().open(SynthesisOptions(language="de", speed=2.0)).speak(text),
    ]
    running = {0, 1}
    while running:
        for index in tuple(running):
            piece = next(jobs[index], None)
            if piece is None:
                running.discard(index)
            else:
                mixed[index].append(piece)
    for one, other in zip(mixed, alone, strict=True):
        assert_tiles(one, text)
        assert seconds(one) == pytest.approx(seconds(other), rel=0.02)


@pytest.mark.parametrize("text", ["word " * 1_500, "x" * 3_000, "1" * 3_000, "语" * 300, "?!" * 2_000])
def test_very_long_texts_come_in_bounded_steps(text: str) -> None:
    steps = engine().open(SynthesisOptions()).speak(text)
    at = 0
    for piece in steps:
        assert len(piece.pcm) <= 2 * 0.1 * 22_050
        assert piece.text_start == at
        at = piece.text_end
    assert at == len(text)


def test_a_thousand_random_texts() -> None:
    chance = random.Random(7)
    alphabet = "abcdefghij äöüß ,.!?;:'\"-()[]{}<>&%$#@ 0123456789\n\t\x00\x01\x1b éñ 你好 мир 😀🎉 \u202e\ufeff\u0301"
    languages = ["en", "de", "fr", "ru", "zh", "ja", "ar", "hi", "es", "tr"]
    for _ in range(1_000):
        text = "".join(chance.choices(alphabet, k=chance.randrange(0, 30)))
        assert_tiles(say(text, language=chance.choice(languages), speed=chance.choice([0.5, 1.0, 3.0])), text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    assert_tiles(say(text, speed=4.0), text)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "espeakng_loader", None)
    espeak._library.cache_clear()
    with pytest.raises(EngineMissing, match="pip install"):
        Espeak({})


def test_without_the_library() -> None:
    with pytest.raises(EngineMissing, match="pip install"):
        espeak._Library("/nowhere/libespeak-ng.so", "/nowhere")
