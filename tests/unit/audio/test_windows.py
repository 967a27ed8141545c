"""Where long audio is cut, and what is silence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.windows import FRAME, PAUSE, cut, silent

RATE = 16_000


def loud(seconds: float, level: int = 3_000) -> np.ndarray:
    wave = np.sin(np.arange(round(seconds * RATE)) * 0.3) * level
    return wave.astype(np.int16)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


# --- words


def test_short_audio_is_not_cut() -> None:
    assert cut(loud(2.0), 3 * RATE) == 2 * RATE


def test_it_is_cut_in_the_pause() -> None:
    samples = np.concatenate([loud(2.3), quiet(0.4), loud(3.0)])
    assert 2.3 * RATE <= cut(samples, 3 * RATE) <= 2.7 * RATE


def test_a_pause_outside_the_last_third_does_not_count() -> None:
    samples = np.concatenate([loud(1.0), quiet(0.5), loud(0.9), loud(0.4, 50), loud(3.0)])
    assert 2.4 * RATE <= cut(samples, 3 * RATE) <= 2.8 * RATE


@given(st.integers(1, 40_000), st.integers(1, 20_000), st.integers(0, 2**32 - 1))
def test_every_cut_is_of_some_length_and_never_beyond_the_limit(length: int, limit: int, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-1_000, 1_000, length).astype(np.int16)
    size = cut(samples, limit)
    assert 0 < size <= min(length, limit)
    if length > limit and limit // 3 > (PAUSE + 1) * FRAME:
        assert size > limit // 2


# --- silence


@pytest.mark.parametrize(
    ("samples", "is_silent"),
    [
        (quiet(1.0), True),
        (quiet(0.0), True),
        (loud(1.0), False),
        (np.concatenate([quiet(2.0), loud(0.1, 200)]), False),
        (np.concatenate([quiet(1.0), loud(0.01, 3_000)]), False),
        (loud(1.0, 20), True),
        (np.full(RATE, -32_768, np.int16), False),
    ],
)
def test_silence(samples: np.ndarray, is_silent: bool) -> None:
    assert silent(samples) is is_silent
