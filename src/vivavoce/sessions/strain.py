"""Whether the server keeps up: by how late its event loop is, again and again. No clock, no loop."""

from __future__ import annotations

from collections import deque

PROBES = 12
"""Reports that are looked at: 3 s of four a second. A model that is loaded or a collection of garbage is over by then."""
RELIEF = 0.5
"""Below this share of the limit it keeps up again."""


class Strain:
    """Told the loop's lateness as it is measured; strained from when the median of the last probes passes ``limit``
    seconds (0: never), until it is half of that."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._late: deque[float] = deque(maxlen=PROBES)
        self._strained = False

    def report(self, seconds: float) -> None:
        """One probe: by how much it came late."""
        self._late.append(seconds)
        if len(self._late) == PROBES:
            self._strained = self.lateness > self._limit * (RELIEF if self._strained else 1.0)

    @property
    def lateness(self) -> float:
        """Seconds: the median of the last probes, 0 before there are any."""
        ordered = sorted(self._late)
        return ordered[len(ordered) // 2] if ordered else 0.0

    @property
    def strained(self) -> bool:
        """Whether one more session would make all of them worse."""
        return self._limit > 0 and self._strained
