"""Piper: the real library and runtime, voices made of tones."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from tests.conftest import ROOT
from tests.engines.models_piper import HOP, IDS, frames_of, make_piper
from tests.engines.tones import heard, melody
from tests.engines.voices import (
    GPU_ERRORS,
    ODD_TEXTS,
    SILENT_TEXTS,
    CountingSession,
    FailingSession,
    assert_no_silent_fallback,
    assert_tiles,
    samples,
    starved,
    with_ballast,
)
from tests.laws import laws
from tests.laws.test_workers import keep
from vivavoce.contracts.engines import SynthesisEngine
from vivavoce.contracts.errors import EngineFailed, EngineMissing, UnknownName, VivavoceError
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.engines.piper import Piper
from vivavoce.engines.piper.model_file import with_durations
from vivavoce.engines.piper.phonemes import EspeakPhonemes
from vivavoce.engines.piper.voice_file import read
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool

pytestmark = pytest.mark.engine

RATE = 22_050
FOX = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("piper")
    make_piper(place)
    make_piper(place, "de_DE-tones-low", espeak="de", rate=16_000)
    make_piper(place, "en_GB-many-low", espeak="en-gb-x-rp", speakers=3)
    make_piper(place, "fr_FR-mute-low", espeak="fr", durations=False, quiet=0.4)
    return place


@pytest.fixture(scope="module")
def tts(folder: Path) -> Piper:
    return Piper(
        {"models": os.pathsep.join(map(str, sorted(folder.glob("en_US*.onnx")) + sorted(folder.glob("[!e]*.onnx"))))}
    )


@pytest.fixture
def every(folder: Path) -> Piper:
    return Piper({"models": os.pathsep.join(map(str, sorted(folder.glob("*.onnx"))))})


@pytest.fixture
def say(tts: Piper) -> Callable[..., list]:
    return lambda text, **options: list(tts.open(SynthesisOptions(**options)).speak(text))


def counted(engine: Piper, stem: str = "en_US-tones-low") -> CountingSession:
    """Counts the calls of a loaded voice from now on."""
    model = engine.model(engine._files[stem])
    model._session = CountingSession(model._session)
    return model._session


# --- What is said


def test_it_is_a_synthesis_engine(tts: Piper) -> None:
    checked: SynthesisEngine = tts
    assert checked.capabilities.word_times
    assert tts.open(SynthesisOptions()).format.rate == checked.capabilities.sample_rate == RATE
    assert {"en", "en-us", "de", "fr"} <= set(checked.capabilities.languages)
    assert "GPL" in checked.capabilities.licence


def test_the_sound_is_the_phonemes_in_order_and_for_as_long_as_the_voice_says(tts: Piper, say: Callable[..., list]) -> None:
    text = "Hello, world."
    [phonemes] = EspeakPhonemes().phonemes(text, tts._files["en_US-tones-low"])
    tokens = [IDS[name][0] for name in phonemes if frames_of(name) > 6]
    said = samples(say(text))
    different = [token for index, token in enumerate(tokens) if not index or token != tokens[index - 1]]
    assert melody(said, RATE, [ids[0] for ids in IDS.values()]) == different
    frames = sum(int(np.ceil(frames_of(name))) + 1 for name in phonemes)  # a pad behind each
    edges = 2 * HOP * 4
    assert abs(said.size - frames * HOP) < edges + 2 * 0.02 * RATE


def test_it_uses_the_whole_range_of_16_bits_but_not_more(say: Callable[..., list]) -> None:
    assert 0.85 * 32_767 < np.abs(samples(say("Hello there, friend."))).max() < 0.95 * 32_767


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_spans_tile_the_text(say: Callable[..., list], text: str) -> None:
    assert_tiles(say(text), text)


@pytest.mark.parametrize("text", SILENT_TEXTS)
def test_text_without_a_sound(say: Callable[..., list], text: str) -> None:
    pieces = say(text)
    assert_tiles(pieces, text)
    assert samples(pieces).size < RATE
    assert not samples(pieces).any()


def test_what_the_voice_cannot_read_is_left_out(say: Callable[..., list]) -> None:
    assert samples(say("你好 yes 😀 no")).size == pytest.approx(samples(say("yes no")).size, abs=HOP * 8)


def test_spans_are_the_words_that_sound(tts: Piper, say: Callable[..., list]) -> None:
    """One word at a time says how long each word is; in a sentence each must end there."""
    text = "Good morning everybody"
    pieces = say(text)
    assert all(piece.exact for piece in pieces)
    phonemes = EspeakPhonemes().phonemes(text, tts._files["en_US-tones-low"])[0]
    at, words = HOP, []
    for name in phonemes:
        at += (int(np.ceil(frames_of(name))) + (1 if name != " " else 0)) * HOP
        if name == " ":
            words.append(at - int(np.ceil(frames_of(" "))) * HOP)
            at += HOP
    heard_by = {}
    sample = 0
    for piece in pieces:
        sample += len(piece.pcm) // 2
        heard_by[sample] = piece.text_end
    for end, word_end in zip(words, (len("Good"), len("Good morning")), strict=True):
        before = max((said for moment, said in heard_by.items() if moment <= end), default=0)
        after = min(said for moment, said in heard_by.items() if moment >= end)
        assert before <= word_end <= after + 1


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("one of the 25 men", ["one", "one of the", "one of the 25", "one of the 25 men"]),
        ("I am going to be in a house.", ["I am", "I am going", "I am going to be in a house."]),
    ],
)
def test_words_are_found_although_some_are_spoken_as_one_or_as_several(tts: Piper, text: str, ends: list[str]) -> None:
    [*clauses] = tts.clauses(text, tts._files["en_US-tones-low"])
    found = [text[:until] for clause in clauses for _, until in clause.words]
    assert all(clause.exact for clause in clauses)
    assert [end for end in ends if end not in found] == []


def test_arabic_gets_its_vowels(tmp_path: Path) -> None:
    engine = Piper({"model": str(make_piper(tmp_path, "ar_JO-tones-low", espeak="ar"))})
    voice = engine._files["ar_JO-tones-low"]
    text = "مرحبا بالعالم"
    [phonemes] = EspeakPhonemes().phonemes(text, voice)
    from piper.phonemize_espeak import EspeakPhonemizer

    [bare] = EspeakPhonemizer().phonemize("ar", text)
    assert sum(phonemes.count(vowel) for vowel in "aiu") > sum(bare.count(vowel) for vowel in "aiu")
    assert_tiles(list(engine.open(SynthesisOptions(language="ar")).speak(text)), text)


def test_a_voice_whose_phonemes_are_characters(tmp_path: Path) -> None:
    model = make_piper(tmp_path)
    path = Path(f"{model}.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"phoneme_type": "text"}))
    said = samples(list(Piper({"model": str(model)}).open(SynthesisOptions()).speak("fad")))
    assert melody(said, RATE, [ids[0] for ids in IDS.values()]) == [IDS[name][0] for name in "fad"]


def test_durations_are_asked_for_without_changing_what_is_said(tmp_path: Path) -> None:
    """The bytes with one more output are the same model to the ONNX library, and what is no model stays as it is."""
    plain = make_piper(tmp_path).read_bytes()
    asked = onnx.load_from_string(with_durations(plain))
    assert [output.name for output in asked.graph.output] == ["output", "w_ceil"]
    assert asked.graph.node == onnx.load_from_string(plain).graph.node
    assert with_durations(with_durations(plain)) == with_durations(plain)
    none = make_piper(tmp_path, durations=False).read_bytes()
    assert with_durations(none) == none
    chance = random.Random(3)
    for _ in range(200):
        noise = chance.randbytes(chance.randrange(60))
        assert with_durations(noise) == noise
        cut = plain[: chance.randrange(len(plain))]
        assert with_durations(cut).startswith(cut)


def test_a_voice_without_durations_estimates(say: Callable[..., list]) -> None:
    text = "Bonjour tout le monde."
    pieces = say(text, language="fr")
    assert_tiles(pieces, text)
    assert not any(piece.exact for piece in pieces)


def test_silence_of_the_voice_is_cut(say: Callable[..., list]) -> None:
    said = samples(say("Bonjour.", language="fr"))
    assert np.flatnonzero(np.abs(said) > 300)[0] < 0.03 * RATE
    assert np.abs(said[-int(0.03 * RATE) :]).max() > 300


def test_pieces_of_one_job_are_kept_apart(tts: Piper) -> None:
    job = tts.open(SynthesisOptions())
    list(job.speak("Hello there."))
    second = samples(list(job.speak("How are you?")))
    alone = samples(list(tts.open(SynthesisOptions()).speak("How are you?")))
    assert second.size - alone.size == pytest.approx(0.29 * RATE, abs=2)


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed(tts: Piper, say: Callable[..., list], speed: float) -> None:
    """Every phoneme and pad takes its frames divided by the speed, rounded up."""
    [phonemes] = EspeakPhonemes().phonemes("Hello, world.", tts._files["en_US-tones-low"])
    frames = sum(int(np.ceil(frames_of(name) / speed)) + int(np.ceil(0.4 / speed)) for name in phonemes)
    assert samples(say("Hello, world.", speed=speed)).size == pytest.approx(frames * HOP, abs=0.12 * RATE / speed)


# --- Voices


def test_voices_are_chosen_by_name_and_by_language(every: Piper) -> None:
    assert {voice.id for voice in every.capabilities.voices} >= {"en_GB-many-low#speaker0", "de_DE-tones-low"}
    assert every.open(SynthesisOptions(language="de")).format.rate == 16_000
    for language, espeak in (
        ("en", "en-gb-x-rp"),
        ("en-GB", "en-gb-x-rp"),
        ("en_US", "en-us"),
        ("de-AT", "de"),
        ("fr", "fr"),
    ):
        stem, _ = every._by_language(language)
        assert stem.espeak_voice == espeak
    for options in ({"voice": "nobody"}, {"voice": "en_GB-many-low#9"}, {"language": "xx"}, {"language": ""}):
        with pytest.raises(UnknownName, match=r"de_DE-tones-low|de-de"):
            every.open(SynthesisOptions(**options))
    with pytest.raises(UnknownName):
        Piper({"model": str(every._files["de_DE-tones-low"].model), "voice": "nobody"})


def test_speakers_of_one_voice_sound_different(every: Piper) -> None:
    low, high = (
        np.median(heard(samples(list(every.open(SynthesisOptions(voice=f"en_GB-many-low{name}")).speak("mama"))), RATE))
        for name in ("", "#speaker2")
    )
    assert high / low == pytest.approx(1.5**2, rel=0.02)


def test_voices_are_loaded_when_they_speak_and_the_oldest_goes(every: Piper) -> None:
    jobs = {
        stem: every.open(SynthesisOptions(voice=stem)) for stem in ("en_US-tones-low", "de_DE-tones-low", "fr_FR-mute-low")
    }
    assert every.loaded == ()
    loaded = []
    for stem in ("en_US-tones-low", "de_DE-tones-low", "en_US-tones-low", "fr_FR-mute-low", "en_US-tones-low"):
        assert samples(list(jobs[stem].speak("Hello"))).any()
        loaded.append(every.loaded)
    assert loaded == [
        ("en_US-tones-low",),
        ("en_US-tones-low", "de_DE-tones-low"),
        ("de_DE-tones-low", "en_US-tones-low"),
        ("en_US-tones-low", "fr_FR-mute-low"),
        ("fr_FR-mute-low", "en_US-tones-low"),
    ]
    every.close()
    assert every.loaded == ()
    assert samples(list(jobs["de_DE-tones-low"].speak("Hallo"))).any(), "a voice comes back when it is needed"


# --- Steps


def test_the_first_sound_comes_before_the_rest_is_computed(every: Piper) -> None:
    calls = counted(every).calls
    steps = every.open(SynthesisOptions(voice="en_US-tones-low")).speak(f"{FOX} " * 20)
    next(steps)
    assert len(calls) == 1
    assert calls[0]["input"].shape[1] < 130
    list(steps)
    assert len(calls) > 8


def test_a_long_sentence_is_heard_after_its_first_clause(every: Piper) -> None:
    calls = counted(every).calls
    text = "When it rained, which it did for days, the fox stayed at home, " * 5
    steps = every.open(SynthesisOptions(voice="en_US-tones-low")).speak(text)
    next(steps)
    assert len(calls) == 1
    assert calls[0]["input"].shape[1] < 2 * 45, "at most 40 characters"
    list(steps)
    assert len(calls) < len(text) / 40


def test_an_abandoned_job_calls_the_model_no_more(every: Piper) -> None:
    calls = counted(every).calls
    job = every.open(SynthesisOptions(voice="en_US-tones-low"))
    steps = job.speak(f"{FOX} " * 20)
    for _ in range(3):
        next(steps)
    before = len(calls)
    del steps
    job.close()
    job.close()
    assert len(calls) == before == 1


@pytest.mark.parametrize("text", ["word " * 400, "x" * 2_000, "1" * 400, "supercalifragilistic" * 100])
def test_very_long_texts_come_in_bounded_steps(every: Piper, text: str) -> None:
    calls = counted(every).calls
    pieces, most, before = [], 0, 0
    for piece in every.open(SynthesisOptions(voice="en_US-tones-low")).speak(text):
        pieces.append(piece)
        most, before = max(most, len(calls) - before), len(calls)
    assert_tiles(pieces, text)
    assert most == 1, "one call of the model in a step"
    assert max(call["input"].shape[1] for call in calls) < 350
    assert all(len(piece.pcm) <= 2 * 2_205 for piece in pieces)


def test_eight_interleaved_jobs_say_what_they_say_alone(every: Piper) -> None:
    texts = [f"Number {number} is speaking now, and it goes on." for number in range(8)]
    voices = ["en_US-tones-low", "de_DE-tones-low"] * 4
    list(every.open(SynthesisOptions(voice=voices[0])).speak(FOX))  # its loudest phoneme sets the level
    list(every.open(SynthesisOptions(voice=voices[1])).speak(FOX))
    alone = [list(every.open(SynthesisOptions(voice=voice)).speak(text)) for text, voice in zip(texts, voices, strict=True)]
    steps = [every.open(SynthesisOptions(voice=voice)).speak(text) for text, voice in zip(texts, voices, strict=True)]
    together: list[list] = [[] for _ in texts]
    waiting = set(range(8))
    while waiting:
        for index in sorted(waiting):
            piece = next(steps[index], None)
            together[index].append(piece) if piece else waiting.discard(index)
    assert together == alone


def test_random_texts(say: Callable[..., list]) -> None:
    chance = random.Random(7)
    alphabet = "abcdefghij äöüß ,.!?;:'\"-()[]{}<>&%$#@ 0123456789\n\t\x00\x01\x1b é 你 мир 😀 \u202e\u0301"
    for _ in range(60):
        text = "".join(chance.choices(alphabet, k=chance.randrange(0, 60)))
        assert_tiles(say(text, language=chance.choice(["en", "de", "fr"]), speed=chance.choice([0.5, 1.0, 3.0])), text)


# --- What can go wrong


def test_no_voice_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="vivavoce models pull"):
        Piper({})
    with pytest.raises(EngineMissing, match=r"nothing\.onnx.*vivavoce models pull"):
        Piper({"model": str(tmp_path / "nothing.onnx")})
    model = make_piper(tmp_path)
    Path(f"{model}.json").unlink()
    with pytest.raises(EngineMissing, match=r"low\.onnx\.json"):
        Piper({"model": str(model)})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"audio": {"sample_rate": 0}}, "sample_rate"),
        ({"audio": {}}, "sample_rate"),
        ({"audio": {"sample_rate": 22_050_000}}, "sample_rate"),
        ({"phoneme_id_map": {"a": [1]}}, "phoneme_id_map"),
        ({"phoneme_id_map": None}, "items"),
        ({"phoneme_type": "pinyin"}, "pinyin"),
        ({"espeak": None}, "NoneType"),
        ({"inference": {"length_scale": 0}}, "length_scale"),
        ("not json", "description"),
        ([1], "description"),
    ],
)
def test_a_damaged_description(tmp_path: Path, change: object, complaint: str) -> None:
    model = make_piper(tmp_path)
    path = Path(f"{model}.json")
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | change if isinstance(change, dict) else change)[: 4 if change == "not json" else None])
    with pytest.raises(EngineFailed, match=complaint) as caught:
        Piper({"model": str(model)})
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kept", [0, 100, -300])
def test_a_damaged_model(tmp_path: Path, kept: int) -> None:
    model = make_piper(tmp_path)
    model.write_bytes(model.read_bytes()[:kept])
    with pytest.raises(EngineFailed, match=r"low\.onnx is damaged.*vivavoce models pull"):
        list(Piper({"model": str(model)}).open(SynthesisOptions()).speak("Hello"))


def test_a_voice_of_unknown_phonemes(tmp_path: Path) -> None:
    engine = Piper({"model": str(make_piper(tmp_path, espeak="nonsense"))})
    with pytest.raises(EngineFailed, match="nonsense"):
        list(engine.open(SynthesisOptions()).speak("Hello"))


def test_a_speaker_the_model_has_not(tmp_path: Path) -> None:
    model = make_piper(tmp_path)
    path = Path(f"{model}.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_speakers": 2}))
    with pytest.raises(EngineFailed, match="sid"):
        list(Piper({"model": str(model)}).open(SynthesisOptions()).speak("Hello"))


def test_an_unknown_device(folder: Path) -> None:
    model = str(folder / "en_US-tones-low.onnx")
    for device, error in (("abacus", EngineFailed), ("cuda", EngineMissing)):
        with pytest.raises(error, match=device):
            list(Piper({"model": model, "device": device}).open(SynthesisOptions()).speak("Hello"))


@pytest.mark.parametrize(("said", "kind", "code"), GPU_ERRORS, ids=[said[:14] for said, _, _ in GPU_ERRORS])
def test_what_a_gpu_says_is_told(tmp_path: Path, said: str, kind: type, code: str) -> None:
    engine = Piper({"model": str(make_piper(tmp_path))})
    assert list(engine.open(SynthesisOptions()).speak("Hello"))
    [loaded] = engine._models.values()
    session = FailingSession(loaded._session, runtime.Fail(said))
    loaded._session = session
    with pytest.raises(EngineFailed) as caught:
        list(engine.open(SynthesisOptions()).speak("Hello"))
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert caught.value.retryable is (code != "engine_failed")
    session.error = None
    assert list(engine.open(SynthesisOptions()).speak("Hello"))


@pytest.mark.process
def test_a_runtime_that_falls_back_to_the_cpu_by_itself_is_caught(tmp_path: Path) -> None:
    script = f"""
