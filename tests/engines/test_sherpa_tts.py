"""Speaking with sherpa-onnx: the real library, voices made of tones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.conftest import ROOT
from tests.engines.models_sherpa_tts import (
    FRAMES,
    HOP,
    RATE,
    TOKENS,
    WORDS,
    make_sherpa_kitten,
    make_sherpa_kokoro,
    make_sherpa_matcha,
    make_sherpa_vits,
)
from tests.engines.tones import heard, melody
from tests.engines.voices import ODD_TEXTS, SILENT_TEXTS, assert_tiles, samples, starved, with_ballast
from tests.laws import laws
from tests.laws.test_workers import keep
from vivavoce.contracts.engines import SynthesisEngine
from vivavoce.contracts.errors import EngineFailed, EngineMissing, UnknownName
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.engines.sherpa_tts import SherpaTts
from vivavoce.workers.options import EngineOptions, WorkerOptions

pytestmark = pytest.mark.engine

FOX = "The quick brown fox jumps over the lazy dog."


class CountingTts:
    """The library's object, its calls counted."""

    def __init__(self, tts: Any) -> None:
        self._tts = tts
        self.texts: list[str] = []

    def generate(self, text: str, speaker: int, speed: float) -> Any:
        self.texts.append(text)
        return self._tts.generate(text, speaker, speed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sherpa_vits(tmp_path_factory.mktemp("sherpa") / "vits-tones-en_US")


@pytest.fixture(scope="module")
def tts(folder: Path) -> SherpaTts:
    return SherpaTts({"model": str(folder)})


@pytest.fixture
def say(tts: SherpaTts) -> Callable[..., list]:
    return lambda text, **options: list(tts.open(SynthesisOptions(**options)).speak(text))


@pytest.fixture
def counted(folder: Path) -> tuple[SherpaTts, CountingTts]:
    engine = SherpaTts({"model": str(folder)})
    list(engine.open(SynthesisOptions()).speak("yes"))
    engine._tts = CountingTts(engine._tts)
    return engine, engine._tts


# --- What is said


def test_it_is_a_synthesis_engine(tts: SherpaTts) -> None:
    checked: SynthesisEngine = tts
    assert tts.open(SynthesisOptions()).format.rate == checked.capabilities.sample_rate == RATE
    assert [voice.id for voice in checked.capabilities.voices] == ["vits-tones-en_US"]
    assert checked.capabilities.languages == ("en",)


def test_the_sound_is_the_letters_of_the_lexicon_in_order(say: Callable[..., list]) -> None:
    said = samples(say("good morning fox"))
    letters = "goodmorningfox"
    different = [letter for index, letter in enumerate(letters) if not index or letter != letters[index - 1]]
    assert [TOKENS[token] for token in melody(said, RATE, range(8, len(TOKENS)))] == different
    assert said.size == pytest.approx((len(letters) * (np.ceil(FRAMES) + 1) + 2 * 4) * HOP, abs=6 * HOP)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_spans_tile_the_text(say: Callable[..., list], text: str) -> None:
    pieces = say(text)
    assert_tiles(pieces, text)
    assert not any(piece.exact for piece in pieces)


@pytest.mark.parametrize("text", [*SILENT_TEXTS, "unheard-of"])
def test_text_without_a_sound(say: Callable[..., list], text: str) -> None:
    pieces = say(text)
    assert_tiles(pieces, text)
    assert samples(pieces).size < RATE
    assert not samples(pieces).any()


def test_words_the_lexicon_lacks_are_left_out(say: Callable[..., list]) -> None:
    assert samples(say("yes antidisestablishment no")).size == pytest.approx(samples(say("yes no")).size, abs=8 * HOP)


def test_pieces_of_one_job_are_kept_apart(tts: SherpaTts) -> None:
    job = tts.open(SynthesisOptions())
    list(job.speak("Hello there."))
    second = samples(list(job.speak("How are you?")))
    alone = samples(list(tts.open(SynthesisOptions()).speak("How are you?")))
    assert second.size - alone.size == pytest.approx(0.29 * RATE, abs=2)


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed(say: Callable[..., list], speed: float) -> None:
    letters = len("helloeverybody")
    expected = letters * (np.ceil(FRAMES / speed) + np.ceil(0.4 / speed)) * HOP
    assert samples(say("hello everybody", speed=speed)).size == pytest.approx(expected, rel=0.15)


def test_speakers(tmp_path: Path) -> None:
    engine = SherpaTts({"model": str(make_sherpa_vits(tmp_path / "many", speakers=3))})
    assert [voice.id for voice in engine.capabilities.voices] == ["many#0", "many#1", "many#2"]
    pitch = {
        voice: np.median(heard(samples(list(engine.open(SynthesisOptions(voice=voice)).speak("fox"))), RATE))
        for voice in ("", "many", "0", "many#2", "2")
    }
    assert pitch[""] == pitch["many"] == pitch["0"]
    assert pitch["many#2"] == pitch["2"] == pytest.approx(1.5**2 * pitch[""], rel=0.02)
    with pytest.raises(UnknownName, match="many#1"):
        engine.open(SynthesisOptions(voice="3"))
    with pytest.raises(UnknownName):
        SherpaTts({"model": str(tmp_path / "many"), "voice": "nobody"})


@pytest.mark.parametrize(("make", "family"), [(make_sherpa_kokoro, "kokoro"), (make_sherpa_kitten, "kitten")])
def test_voices_with_styles(tmp_path: Path, make: Callable[[Path], Path], family: str) -> None:
    engine = SherpaTts({"model": str(make(tmp_path / "styled"))})
    assert engine.folder.family == family
    assert engine.capabilities.languages == ("en", "en-us")
    said = samples(list(engine.open(SynthesisOptions(voice="low")).speak("good fox")))
    assert [TOKENS[token] for token in melody(said, RATE, range(8, len(TOKENS)))] == ["g", "o", "d", "f", "o", "x"]
    high = samples(list(engine.open(SynthesisOptions(voice="styled#high")).speak("good fox")))
    assert np.median(heard(high, RATE)) == pytest.approx(1.5 * np.median(heard(said, RATE)), rel=0.03)


def test_a_matcha_voice(tmp_path: Path) -> None:
    engine = SherpaTts({"model": str(make_sherpa_matcha(tmp_path / "matcha"))})
    assert engine.folder.family == "matcha"
    said = samples(list(engine.open(SynthesisOptions()).speak("good fox")))
    assert [TOKENS[token] for token in melody(said, RATE, range(8, len(TOKENS)))] == ["g", "o", "d", "f", "o", "x"]


@pytest.mark.parametrize(
    ("vocoder", "complaint"),
    [({"sample_rate": "16000"}, "model_type"), ({"model_type": "hifigan"}, "22050 Hz"), ({"model_type": "other"}, "other")],
)
def test_a_vocoder_that_would_crash_the_library(tmp_path: Path, vocoder: dict[str, str], complaint: str) -> None:
    with pytest.raises(EngineFailed, match=rf"hifigan_v2\.onnx.*{complaint}"):
        SherpaTts({"model": str(make_sherpa_matcha(tmp_path / "matcha", vocoder))})


def test_a_vocoder_that_does_not_tell_its_rate(tmp_path: Path) -> None:
    voice = make_sherpa_matcha(tmp_path / "matcha", {"model_type": "hifigan"}, sample_rate="22050")
    engine = SherpaTts({"model": str(voice)})
    assert engine.open(SynthesisOptions()).format.rate == 22_050
    assert samples(list(engine.open(SynthesisOptions()).speak("good fox"))).any()


def test_a_piper_voice_with_a_lexicon(tmp_path: Path) -> None:
    from tests.engines.models_piper import IDS, make_piper

    model = make_piper(tmp_path)
    voice = onnx.load(model)
    facts = {"model_type": "vits", "comment": "piper", "language": "English", "voice": "en-us", "has_espeak": "1"}
    for key, value in (facts | {"n_speakers": "1", "sample_rate": "22050", "add_blank": "1"}).items():
        voice.metadata_props.add(key=key, value=value)
    onnx.save(voice, model)
    (tmp_path / "tokens.txt").write_text("".join(f"{name} {ids[0]}\n" for name, ids in IDS.items()), encoding="utf-8")
    (tmp_path / "lexicon.txt").write_text("fox f ɑː k s\n".replace("ɑː", "ɑ ː"), encoding="utf-8")
    said = samples(list(SherpaTts({"model": str(model)}).open(SynthesisOptions()).speak("fox")))
    ids = [numbers[0] for numbers in IDS.values()]
    assert melody(said, 22_050, ids) == [IDS[name][0] for name in "fɑks"]


def test_the_language_of_the_voice(tmp_path: Path, tts: SherpaTts) -> None:
    for changed, name, setting, tag in (
        ({"language": "German"}, "a", "", "de"),
        ({"language": "xx"}, "vits-piper-fr_FR-siwis", "", "fr-fr"),
        ({"language": "English", "voice": "en-gb"}, "c", "", "en-gb"),
        ({"language": "English"}, "d", "pl", "pl"),
    ):
        voice = make_sherpa_vits(tmp_path / name, **changed)
        engine = SherpaTts({"model": str(voice), "language": setting})
        assert engine.capabilities.languages[-1] == tag
        engine.open(SynthesisOptions(language=tag.upper()))
        with pytest.raises(UnknownName, match=tag):
            engine.open(SynthesisOptions(language="ja"))


# --- Steps


def test_the_first_sound_comes_before_the_rest_is_computed(counted: tuple[SherpaTts, CountingTts]) -> None:
    engine, calls = counted
    steps = engine.open(SynthesisOptions()).speak(f"{FOX} " * 10)
    next(steps)
    assert len(calls.texts) == 1
    assert len(calls.texts[0]) <= 40
    list(steps)
    assert len(calls.texts) > 5


def test_an_abandoned_job_calls_the_library_no_more(counted: tuple[SherpaTts, CountingTts]) -> None:
    engine, calls = counted
    job = engine.open(SynthesisOptions())
    steps = job.speak(f"{FOX} " * 10)
    for _ in range(3):
        next(steps)
    del steps
    job.close()
    job.close()
    assert len(calls.texts) == 1


@pytest.mark.parametrize("text", ["word " * 400, "x" * 2_000, "1" * 400])
def test_very_long_texts_come_in_bounded_steps(counted: tuple[SherpaTts, CountingTts], text: str) -> None:
    engine, calls = counted
    pieces, most, before = [], 0, 0
    for piece in engine.open(SynthesisOptions()).speak(text):
        pieces.append(piece)
        most, before = max(most, len(calls.texts) - before), len(calls.texts)
    assert_tiles(pieces, text)
    assert most == 1
    assert max(map(len, calls.texts)) <= 80
    assert all(len(piece.pcm) <= 2 * 1_600 for piece in pieces)


def test_eight_interleaved_jobs_say_what_they_say_alone(tts: SherpaTts) -> None:
    words = WORDS.split()
    texts = [f"{words[index]} number {words[index + 9]} is speaking now, and it goes on and on." for index in range(8)]
    alone = [list(tts.open(SynthesisOptions(speed=1 + index / 8)).speak(text)) for index, text in enumerate(texts)]
    steps = [tts.open(SynthesisOptions(speed=1 + index / 8)).speak(text) for index, text in enumerate(texts)]
    together: list[list] = [[] for _ in texts]
    waiting = set(range(8))
    while waiting:
        for index in sorted(waiting):
            piece = next(steps[index], None)
            together[index].append(piece) if piece else waiting.discard(index)
    assert together == alone


def test_the_model_is_loaded_late_and_given_back(folder: Path) -> None:
    engine = SherpaTts({"model": str(folder / "model.onnx")})
    for _ in range(2):
        assert engine._tts is None
        assert samples(list(engine.open(SynthesisOptions()).speak("hello"))).any()
        engine.close()


# --- What can go wrong: the library itself would end the process for most of it


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(EngineMissing, match="vivavoce models pull"):
        SherpaTts({})
    with pytest.raises(EngineMissing, match=r"\*\.onnx.*vivavoce models pull"):
        SherpaTts({"model": str(tmp_path / "nowhere")})
    voice = make_sherpa_vits(tmp_path / "voice")
    (voice / "tokens.txt").unlink()
    with pytest.raises(EngineMissing, match=r"tokens\.txt.*vivavoce models pull"):
        SherpaTts({"model": str(voice)})
    kokoro = make_sherpa_kokoro(tmp_path / "kokoro")
    (kokoro / "voices.bin").unlink()
    with pytest.raises(EngineMissing, match=r"voices\.bin"):
        SherpaTts({"model": str(kokoro)})
    matcha = make_sherpa_matcha(tmp_path / "matcha")
    (matcha / "hifigan_v2.onnx").unlink()
    with pytest.raises(EngineMissing, match="vocoder"):
        SherpaTts({"model": str(matcha)})


@pytest.mark.parametrize("make", [make_sherpa_vits, make_sherpa_kokoro])
def test_a_voice_that_needs_phonemes_says_what_to_do(tmp_path: Path, make: Callable[..., Path]) -> None:
    with pytest.raises(EngineMissing, match=r"phonemes.*lexicon\.txt.*piper or kokoro"):
        SherpaTts({"model": str(make(tmp_path / "voice", lexicon=False))})


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"sample_rate": None}, "sample_rate"),
        ({"sample_rate": "0"}, "sample_rate"),
        ({"sample_rate": "abc"}, "sample_rate"),
        ({"n_speakers": None}, "n_speakers"),
        ({"n_speakers": "x"}, "n_speakers"),
        ({"language": None}, "language"),
        ({"comment": None}, "comment"),
        ({"model_type": "kitten"}, "style_dim"),
    ],
)
def test_metadata_that_would_end_the_process(tmp_path: Path, changed: dict[str, str | None], complaint: str) -> None:
    with pytest.raises(EngineFailed, match=complaint) as caught:
        SherpaTts({"model": str(make_sherpa_vits(tmp_path / "voice", **changed))})
    assert "model.onnx" in str(caught.value)


