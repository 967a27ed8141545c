"""What a page heard and said, on one clock: utterances at the microphone, and stretches of sound at the output. Pure.

A worklet tells, for every millisecond, the mean square of the microphone and the peak of the output, of the same samples of
one AudioContext. What was said when is known from the recording that is the microphone: ``bench.speech`` tells where speech
begins and ends in it, for level alone takes the breath and the room before a word for the word. Each utterance is found at
the microphone by the course of its level. A stretch of sound ends with its last sample that is not silent, behind which
half a second is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AUDIBLE = 10 ** (-50 / 20)
"""Peak of a sample that is not silent. Our own playback is zero between replies; Opus leaves less than this."""
FLOOR = -55.0
"""dBFS below which the course of the level is no course: a room, and what noise suppression makes of it."""
AROUND = 0.3
"""Seconds before and behind an utterance that are looked at to find it."""
FIRST, ASTRAY = 4.0, 0.5
"""Seconds by which the page may hear the recording late, and by which that may change from one utterance to the next:
a browser that stalls loses sound."""
ALIKE = 0.6
"""Correlation from which on an utterance counts as found."""
SILENT = 0.5
"""Seconds of silence that end a stretch: longer than the pauses of a voice between sentences."""
HUSHED = 0.1
"""Seconds of silence that a paused reply is known by; pauses within a word are shorter."""
BREATH = 0.15
"""Seconds before an onset that already are of the person's recording."""
ANSWERED = 5.0
"""Seconds behind an utterance in which its reply begins."""

Stretch = tuple[float, float]
Line = NDArray[np.float64]
"""A value for each millisecond."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What the microphone plays, over and over: its mean square, and the utterances in it, in seconds."""

    power: Line
    said: tuple[Stretch, ...]

    @property
    def seconds(self) -> float:
        """Until it begins again."""
        return len(self.power) / 1000


@dataclass(frozen=True, slots=True)
class Exchange:
    """An utterance in seconds of the page's clock, and what the output did.

    ``hushed`` is when the sound it was spoken over was first silent for a tenth of a second, ``stopped`` when it was silent
    for good; None where all was silent. ``answered`` is when the first sound behind its end began, None where there was none
    before the next utterance. ``early`` is true where a sound began within it, ``hastened`` where one ended in the breath
    before its onset.
    """

    onset: float
    end: float
    hushed: float | None = None
    stopped: float | None = None
    answered: float | None = None
    early: bool = False
    hastened: bool = False


def exchanges(said: Sequence[Stretch], output: Line) -> list[Exchange]:
    """Everything that was said, with what came of it."""
    sound, pieces = stretches(output), stretches(output, HUSHED)
    found = []
    for number, (onset, end) in enumerate(said):
        following = said[number + 1][0] if number + 1 < len(said) else float("inf")
        stopped = next((b for a, b in sound if a < onset < b), None)
        hushed = None if stopped is None else next(b for _, b in pieces if b > onset)
        begun = [a for a, _ in sound if onset <= a < min(following, end + ANSWERED)]
        early = any(a < end for a in begun)
        hastened = any(a < onset - BREATH < b <= onset for a, b in sound)
        found.append(Exchange(onset, end, hushed, stopped, begun[0] if begun and not early else None, early, hastened))
    return found


def utterances(recording: Recording, microphone: Line) -> list[Stretch]:
    """When each utterance was at the microphone, as often as it was, as far as it is found there whole."""
    played, heard = _course(recording.power), _course(microphone)
    late, reach, found = FIRST / 2, FIRST / 2, []
    rounds = int(len(heard) / len(played) + FIRST / recording.seconds) + 1 if recording.said else 0
    for before in range(rounds):
        for onset, end in recording.said:
            first, last = round(1000 * max(0.0, onset - AROUND)), round(1000 * (end + AROUND))
            shape = played[first:last]
            start = before * recording.seconds + first / 1000 - late
            at, likeness = _found(shape, heard, round(1000 * (start - reach)), round(1000 * (start + reach)))
            if likeness < ALIKE:
                continue
            shift = (at - first) / 1000
            late, reach = before * recording.seconds - shift, ASTRAY
            found.append((onset + shift, end + shift))
    return found


def _course(power: Line) -> Line:
    """The level in decibels above the floor, in the mean of 5 ms around each."""
    smooth = np.convolve(power, np.full(5, 0.2), "same") if len(power) else power
    return np.maximum(10 * np.log10(smooth + 1e-10) - FLOOR, 0.0)


def _found(shape: Line, heard: Line, low: int, high: int) -> tuple[int, float]:
    """Where between two places a shape is most like what was heard, and how much: its correlation there."""
    low = max(0, low)
    window = heard[low : high + len(shape)]
    if len(window) < len(shape):
        return low, 0.0
    count, sums = len(shape), np.cumsum([window, window**2], axis=1)
    sums = np.pad(sums, ((0, 0), (1, 0)))
    mean, square = (sums[:, count:] - sums[:, :-count]) / count
    spread = np.sqrt(np.maximum(square - mean**2, 0.0)) * shape.std() * count
    product = np.correlate(window, shape - shape.mean(), "valid")
    alike = np.divide(product, spread, out=np.zeros(len(product)), where=spread > 1e-6)
    best = int(np.argmax(alike))
    return low + best, float(alike[best])


def stretches(output: Line, silent: float = SILENT) -> list[Stretch]:
    """Sound at the output, divided by so many seconds of silence: from its first to its last millisecond."""
    return _joined(np.nonzero(output > AUDIBLE)[0] / 1000, 0.001, silent)


def _joined(moments: Line, step: float, apart: float) -> list[Stretch]:
    """Moments of so many seconds each, joined where less than ``apart`` lies between them."""
    if not len(moments):
        return []
    gaps = np.nonzero(np.diff(moments) > apart)[0]
    firsts, lasts = [0, *(gaps + 1)], [*gaps, len(moments) - 1]
    return [(float(moments[a]), float(moments[b]) + step) for a, b in zip(firsts, lasts, strict=True)]
