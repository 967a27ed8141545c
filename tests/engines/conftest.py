"""Recorded speech for the tests of optional engines."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr


@pytest.fixture
def recording(speech: Path) -> Callable[[str], bytes]:
    """A recording as HEARING PCM."""

    def read(name: str) -> bytes:
        with wave.open(str(speech / name)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            rate = file.getframerate()
        return samples.tobytes() if rate == 16_000 else soxr.resample(samples, rate, 16_000).astype("<i2").tobytes()

    return read
