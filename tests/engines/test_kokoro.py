"""Kokoro: the real library and runtime, a model and voices made of tones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from tests.conftest import ROOT
from tests.engines.models_kokoro import HOP, RATE, VOCABULARY, VOICES, frames_of, make_kokoro, pitch_of
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
from vivavoce.contracts.errors import EngineFailed, EngineMissing, UnknownName
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.engines.kokoro import Kokoro
from vivavoce.workers.options import EngineOptions, WorkerOptions

pytestmark = pytest.mark.engine

FOX = "The quick brown fox jumps over the lazy dog."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_kokoro(tmp_path_factory.mktemp("kokoro"))


@pytest.fixture(scope="module")
def tts(model: Path) -> Kokoro:
    return Kokoro({"model": str(model), "threads": 1})


@pytest.fixture
def say(tts: Kokoro) -> Callable[..., list]:
    return lambda text, **options: list(tts.open(SynthesisOptions(**options)).speak(text))


@pytest.fixture
def counted(model: Path) -> tuple[Kokoro, CountingSession]:
    """An engine of its own whose calls of the model are counted."""
    engine = Kokoro({"model": str(model), "threads": 1})
    session = CountingSession(engine.model._library.sess)
    engine.model._library.sess = session
    return engine, session


# --- What is said


def test_it_is_a_synthesis_engine(tts: Kokoro) -> None:
    checked: SynthesisEngine = tts
    assert tts.open(SynthesisOptions()).format.rate == checked.capabilities.sample_rate == RATE
    assert {voice.id for voice in checked.capabilities.voices} == set(VOICES)
    assert {"en", "en-us", "en-gb", "es", "fr", "zh"} == set(checked.capabilities.languages)
    assert [voice.gender for voice in checked.capabilities.voices][:2] == ["female", "male"]


def test_the_sound_is_the_phonemes_in_order_and_for_as_long_as_the_model_says(tts: Kokoro, say: Callable[..., list]) -> None:
    text = "Hello, world."
    phonemes = tts.model.phonemes(text, "en-us")
    tokens = [VOCABULARY[name] for name in phonemes if frames_of(name) > 2]
    different = [token for index, token in enumerate(tokens) if not index or token != tokens[index - 1]]
    said = samples(say(text))
    assert melody(said, RATE, list(VOCABULARY.values())) == different
    frames = sum(int(np.ceil(frames_of(name))) for name in phonemes)
    assert said.size == pytest.approx(frames * HOP, abs=4 * HOP)


def test_the_style_of_the_voice_is_used(say: Callable[..., list]) -> None:
    low, high = (np.median(heard(samples(say("mama", voice=voice)), RATE)) for voice in ("af_heart", "am_adam"))
    assert high / low == pytest.approx(pitch_of("am_adam"), rel=0.02)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_spans_tile_the_text(say: Callable[..., list], text: str) -> None:
    assert_tiles(say(text), text)


@pytest.mark.parametrize("text", SILENT_TEXTS)
def test_text_without_a_sound(say: Callable[..., list], text: str) -> None:
    pieces = say(text)
    assert_tiles(pieces, text)
    assert samples(pieces).size < RATE
    assert not samples(pieces).any()


def test_a_change_of_language_is_not_read_aloud(tts: Kokoro) -> None:
    for code, text in (("fr-fr", "Bonjour weekend, how are you"), ("cmn", "你好 hello"), ("hi", "hello"), ("ja", "hello")):
        assert "(" not in tts.model.phonemes(text, code)
    assert "(" in tts.model.phonemes("Smith (who) said", "en-us"), "brackets of the text stay"


def test_silence_around_the_speech_is_cut(say: Callable[..., list]) -> None:
    said = samples(say("Hello."))
    assert np.flatnonzero(np.abs(said) > 300)[0] < 0.03 * RATE
    assert np.abs(said[-int(0.05 * RATE) :]).max() > 300


def test_spans_follow_the_words(say: Callable[..., list]) -> None:
    pieces = say("one extraordinarily two")
    assert all(piece.exact for piece in pieces)
    at = 0
    ends = {}
    for piece in pieces:
        at += len(piece.pcm) // 2
        ends[at] = piece.text_end
    total = at
    half = ends[min(ends, key=lambda moment: abs(moment - total / 2))]
    assert 8 <= half <= 15, "the middle of the sound is in the long word"


def test_a_model_without_durations_estimates(tmp_path: Path) -> None:
    engine = Kokoro({"model": str(make_kokoro(tmp_path, durations=False))})
    pieces = list(engine.open(SynthesisOptions()).speak("Hello there, my dear friend."))
    assert_tiles(pieces, "Hello there, my dear friend.")
    assert not any(piece.exact for piece in pieces)


@pytest.mark.parametrize(("speed", "spoken"), [(0.25, 0.5), (0.5, 0.5), (2.0, 2.0), (4.0, 2.0)])
def test_speed_within_what_the_library_takes(tts: Kokoro, say: Callable[..., list], speed: float, spoken: float) -> None:
    frames = sum(int(np.ceil(frames_of(name) / spoken)) for name in tts.model.phonemes("Hello, world.", "en-us"))
    assert samples(say("Hello, world.", speed=speed)).size == pytest.approx(frames * HOP, abs=4 * HOP)


def test_voices_by_name_and_by_language(tts: Kokoro, model: Path) -> None:
    for language, voice in (("en", "af_heart"), ("en-GB", "bf_emma"), ("en_AU", "af_heart"), ("zh-CN", "zf_xiaobei")):
        assert tts._by_language(language).id == voice
    for options in ({"voice": "nobody"}, {"language": "de"}, {"language": ""}):
        with pytest.raises(UnknownName, match=r"af_heart|en-us"):
            tts.open(SynthesisOptions(**options))
    with pytest.raises(UnknownName):
        Kokoro({"model": str(model), "voice": "nobody"})


# --- Steps


def test_the_first_sound_comes_before_the_rest_is_computed(counted: tuple[Kokoro, CountingSession]) -> None:
    engine, session = counted
    steps = engine.open(SynthesisOptions()).speak(f"{FOX} " * 10)
    next(steps)
    assert len(session.calls) == 1
    assert session.calls[0]["tokens"].shape[1] < 50
    list(steps)
    sizes = [call["tokens"].shape[1] for call in session.calls]
    assert len(sizes) > 4
    assert max(sizes) < 150


def test_pieces_grow_until_the_limit(counted: tuple[Kokoro, CountingSession]) -> None:
    engine, session = counted
    list(engine.open(SynthesisOptions()).speak("on and on it goes " * 30))
    sizes = [call["tokens"].shape[1] for call in session.calls]
    assert sizes[0] <= 40
    assert sizes[0] < sizes[1] < sizes[2]
    assert max(sizes) <= 110
    assert len(sizes) < 12


def test_an_abandoned_job_calls_the_model_no_more(counted: tuple[Kokoro, CountingSession]) -> None:
    engine, session = counted
    job = engine.open(SynthesisOptions())
    steps = job.speak(f"{FOX} " * 10)
    for _ in range(3):
        next(steps)
    del steps
    job.close()
    job.close()
    assert len(session.calls) == 1


@pytest.mark.parametrize("text", ["word " * 400, "x" * 2_000, "1" * 400])
def test_very_long_texts_come_in_bounded_steps(counted: tuple[Kokoro, CountingSession], text: str) -> None:
    engine, session = counted
    pieces, most, before = [], 0, 0
    for piece in engine.open(SynthesisOptions(speed=2.0)).speak(text):
        pieces.append(piece)
        most, before = max(most, len(session.calls) - before), len(session.calls)
    assert_tiles(pieces, text)
    assert most == 1, "one call of the model in a step"
    assert max(call["tokens"].shape[1] for call in session.calls) <= 242
    assert all(len(piece.pcm) <= 2 * 2_400 for piece in pieces)


def test_eight_interleaved_jobs_say_what_they_say_alone(tts: Kokoro) -> None:
    texts = [f"Number {number} is speaking now, and it goes on." for number in range(8)]
    jobs = [(text, VOICES[index % len(VOICES)]) for index, text in enumerate(texts)]
    alone = [list(tts.open(SynthesisOptions(voice=voice)).speak(text)) for text, voice in jobs]
    steps = [tts.open(SynthesisOptions(voice=voice)).speak(text) for text, voice in jobs]
    together: list[list] = [[] for _ in texts]
    waiting = set(range(8))
    while waiting:
        for index in sorted(waiting):
            piece = next(steps[index], None)
            together[index].append(piece) if piece else waiting.discard(index)
    assert together == alone


def test_the_model_is_loaded_late_and_given_back(model: Path) -> None:
    engine = Kokoro({"model": str(model)})
    assert engine._model is None
    assert samples(list(engine.open(SynthesisOptions()).speak("Hello"))).any()
    engine.close()
    assert engine._model is None
    assert samples(list(engine.open(SynthesisOptions()).speak("Hello"))).any()


# --- What can go wrong


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match=r"'model'.*vivavoce models pull"):
        Kokoro({})
    model = make_kokoro(tmp_path)
    voices = (tmp_path / "voices-v1.0.bin").rename(tmp_path / "elsewhere")
    with pytest.raises(EngineMissing, match=r"voices-v1\.0\.bin.*vivavoce models pull"):
        Kokoro({"model": str(model)})
    assert Kokoro({"model": str(model), "voices": str(voices)}).capabilities.voices
    with pytest.raises(EngineMissing, match=r"elsewhere\.bin"):
        Kokoro({"model": str(model), "voices": str(tmp_path / "elsewhere.bin")})
    model.unlink()
    with pytest.raises(EngineMissing, match=r"kokoro-v1\.0\.onnx.*vivavoce models pull"):
        Kokoro({"model": str(model)})


@pytest.mark.parametrize("kept", [0, 100, -300])
def test_damaged_files(tmp_path: Path, kept: int) -> None:
    model = make_kokoro(tmp_path)
    model.write_bytes(model.read_bytes()[:kept])
    with pytest.raises(EngineFailed, match=r"v1\.0\.onnx is damaged.*vivavoce models pull"):
        list(Kokoro({"model": str(model)}).open(SynthesisOptions()).speak("Hello"))
    voices = tmp_path / "voices-v1.0.bin"
    voices.write_bytes(voices.read_bytes()[:kept])
    with pytest.raises(EngineFailed, match=r"voices-v1\.0\.bin.*vivavoce models pull"):
        Kokoro({"model": str(model)})


def test_a_model_of_something_else(tmp_path: Path) -> None:
    from tests.engines.models_piper import make_piper

    model = make_kokoro(tmp_path)
    model.write_bytes(make_piper(tmp_path).read_bytes())
    with pytest.raises(EngineFailed, match="no input called style"):
        list(Kokoro({"model": str(model)}).open(SynthesisOptions()).speak("Hello"))


@pytest.mark.parametrize("shape", [(510, 256), (510, 1, 7), (0, 1, 256)])
def test_voices_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    model = make_kokoro(tmp_path)
    with (tmp_path / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, af_heart=np.zeros(shape, np.float32))
    with pytest.raises(EngineFailed, match="af_heart"):
        list(Kokoro({"model": str(model)}).open(SynthesisOptions()).speak("Hello"))


@pytest.mark.parametrize(("said", "kind", "code"), GPU_ERRORS, ids=[said[:14] for said, _, _ in GPU_ERRORS])
def test_what_a_gpu_says_is_told(tmp_path: Path, said: str, kind: type, code: str) -> None:
    engine = Kokoro({"model": str(make_kokoro(tmp_path))})
    assert list(engine.open(SynthesisOptions()).speak("Hello"))
    session = FailingSession(engine.model.session, runtime.Fail(said))
    engine.model._library.sess = session
    with pytest.raises(EngineFailed) as caught:
        list(engine.open(SynthesisOptions()).speak("Hello"))
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert caught.value.retryable is (code != "engine_failed")
    session.error = None
    assert list(engine.open(SynthesisOptions()).speak("Hello"))
    engine.close()


@pytest.mark.process
def test_a_runtime_that_falls_back_to_the_cpu_by_itself_is_caught(tmp_path: Path) -> None:
    script = f"""
