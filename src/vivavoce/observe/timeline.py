"""How the server was over the last hour: a sample every few seconds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

EVERY = 5.0
"""Seconds between samples."""
KEPT = 720
"""An hour of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. ``wall`` is seconds since the epoch, ``lag`` the worst lag of the event loop since the look before in
    seconds, ``memory`` in MB."""

    wall: float
    lag: float
    memory: float
    sessions: int
    jobs: int
    waiting: int


class Timeline:
    """The last samples, and the worst lag since the latest."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._lag = 0.0

    def late(self, seconds: float) -> None:
        """The event loop was so late."""
        self._lag = max(self._lag, seconds)

    def take_lag(self) -> float:
        """The worst since it was last taken."""
        lag, self._lag = self._lag, 0.0
        return lag

    def add(self, sample: Sample) -> None:
        """Keep a sample; the oldest gives way."""
        self._samples.append(sample)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Oldest first."""
        return tuple(self._samples)