from vivavoce.engines.piper import Piper
make = lambda device: Piper({{'model': {str(make_piper(tmp_path))!r}, 'device': device}})"""
    assert_no_silent_fallback(script)


def test_out_of_memory(tmp_path: Path) -> None:
    """While the voice is loaded and while it speaks: an error that may pass, and later it speaks as if nothing had been."""
    model = with_ballast(make_piper(tmp_path))
    loading, loaded, speaking, again = starved(f"""
from vivavoce.engines.piper import Piper
engine = Piper({{"model": {str(model)!r}}})""")
    assert (loading, speaking) == ("refused", "refused")
    assert loaded == again
    assert int(loaded) > 10_000


def test_without_the_package() -> None:
    script = """
import sys
sys.modules["piper"] = None
from vivavoce.contracts.errors import EngineMissing
from vivavoce.engines.piper import Piper
try:
    Piper({"model": "x"})
except EngineMissing as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'vivavoce[piper]'" in done.stdout


def test_the_description_is_read_as_it_is(folder: Path) -> None:
    voice = read(folder / "en_GB-many-low.onnx")
    assert (voice.language, voice.rate, voice.default_speaker) == ("en-gb", RATE, 0)
    assert voice.speakers == {"speaker0": 0, "speaker1": 1, "speaker2": 2}
    assert issubclass(EngineFailed, VivavoceError)
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


