"""Model files and recorded speech for engine tests."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.conftest import require
from vivavoce.services.models import directory, locate

MODELS = directory("")


@pytest.fixture
def model() -> Callable[[str], str]:
    """Path of a model's file (``vivavoce models pull``, which ``setup.sh`` does, brings it)."""

    def find(name: str) -> str:
        path = locate(name, MODELS)
        require(path, f"the model {name} is not in {MODELS}: vivavoce models pull {name}")
        return str(path)

    return find


@pytest.fixture
def recording(speech: Path) -> Callable[[str], bytes]:
    """A recording as HEARING PCM."""

    def read(name: str) -> bytes:
        with wave.open(str(speech / name)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            rate = file.getframerate()
        return samples.tobytes() if rate == 16_000 else soxr.resample(samples, rate, 16_000).astype("<i2").tobytes()

    return read
