"""How late the event loop is: what a timer waits beyond what it asked for."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.ports import Clock

EVERY = 0.25
"""Seconds between probes: four timers a second cost nothing, and a stall of a frame's length is seen soon."""


class LoopLag:
    """Reports the lag of each probe, in seconds, to ``report``. Time is the injected clock's."""

    def __init__(self, clock: Clock, report: Callable[[float], None], every: float = EVERY) -> None:
        self._clock = clock
        self._report = report
        self._every = every
        self._due = 0.0
        self._cancel: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin probing; called on the loop. Idempotent."""
        if self._cancel is None:
            self._schedule()

    def stop(self) -> None:
        """End probing. Idempotent."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _schedule(self) -> None:
        self._due = self._clock.now() + self._every
        self._cancel = self._clock.call_later(self._every, self._probe)

    def _probe(self) -> None:
        self._report(max(0.0, self._clock.now() - self._due))
        self._schedule()