# --- In a worker


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
async def test_laws(law: laws.Law, folder: Path) -> None:
    group = WorkerOptions("law", (EngineOptions("tts", "piper", {"model": str(folder / "en_US-tones-low.onnx")}),))
    await keep(law, "text_to_speech", "piper", group)


@pytest.mark.process
@pytest.mark.real_time
async def test_eight_voices_side_by_side_and_a_damaged_one_in_a_worker(tmp_path: Path) -> None:
    """A file that is damaged fails its own job with its own name; the others are spoken, whole and alike."""
    good, bad = make_piper(tmp_path), make_piper(tmp_path, "de_DE-broken-low", espeak="de")
    bad.write_bytes(bad.read_bytes()[:-300])
    engine = EngineOptions("tts", "piper", {"models": os.pathsep.join(map(str, (good, bad)))})
    pool = WorkerPool([WorkerOptions("voices", (engine,))], SystemClock())
    try:
        await pool.start()
        port = pool.text_to_speech("piper")
        jobs = [laws.speak(port, (f"{FOX} ", FOX), SynthesisOptions(rate=16_000)) for _ in range(7)]
        jobs.insert(3, laws.speak(port, ("Hallo.",), SynthesisOptions(language="de")))
        *spoken, failed = sorted(
            await asyncio.gather(*jobs, return_exceptions=True), key=lambda one: isinstance(one, Exception)
        )
        assert isinstance(failed, EngineFailed)
        assert "de_DE-broken-low.onnx is damaged" in str(failed)
        lengths = {sum(audio.chunk.samples for audio in one) for one in spoken}
        assert len(spoken) == 7
        assert len(lengths) == 1
        assert {one[-1].text_end for one in spoken} == {2 * len(FOX) + 1}
        assert all(one[0].exact for one in spoken)
    finally:
        await pool.close()
