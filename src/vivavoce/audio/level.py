"""How loud samples are: RMS and peak in dBFS, clipping; one shot and incremental."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

FLOOR = -96.0
"""dBFS given for silence: below the quantisation step of 16 bits (20·log10(2⁻¹⁶) = −96.3)."""

_FULL_SCALE = 32_768.0
_HIGHEST = 32_767


@dataclass(frozen=True, slots=True)
class Level:
    """Loudness of some samples. A full-scale square wave is 0 dBFS; ``clipped`` counts samples at an end of the range."""

    rms: float
    peak: float
    clipped: int


def rms(pcm: bytes) -> float:
    """RMS of s16le samples in dBFS, FLOOR for silence or nothing. Raises InvalidAudio on half a sample."""
    values = _samples(pcm).astype(np.float32)
    return _decibels(math.sqrt(float(values.dot(values)) / len(values))) if len(values) else FLOOR


def measure(pcm: bytes) -> Level:
    """RMS, peak and clipping of s16le samples. Raises InvalidAudio on half a sample."""
    values = _samples(pcm)
    if not len(values):
        return Level(FLOOR, FLOOR, 0)
    energy, peak, clipped = _figures(values)
    return Level(_decibels(math.sqrt(energy / len(values))), _decibels(peak), clipped)


class LevelMeter:
    """Level of a stream of s16le samples, fed piece by piece.

    ``level`` is the RMS of everything so far, ``recent`` an exponential mean of the power over about ``window`` seconds.
    """

    __slots__ = ("_energy", "_peak", "_recent", "_window", "clipped", "samples")

    def __init__(self, rate: int, window: float = 0.3) -> None:
        self._window = max(1.0, rate * window)
        self._energy = 0.0
        self._recent = 0.0
        self._peak = 0.0
        self.clipped = 0
        self.samples = 0

    def add(self, pcm: bytes) -> None:
        """Feed samples. Raises InvalidAudio on half a sample."""
        values = _samples(pcm)
        count = len(values)
        if not count:
            return
        energy, peak, clipped = _figures(values)
        self._energy += energy
        self._recent += (energy / count - self._recent) * (1.0 - math.exp(-count / self._window))
        self._peak = max(self._peak, peak)
        self.clipped += clipped
        self.samples += count

    @property
    def level(self) -> float:
        """RMS of everything so far, dBFS."""
        return _decibels(math.sqrt(self._energy / self.samples)) if self.samples else FLOOR

    @property
    def recent(self) -> float:
        """RMS of about the last ``window`` seconds, dBFS."""
        return _decibels(math.sqrt(self._recent))

    @property
    def peak(self) -> float:
        """Largest absolute sample so far, dBFS."""
        return _decibels(self._peak)


def _samples(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    if len(pcm) % SAMPLE_WIDTH:
        raise InvalidAudio(f"{len(pcm)} bytes are no whole number of 16-bit samples; send an even number of bytes")
    return np.frombuffer(pcm, "<i2")


def _figures(values: np.ndarray[tuple[int], np.dtype[np.int16]]) -> tuple[float, float, int]:
    """Energy, largest absolute sample and samples at the ends of the range."""
    floats = values.astype(np.float32)
    lowest, highest = int(values.min()), int(values.max())
    clipped = 0
    if highest == _HIGHEST or lowest == -_HIGHEST - 1:
        clipped = int(np.count_nonzero(values == _HIGHEST)) + int(np.count_nonzero(values == -_HIGHEST - 1))
    return float(floats.dot(floats)), float(max(highest, -lowest)), clipped


def _decibels(value: float) -> float:
    return max(FLOOR, 20.0 * math.log10(value / _FULL_SCALE)) if value > 0.0 else FLOOR
