"""A circuit breaker: what failed again and again is left alone for a while, then tried with a single request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class BreakerOptions:
    """When a breaker opens and for how long."""

    failures: int = 3
    """Failures in a row that open it."""
    pause: float = 2.0
    """Seconds it stays open at first; doubles with each probe that fails."""
    longest_pause: float = 60.0
    """Longest time it stays open, unless the service itself asks for longer."""


class Breaker:
    """Pure: times are seconds of any monotonic clock, given with each call.

    Closed lets everything pass. After ``failures`` in a row it opens and lets nothing pass for a pause. Then it is half
    open: one request may try, and its outcome closes the breaker or opens it for twice as long. A probe that neither
    succeeds nor fails (its caller went away) is given back with ``abandoned``.
    """

    def __init__(self, options: BreakerOptions | None = None) -> None:
        self._options = options or BreakerOptions()
        self._failures = 0
        self._until: float | None = None
        self._pause = self._options.pause
        self._probing = False

    def state(self, now: float) -> State:
        """What a request would meet."""
        if self._until is None:
            return "closed"
        return "open" if self._probing or now < self._until else "half_open"

    def admit(self, now: float) -> bool:
        """Whether a request may go. Half open, this is the one that tries: say how it went."""
        state = self.state(now)
        if state == "half_open":
            self._probing = True
        return state != "open"

    def succeeded(self) -> None:
        """A request went well."""
        self._failures = 0
        self._until = None
        self._pause = self._options.pause
        self._probing = False

    def failed(self, now: float, *, at_once: bool = False, retry_after: float | None = None) -> None:
        """A request failed. ``at_once``: in a way that will not mend itself. ``retry_after``: as the service says."""
        self._failures += 1
        if self._until is not None and not self._probing and now < self._until:
            return  # a straggler from before it opened
        if self._until is not None:
            self._pause = min(self._options.longest_pause, 2 * self._pause)
        elif not (at_once or retry_after is not None or self._failures >= self._options.failures):
            return
        self._probing = False
        self._until = now + max(self._pause, retry_after or 0.0)

    def abandoned(self) -> None:
        """A request was withdrawn before it was known how it goes."""
        self._probing = False
