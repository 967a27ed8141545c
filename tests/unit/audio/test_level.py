"""Levels, gain and mixing on known signals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.gain import amplify, fade, mix
from vivavoce.audio.level import FLOOR, LevelMeter, measure, rms
from vivavoce.contracts.errors import InvalidAudio
from vivavoce.testing.speech import silence, speech_like, tone

PCM = st.lists(st.integers(-32_768, 32_767), max_size=200).map(lambda values: np.array(values, "<i2").tobytes())


def test_known_levels() -> None:
    assert rms(b"") == rms(silence(0.1)) == FLOOR
    assert rms(tone(1.0, level=-20)) == pytest.approx(-20, abs=0.01)
    assert rms(speech_like(1.0, level=-30)) == pytest.approx(-30, abs=0.05)
    assert measure(tone(1.0, level=-20)).peak == pytest.approx(-17, abs=0.02)
    assert measure(np.array([-16_384, 10], "<i2").tobytes()).peak == pytest.approx(-6.02, abs=0.01)
    full = measure(np.tile(np.array([32_767, -32_768], "<i2"), 100).tobytes())
    assert full.rms == pytest.approx(0, abs=0.001)
    assert full.clipped == 200


@given(st.lists(PCM, max_size=6))
def test_a_meter_fed_in_pieces_says_what_one_look_says(pieces: list[bytes]) -> None:
    meter = LevelMeter(16_000)
    for piece in pieces:
        meter.add(piece)
    whole = measure(b"".join(pieces))
    assert meter.level == pytest.approx(whole.rms, abs=0.01)
    assert meter.peak == whole.peak
    assert meter.clipped == whole.clipped
    assert meter.samples == sum(map(len, pieces)) // 2


def test_a_meter_forgets_what_is_long_past() -> None:
    meter = LevelMeter(16_000)
    meter.add(tone(1.0))
    assert meter.recent == pytest.approx(-20, abs=0.5)
    meter.add(silence(3.0))
    assert meter.recent < -50
    assert meter.level > -30


@given(PCM, PCM, st.floats(0, 100))
def test_gain_limits_and_never_wraps(one: bytes, other: bytes, factor: float) -> None:
    values, added = (np.frombuffer(pcm, "<i2").astype(float) for pcm in (one, other))
    louder = np.frombuffer(amplify(one, factor), "<i2")
    np.testing.assert_allclose(louder, np.clip(values * factor, -32_768, 32_767), atol=0.51, rtol=1e-6)
    total = np.zeros(max(len(values), len(added)))
    total[: len(values)] += values
    total[: len(added)] += added
    assert np.array_equal(np.frombuffer(mix(one, other), "<i2"), np.clip(total, -32_768, 32_767))


def test_fades_join_without_a_step() -> None:
    flat = np.full(1_000, 10_000, "<i2").tobytes()
    faded = np.frombuffer(fade(flat, 0.0, 0.5) + fade(flat, 0.5, 1.0), "<i2").astype(int)
    assert faded[0] == 0
    assert faded[-1] == pytest.approx(10_000, abs=11)
    assert set(np.diff(faded)) <= {4, 5, 6}


def test_half_a_sample_is_refused() -> None:
    for use in (rms, measure, LevelMeter(16_000).add, lambda pcm: amplify(pcm, 2), lambda pcm: mix(pcm, b"")):
        with pytest.raises(InvalidAudio):
            use(b"abc")