@pytest.mark.parametrize("key", ["use_eos_bos", "pad_id"])
def test_metadata_of_matcha_that_would_end_the_process(tmp_path: Path, key: str) -> None:
    with pytest.raises(EngineFailed, match=key):
        SherpaTts({"model": str(make_sherpa_matcha(tmp_path / "voice", **{key: None}))})


@pytest.mark.parametrize("shape", ["510,1", "510,2,256", "1,1,256", "a,b,c"])
def test_voices_that_do_not_fit(tmp_path: Path, shape: str) -> None:
    with pytest.raises(EngineFailed, match=r"style_dim|voices\.bin"):
        SherpaTts({"model": str(make_sherpa_kokoro(tmp_path / "voice", style_dim=shape))})


@pytest.mark.parametrize("kept", [0, 1, 100, -300])
def test_a_damaged_model(tmp_path: Path, kept: int) -> None:
    voice = make_sherpa_vits(tmp_path / "voice")
    model = voice / "model.onnx"
    model.write_bytes(model.read_bytes()[:kept])
    with pytest.raises(EngineFailed, match=r"model\.onnx.*vivavoce models pull"):
        SherpaTts({"model": str(voice)})


def test_a_model_the_runtime_refuses(tmp_path: Path) -> None:
    voice = make_sherpa_vits(tmp_path / "voice")
    model = onnx.load(voice / "model.onnx")
    model.graph.node[3].op_type = "Nonsense"
    onnx.save(model, voice / "model.onnx")
    with pytest.raises(EngineFailed, match=r"model\.onnx.*Nonsense"):
        list(SherpaTts({"model": str(voice)}).open(SynthesisOptions()).speak("hello"))


