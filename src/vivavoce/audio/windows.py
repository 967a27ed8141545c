"""Long audio in windows a recogniser can read at once: cut in the quietest pause, and silence told from sound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vivavoce.contracts.audio import HEARING

FRAME = HEARING.rate // 50
"""Samples (20 ms) over which level is measured."""
SILENCE = 10 ** (-60 / 20) * 32_768
"""Level (root mean square of a frame) below which there is nothing: a neural recogniser given silence makes words up."""
PAUSE = 10
"""Frames (0.2 s) of a pause to cut in."""


def levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Root mean square per whole frame."""
    whole = samples[: len(samples) // FRAME * FRAME].astype(np.float64).reshape(-1, FRAME)
    return np.asarray(np.sqrt(np.mean(whole**2, axis=1)))


def silent(samples: NDArray[np.int16]) -> bool:
    """Whether nothing is to be heard."""
    return not bool(np.any(levels(samples) >= SILENCE)) and not bool(
        np.any(np.abs(samples[-FRAME:].astype(np.int32)) >= 4 * SILENCE)
    )


def cut(samples: NDArray[np.int16], limit: int) -> int:
    """How many of ``samples`` to read at once: all if they are at most ``limit``, else up to the quietest pause.

    The pause is looked for in the last third of ``limit``; among equals the last one is taken.
    """
    if len(samples) <= limit:
        return len(samples)
    first = limit - limit // 3
    loudness = levels(samples[first:limit])
    if len(loudness) <= PAUSE:
        return limit
    energy = np.convolve(loudness**2, np.ones(PAUSE), "valid")
    best = len(energy) - 1 - int(np.argmin(energy[::-1]))
    return first + (best + PAUSE // 2) * FRAME
