"""A cheap gate in front of a voice activity model: frames that cannot be speech are not worth running.

The gate of a stream opens when a frame is louder than its noise floor by a margin, and closes after a hang-over. The
floor follows a quieter frame at once and rises slowly otherwise (minimum tracking). Many streams are judged in one call.

Measured with Silero v6 on 237 s of recorded speech and pauses at 0, -22 and -34 dB, clean and in white noise of -75 to
-40 dBFS: half of the frames are not run in noise up to -45 dBFS; onsets are found 2–40 ms *earlier* in the mean than
without a gate; F1 moves from 0.9998 to 0.996 for clear speech in silence and rises for faint speech (0.945 to 0.972 at
-22 dB, 0.79 to 0.88 at -34 dB), because the model's state dulls in long silence while here it waits as it was. Clearing
the state when the gate opens delays onsets by up to 200 ms; a margin of 6 dB loses F1 for faint speech in noise; a fixed
gate at -55 dBFS loses faint speech altogether.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.level import FLOOR

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]

_SILENCE = 10 ** (FLOOR / 10)
_MARGIN = 3.0
_RISE = 0.02
"""dB per frame of 32 ms: 0.6 dB/s, so that a long sentence does not become its own floor."""
_ALWAYS_OPEN = -40.0
_FIRST_FLOOR = -50.0
_HANG = 8
"""Quiet frames that still pass: 256 ms, for the model to see the end of speech."""


def levels(frames: Floats) -> Floats:
    """dBFS of each row of ``frames`` [n, samples] in -1…1; digital silence is FLOOR."""
    power = np.einsum("ij,ij->i", frames, frames) / np.float32(frames.shape[1])
    return np.asarray(10.0 * np.log10(power + _SILENCE), dtype=np.float32)


class EnergyGate:
    """The gates of ``slots`` streams; a frame below ``threshold`` dBFS never passes, with FLOOR or less all do."""

    def __init__(self, threshold: float, slots: int) -> None:
        self._threshold = threshold
        self._floor = np.full(slots, _FIRST_FLOOR, np.float32)
        self._quiet = np.zeros(slots, np.int64)

    def grow(self, slots: int) -> None:
        """Make room for ``slots`` streams; those there keep their state."""
        more = slots - self._floor.size
        self._floor = np.concatenate([self._floor, np.full(more, _FIRST_FLOOR, np.float32)])
        self._quiet = np.concatenate([self._quiet, np.zeros(more, np.int64)])

    def reset(self, slot: int) -> None:
        """Forget the past of a stream: its gate is open."""
        self._floor[slot] = _FIRST_FLOOR
        self._quiet[slot] = 0

    def judge(self, slots: Indices, loudness: Floats) -> tuple[Mask, Mask]:
        """For one frame of each of several different slots: which pass, and which of these opened just now."""
        if self._threshold <= FLOOR:
            return np.ones(slots.size, np.bool_), np.zeros(slots.size, np.bool_)
        floor = np.minimum(self._floor[slots] + _RISE, loudness)
        loud = loudness > np.maximum(self._threshold, np.minimum(floor + _MARGIN, _ALWAYS_OPEN))
        closed = self._quiet[slots] > _HANG
        quiet = np.where(loud, 0, self._quiet[slots] + 1)
        self._floor[slots] = floor
        self._quiet[slots] = quiet
        passing = quiet <= _HANG
        return passing, passing & closed