def test_an_unknown_device(folder: Path) -> None:
    with pytest.raises(EngineFailed, match="abacus"):
        SherpaTts({"model": str(folder), "device": "abacus"})


def test_out_of_memory(tmp_path: Path) -> None:
    """While the voice is loaded and while it speaks: an error that may pass, and later it speaks as if nothing had been."""
    model = with_ballast(make_sherpa_vits(tmp_path / "voice") / "model.onnx")
    loading, loaded, speaking, again = starved(f"""
from vivavoce.engines.sherpa_tts import SherpaTts
engine = SherpaTts({{"model": {str(model)!r}}})""")
    assert (loading, speaking) == ("refused", "refused")
    assert loaded == again
    assert int(loaded) > 10_000


def test_without_the_package() -> None:
    script = """
import sys
sys.modules["sherpa_onnx"] = None
from vivavoce.contracts.errors import EngineMissing
from vivavoce.engines.sherpa_tts import SherpaTts
try:
    SherpaTts({"model": "x"})
except EngineMissing as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'vivavoce[sherpa]'" in done.stdout


# --- In a worker


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
async def test_laws(law: laws.Law, folder: Path) -> None:
    group = WorkerOptions("law", (EngineOptions("tts", "sherpa-tts", {"model": str(folder)}),))
    await keep(law, "text_to_speech", "sherpa-tts", group)
