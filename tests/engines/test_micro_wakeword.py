"""microWakeWord with its own models and recordings of its words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.laws import laws, waking
from tests.laws.test_workers import keep
from vivavoce.contracts.engines import WakeWordEngine
from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing, InvalidAudio, Overloaded, UnknownName
from vivavoce.contracts.speech import WakeWord
from vivavoce.engines import micro_wakeword
from vivavoce.engines.micro_wakeword import MicroWakeWords
from vivavoce.workers.options import EngineOptions, WorkerOptions

pytestmark = pytest.mark.engine
Read = Callable[[str], bytes]
WORDS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")
SPOKEN = [(word, f"wakeword/{word}_{take}.wav") for word in WORDS for take in (1, 2, 3)]
PAUSE = bytes(2 * 8_000)


@pytest.fixture
def engine() -> Iterator[MicroWakeWords]:
    require(micro_wakeword.pymicro_wakeword, "pymicro-wakeword is not installed: pip install 'vivavoce[wakeword]'")
    engine = MicroWakeWords({})
    yield engine
    engine.close()


def listen(engine: MicroWakeWords, pcm: bytes, step: int, *words: str) -> list[WakeWord]:
    """Everything recognised in ``pcm``, handed over in pieces of ``step`` samples."""
    stream = engine.open(words)
    try:
        return [word for at in range(0, len(pcm), 2 * step) for word in stream.send(pcm[at : at + 2 * step])]
    finally:
        stream.close()


def test_it_says_what_words_it_has(engine: MicroWakeWords) -> None:
    checked: WakeWordEngine = engine
    assert checked.capabilities.words == WORDS
    assert checked.capabilities.licence == "Apache-2.0"


@pytest.mark.parametrize(("word", "name"), SPOKEN, ids=[name for _, name in SPOKEN])
def test_every_recording_is_recognised_however_it_is_cut(
    engine: MicroWakeWords, recording: Read, word: str, name: str
) -> None:
    pcm = recording(name) + PAUSE
    heard = listen(engine, pcm, 320)
    assert heard[0].word == word
    assert {other.word for other in heard} == {word}
    assert 0 < heard[0].at < len(pcm) // 2
    for step in (1, 7, 16_000, len(pcm) // 2):
        assert listen(engine, pcm, step) == heard


@pytest.mark.parametrize("name", ["alexa_1", "alexa_2", "alexa_3", "hey_jarvis_3", "okay_nabu_1"])
def test_the_position_is_near_the_end_of_the_word(engine: MicroWakeWords, recording: Read, name: str) -> None:
    """Recordings that end in silence: the last sound within 25 dB of the loudest is the end of the word."""
    pcm = recording(f"wakeword/{name}.wav")
    ends = [at for at in range(0, len(pcm) - 320, 320) if _loudness(pcm[at : at + 320]) > _loudest(pcm) / 18]
    (heard,) = listen(engine, pcm + PAUSE, 320, name.rpartition("_")[0])
    assert -0.12 <= (heard.at - ends[-1] / 2) / 16_000 <= 0.15


def _loudness(pcm: bytes) -> float:
    samples = memoryview(pcm).cast("h")
    return float((sum(sample * sample for sample in samples) / len(samples)) ** 0.5)


def _loudest(pcm: bytes) -> float:
    return max(_loudness(pcm[at : at + 320]) for at in range(0, len(pcm) - 320, 320))


def test_other_words_are_not_recognised(engine: MicroWakeWords, recording: Read) -> None:
    assert listen(engine, recording("wakeword/negative_hey_peppa_pig.wav") + PAUSE, 320) == []


def test_a_minute_and_more_of_other_speech_wakes_nobody(engine: MicroWakeWords, recording: Read) -> None:
    names = ("two_cities_16k", "jfk", "librispeech_1088-134315-0000", "LJ001-0001", "LJ001-0003", "librivox_sense_0870")
    pcm = PAUSE.join(recording(f"en/{name}.wav") for name in names)
    assert len(pcm) // 2 > 80 * 16_000
    assert listen(engine, pcm, 1_600) == []


def test_a_word_is_told_once_and_again_when_it_is_said_again(engine: MicroWakeWords, recording: Read) -> None:
    once = recording("wakeword/hey_mycroft_1.wav") + PAUSE
    heard = listen(engine, once + once, 320)
    assert [word.word for word in heard] == ["hey_mycroft", "hey_mycroft"]
    assert heard[1].at - heard[0].at == pytest.approx(len(once) // 2, abs=800)


def test_the_refractory_time_is_kept(recording: Read) -> None:
    once = recording("wakeword/alexa_1.wav")
    patient = MicroWakeWords({"refractory": 5.0})
    assert len(listen(patient, once * 2, 320)) == 1
    assert len(listen(patient, once * 4, 320)) == 2
    patient.close()


def test_only_the_words_wanted_are_listened_for(engine: MicroWakeWords, recording: Read) -> None:
    pcm = recording("wakeword/alexa_1.wav") + recording("wakeword/okay_nabu_2.wav") + PAUSE
    assert [word.word for word in listen(engine, pcm, 320)] == ["alexa", "okay_nabu"]
    assert [word.word for word in listen(engine, pcm, 320, "okay_nabu")] == ["okay_nabu"]
    with pytest.raises(UnknownName, match="hey_jarvis"):
        engine.open(["computer"])


def test_a_closed_stream_leaves_nothing_for_the_next(engine: MicroWakeWords, recording: Read) -> None:
    """Interpreters are used again: most of a word in one stream and the rest in the next are none."""
    pcm = recording("wakeword/hey_jarvis_1.wav") + PAUSE
    whole = listen(engine, pcm, 320, "hey_jarvis")
    cut = 2 * (whole[0].at * 4 // 5)
    assert listen(engine, pcm[:cut], 320, "hey_jarvis") == []
    assert listen(engine, pcm[cut:], 320, "hey_jarvis") == []
    assert listen(engine, pcm, 320, "hey_jarvis") == whole


def test_streams_side_by_side_do_not_mix(engine: MicroWakeWords, recording: Read) -> None:
    one, other = recording("wakeword/alexa_1.wav") + PAUSE, recording("wakeword/hey_jarvis_1.wav") + PAUSE
    streams = [engine.open([]), engine.open([])]
    heard: list[list[WakeWord]] = [[], []]
    for at in range(0, min(len(one), len(other)), 640):
        for stream, pcm, words in zip(streams, (one, other), heard, strict=True):
            words.extend(stream.send(pcm[at : at + 640]))
    for stream in streams:
        stream.close()
    assert [[word.word for word in words] for words in heard] == [["alexa"], ["hey_jarvis"]]


def test_streams_are_bounded_and_given_back() -> None:
    engine = MicroWakeWords({"streams": 2})
    first, second = engine.open(["alexa"]), engine.open(["alexa"])
    with pytest.raises(Overloaded, match="streams"):
        engine.open(["alexa"])
    first.close()
    first.close()
    engine.open(["alexa"]).close()
    second.close()
    with pytest.raises(EngineFailed):
        second.send(bytes(320))
    engine.close()


def test_half_a_sample_is_refused(engine: MicroWakeWords) -> None:
    stream = engine.open(["alexa"])
    with pytest.raises(InvalidAudio):
        stream.send(bytes(3))
    assert list(stream.send(b"")) == []
    stream.close()


def test_a_model_of_ones_own(engine: MicroWakeWords, recording: Read, tmp_path: Path) -> None:
    models = Path(micro_wakeword.pymicro_wakeword.__file__).parent / "models"
    own = tmp_path / "wake_up.tflite"
    shutil.copy(models / "hey_jarvis.tflite", own)
    with pytest.raises(EngineMissing, match=r"wake_up\.json"):
        MicroWakeWords({"models": str(own)})
    description = json.loads((models / "hey_jarvis.json").read_text()) | {"model": own.name}
    own.with_suffix(".json").write_text(json.dumps(description))
    mine = MicroWakeWords({"models": str(own)})
    assert "wake_up" in mine.capabilities.words
    pcm = recording("wakeword/hey_jarvis_1.wav") + PAUSE
    assert [word.word for word in listen(mine, pcm, 320, "wake_up")] == ["wake_up"]
    mine.close()
    own.with_suffix(".json").write_text("{}")
    with pytest.raises(ConfigurationError, match="description"):
        MicroWakeWords({"models": str(own)})


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineMissing, match="not there"):
        MicroWakeWords({"models": str(tmp_path / "none.tflite")})
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"this is no model")
    with pytest.raises(ConfigurationError, match="no TensorFlow Lite model"):
        MicroWakeWords({"models": str(bad)})
    monkeypatch.setattr(micro_wakeword, "pymicro_wakeword", None)
    with pytest.raises(EngineMissing, match="pip install"):
        MicroWakeWords({})


GROUP = WorkerOptions("law", (EngineOptions("wake", "micro_wakeword"),))


@pytest.mark.process
@pytest.mark.real_time
@pytest.mark.parametrize("law", waking.WAKE_WORDS, ids=laws.name)
async def test_the_laws_in_a_worker(law: waking.Law, call: bytes) -> None:
    await keep(lambda port: law(port, "hey_mycroft", call), "wake_words", "micro_wakeword", GROUP)


@pytest.fixture
def call(recording: Read) -> bytes:
    """One word, spoken alone."""
    return recording("wakeword/hey_mycroft_1.wav")
