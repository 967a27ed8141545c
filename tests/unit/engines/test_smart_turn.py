"""smart-turn with the real model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import require
from vivavoce.contracts.engines import TurnEngine
from vivavoce.contracts.errors import EngineMissing, InvalidAudio
from vivavoce.engines import smart_turn
from vivavoce.engines.smart_turn import SmartTurn

pytestmark = pytest.mark.engine
PAUSE = bytes(2 * 1_600)


@pytest.fixture
def engine(model: Callable[[str], str]) -> SmartTurn:
    require(smart_turn.onnxruntime, "onnxruntime is not installed: pip install 'vivavoce[builtin]'")
    return SmartTurn({"model": model("smart-turn")})


def test_whole_sentences_score_above_broken_ones(engine: SmartTurn, recording: Callable[[str], bytes]) -> None:
    whole, broken = [], []
    for clip in ("en/LJ001-0005.wav", "en/LJ001-0009.wav", "en/librivox_sense_0870.wav", "en/librivox_sense_0920.wav"):
        pcm = recording(clip)
        whole.append(engine.score(pcm))
        broken.append(engine.score(pcm[: int(len(pcm) * 0.55) // 2 * 2] + PAUSE))
    assert min(whole) > 0.5
    assert max(broken) < 0.5


def test_scores_are_probabilities_and_repeatable(engine: SmartTurn, recording: Callable[[str], bytes]) -> None:
    checked: TurnEngine = engine
    speech = recording("en/jfk.wav")
    noise = np.random.default_rng(1).integers(-32_768, 32_767, 16_000).astype("<i2").tobytes()
    for pcm in (speech, speech[:2], speech[: 2 * 300], PAUSE, bytes(2 * 128_000), noise, b"\xff\x7f" * 200_000):
        score = checked.score(pcm)
        assert 0.0 <= score <= 1.0
        assert checked.score(pcm) == score


def test_only_the_last_eight_seconds_count(engine: SmartTurn, recording: Callable[[str], bytes]) -> None:
    pcm = recording("en/two_cities_16k.wav")[: 2 * 16_000 * 12]
    assert engine.score(pcm) == engine.score(pcm[-2 * 16_000 * 8 :])


def test_threads_do_not_change_the_score(
    engine: SmartTurn, model: Callable[[str], str], recording: Callable[[str], bytes]
) -> None:
    pcm = recording("en/jfk.wav")
    assert SmartTurn({"model": model("smart-turn"), "threads": 2}).score(pcm) == pytest.approx(engine.score(pcm), abs=1e-3)


@pytest.mark.parametrize("pcm", [b"", b"\0", bytes(3)])
def test_broken_audio(engine: SmartTurn, pcm: bytes) -> None:
    with pytest.raises(InvalidAudio):
        engine.score(pcm)


def test_mel_bands_have_equal_area_and_rise() -> None:
    bands = smart_turn._mel_bands()
    assert bands.shape == (80, 201)
    assert bands.min() >= 0.0
    peaks = bands.argmax(axis=1)
    assert (np.diff(peaks) >= 0).all()
    wide = bands[40:]  # narrow bands fall between the bins of the spectrum
    assert wide.sum(axis=1) * 40.0 == pytest.approx(np.ones(len(wide)), rel=0.1)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineMissing, match="vivavoce models pull smart-turn"):
        SmartTurn({"model": str(tmp_path / "none.onnx")})
    (tmp_path / "bad.onnx").write_bytes(b"this is no model")
    with pytest.raises(EngineMissing, match="vivavoce models pull smart-turn"):
        SmartTurn({"model": str(tmp_path / "bad.onnx")})
    monkeypatch.setattr(smart_turn, "onnxruntime", None)
    with pytest.raises(EngineMissing, match="pip install"):
        SmartTurn({"model": str(tmp_path / "bad.onnx")})
