"""Sound in place of packets that were lost: the last pitch period goes on and fades, and the next packet is faded into.

After ITU-T G.711 Appendix I (1999), which is waveform substitution (Goodman et al., 1986): silence in the middle of a vowel
is two clicks and a stop consonant to whoever listens, a recogniser most of all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHORTEST_PERIOD, LONGEST_PERIOD = 0.0025, 0.015
"""Seconds: voices between 66 and 400 Hz."""
COMPARED = 0.02
"""Seconds of the past in which the period is looked for."""
HELD, GONE = 0.01, 0.06
"""Seconds of a gap that sound as loud as what was before it, and behind which it is silent."""
SEAM = 0.004
"""Seconds in which the sound behind a gap is faded into."""

Floats = NDArray[np.float32]


class Concealment:
    """Mono s16le of one stream. Sans I/O: tell it what was heard and what was lost, in order; it answers with what to use.

    What it answers is as long as what it was told of. Memory: the last 35 ms.
    """

    def __init__(self, rate: int) -> None:
        self._shortest, self._longest = round(SHORTEST_PERIOD * rate), round(LONGEST_PERIOD * rate)
        self._compared = round(COMPARED * rate)
        self._held, self._gone, self._seam = round(HELD * rate), round(GONE * rate), round(SEAM * rate)
        self._past: Floats = np.zeros(0, np.float32)
        self._period: Floats = self._past
        self._missed = 0

    def heard(self, pcm: bytes) -> bytes:
        """Sound that came; behind a gap its beginning is faded into."""
        samples: Floats = np.frombuffer(pcm, "<i2").astype(np.float32)
        seam = min(self._seam, samples.size) if self._missed else 0
        if seam:
            rising = np.arange(1, seam + 1, dtype=np.float32) / (seam + 1)
            samples[:seam] = samples[:seam] * rising + self._continued(seam) * (1 - rising)
            pcm = _pcm(samples)
        self._missed = 0
        self._past = np.concatenate((self._past, samples))[-(self._compared + self._longest) :]
        return pcm

    def lost(self, count: int) -> bytes:
        """What stands in for ``count`` samples that did not come."""
        if not self._missed:
            self._period = self._last_period()
        made = self._continued(count)
        self._missed += count
        return _pcm(made)

    def _continued(self, count: int) -> Floats:
        """The next ``count`` samples of the gap."""
        audible = max(0, min(count, self._gone - self._missed))
        made = np.zeros(count, np.float32)
        if self._period.size and audible:
            places = self._missed + np.arange(audible)
            loudness = np.clip((self._gone - places) / (self._gone - self._held), 0.0, 1.0).astype(np.float32)
            made[:audible] = self._period[places % self._period.size] * loudness
        return made

    def _last_period(self) -> Floats:
        """One period of what was heard last, its end leading into its beginning; empty where too little was heard."""
        past = self._past
        if past.size < self._compared + self._longest:
            return np.zeros(0, np.float32)
        lag = self._lag(past)
        period = past[-lag:].copy()
        overlap = lag // 4
        if overlap:
            # The end fades into what came before the beginning, so that the repetition has no step.
            rising = np.arange(1, overlap + 1, dtype=np.float32) / (overlap + 1)
            period[-overlap:] = period[-overlap:] * (1 - rising) + past[-lag - overlap : -lag] * rising
        return period

    def _lag(self, past: Floats) -> int:
        """Samples of the period: the highest normalised correlation of the last 20 ms with what was so long before."""
        recent = past[-self._compared :]
        windows = np.lib.stride_tricks.sliding_window_view(past, self._compared)
        lags = np.arange(self._shortest, self._longest + 1)
        earlier = windows[past.size - self._compared - lags]
        energy = np.sqrt(np.einsum("ij,ij->i", earlier, earlier)) + 1.0
        return int(lags[np.argmax(earlier @ recent / energy)])


def _pcm(samples: Floats) -> bytes:
    return np.clip(np.round(samples), -32_768, 32_767).astype("<i2").tobytes()
