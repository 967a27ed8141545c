"""Where a client is in a reply that it plays in real time, and the gaps a listener would hear. Sans I/O."""

from __future__ import annotations

from dataclasses import dataclass

AUDIBLE = 0.005
"""Seconds of silence in mid-reply from which on a gap is counted."""
START_BUFFER = 0.04
"""Seconds a client waits behind the first frame of a reply, or behind a gap, before it plays: two frames."""


@dataclass(frozen=True, slots=True)
class Dry:
    """The buffer was empty for ``seconds`` at sample ``at`` of a generation."""

    generation: int
    at: int
    seconds: float


class Playhead:
    """Plays the newest generation from its first sample on, ``buffer`` seconds behind its first frame. Times are seconds."""

    def __init__(self, rate: int, buffer: float = START_BUFFER) -> None:
        self._rate = rate
        self._buffer = buffer
        self.generation = 0
        self.received = 0
        self.started: float | None = None
        self._base = 0
        self._since = 0.0
        self._paused = False
        self.dry: list[Dry] = []
        self.misplaced = 0
        """Samples that did not begin where the ones before ended."""

    def receive(self, generation: int, offset: int, samples: int, now: float) -> bool:
        """Audio came; tell whether it is the first of its generation. Older generations are dropped."""
        if generation < self.generation:
            return False
        first = generation > self.generation
        if first:
            self.generation, self.received, self._base, self._since = generation, 0, 0, now + self._buffer
            self._paused, self.started = False, now
        if offset != self.received:
            self.misplaced += 1
        self._refill(now, first)
        self.received = offset + samples
        return first

    def _refill(self, now: float, first: bool) -> None:
        if first or self._paused:
            return
        ran_out = self._since + (self.received - self._base) / self._rate
        if now > ran_out:
            if now - ran_out >= AUDIBLE:
                self.dry.append(Dry(self.generation, self.received, now - ran_out))
            self._base, self._since = self.received, now + self._buffer

    def played(self, now: float) -> int:
        """Samples of the generation that have left the loudspeaker."""
        if self._paused:
            return self._base
        return min(self.received, self._base + max(0, round((now - self._since) * self._rate)))

    def pause(self, now: float) -> int:
        """Stand still; return the sample."""
        self._base, self._paused = self.played(now), True
        return self._base

    def resume(self, now: float) -> None:
        """Go on."""
        self._paused, self._since = False, now

    def drop(self, generation: int, now: float) -> None:
        """This generation is over."""
        if self.generation <= generation:
            self.received = self.played(now)
            self._base, self._paused = self.received, True
