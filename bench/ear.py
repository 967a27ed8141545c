"""What a page heard and said, on one clock: utterances at the microphone, and stretches of sound at the output. Pure.

A worklet tells, for every millisecond, the mean square of the microphone and the peak of the output, of the same samples of
one AudioContext. Utterances are found by level in steps of 5 ms, with the rule of ``bench.speech``; a stretch of sound ends
with its last sample that is not silent, behind which half a second is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.speech import RATE, STEP, refine

AUDIBLE = 10 ** (-50 / 20)
"""Peak of a sample that is not silent. Our own playback is zero between replies; Opus leaves less than this."""
SPEECH = -50.0
"""dBFS of a step that belongs to an utterance, before its ends are refined."""
APART, BRIEF = 0.45, 0.1
"""Seconds: of silence that divides utterances, and what is too short to be one."""
SILENT = 0.5
"""Seconds of silence that end a stretch: longer than the pauses of a voice between sentences."""
HUSHED = 0.1
"""Seconds of silence that a paused reply is known by; pauses within a word are shorter."""
ANSWERED = 5.0
"""Seconds behind an utterance in which its reply begins."""
STEPS = RATE // STEP
"""A second, in the steps of ``bench.speech``."""

Stretch = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Exchange:
    """An utterance in seconds of the page's clock, and what the output did.

    ``hushed`` is when the sound it was spoken over was first silent for a tenth of a second, ``stopped`` when it was silent
    for good; None where all was silent. ``answered`` is when the first sound behind its end began, None where there was none
    before the next utterance. ``early`` is true where a sound began within it.
    """

    onset: float
    end: float
    hushed: float | None = None
    stopped: float | None = None
    answered: float | None = None
    early: bool = False


def exchanges(microphone: Sequence[float], output: Sequence[float]) -> list[Exchange]:
    """Everything that was said, with what came of it; both are of milliseconds."""
    said, sound = utterances(np.asarray(microphone)), stretches(np.asarray(output))
    pieces = stretches(np.asarray(output), HUSHED)
    found = []
    for number, (onset, end) in enumerate(said):
        following = said[number + 1][0] if number + 1 < len(said) else float("inf")
        stopped = next((b for a, b in sound if a < onset < b), None)
        hushed = None if stopped is None else next(b for _, b in pieces if b > onset)
        begun = [a for a, _ in sound if onset <= a < min(following, end + ANSWERED)]
        early = any(a < end for a in begun)
        found.append(Exchange(onset, end, hushed, stopped, begun[0] if begun and not early else None, early))
    return found


def utterances(microphone: NDArray[np.float64]) -> list[Stretch]:
    """Speech at the microphone: onset and end."""
    whole = microphone[: len(microphone) // 5 * 5].reshape(-1, 5).mean(axis=1)
    loudness = 10 * np.log10(whole + 1e-10)
    rough = _joined(np.nonzero(loudness > SPEECH)[0] / STEPS, 1 / STEPS, APART)
    exact = [refine(loudness, round(a * RATE), round(b * RATE)) for a, b in rough if b - a >= BRIEF]
    return [(a / RATE, b / RATE) for a, b in exact]


def stretches(output: NDArray[np.float64], silent: float = SILENT) -> list[Stretch]:
    """Sound at the output, divided by so many seconds of silence: from its first to its last millisecond."""
    return _joined(np.nonzero(output > AUDIBLE)[0] / 1000, 0.001, silent)


def _joined(moments: NDArray[np.float64], step: float, apart: float) -> list[Stretch]:
    """Moments of so many seconds each, joined where less than ``apart`` lies between them."""
    if not len(moments):
        return []
    gaps = np.nonzero(np.diff(moments) > apart)[0]
    firsts, lasts = [0, *(gaps + 1)], [*gaps, len(moments) - 1]
    return [(float(moments[a]), float(moments[b]) + step) for a, b in zip(firsts, lasts, strict=True)]