from vivavoce.engines.kokoro import Kokoro
make = lambda device: Kokoro({{'model': {str(make_kokoro(tmp_path))!r}, 'device': device}})"""
    assert_no_silent_fallback(script)


def test_out_of_memory(tmp_path: Path) -> None:
    """While the voice is loaded and while it speaks: an error that may pass, and later it speaks as if nothing had been."""
    model = with_ballast(make_kokoro(tmp_path))
    loading, loaded, speaking, again = starved(f"""
from vivavoce.engines.kokoro import Kokoro
engine = Kokoro({{"model": {str(model)!r}}})""")
    assert (loading, speaking) == ("refused", "refused")
    assert loaded == again
    assert int(loaded) > 10_000


def test_without_the_package() -> None:
    script = """
import sys
sys.modules["kokoro_onnx"] = None
from vivavoce.contracts.errors import EngineMissing
from vivavoce.engines.kokoro import Kokoro
try:
    Kokoro({"model": "x"})
except EngineMissing as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'vivavoce[kokoro]'" in done.stdout


# --- In a worker


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
async def test_laws(law: laws.Law, model: Path) -> None:
    group = WorkerOptions("law", (EngineOptions("tts", "kokoro", {"model": str(model)}),))
    await keep(law, "text_to_speech", "kokoro", group)
