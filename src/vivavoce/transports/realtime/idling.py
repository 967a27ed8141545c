"""A user who says nothing behind a response: ``idle_timeout_ms`` of ``server_vad``. Sans I/O but for a clock."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.ports import Clock

SILENT = (
    "[The user has said nothing for {seconds:g} seconds. In one short sentence, ask whether they are still there, or offer "
    "to go on.]"
)
"""What the language model is told then: there are no words of the user to answer."""


class Idling:
    """Waits from the end of a response; speech holds the wait up, and a turn ends it."""

    def __init__(self, clock: Clock, due: Callable[[int], None]) -> None:
        self._clock = clock
        self._due = due
        self._cancel: Callable[[], None] | None = None
        self._since: int | None = None
        self.seconds: float | None = None
        """How long; None for no matter how long."""

    def begin(self, at: int) -> None:
        """A response is over, at sample ``at`` of what was heard."""
        self.stop()
        if self.seconds is not None:
            self._since = at
            self._cancel = self._clock.call_later(self.seconds, self._passed)

    def hold(self) -> None:
        """Something is heard."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def go_on(self, at: int) -> None:
        """It was nothing: wait anew, where something was waited for."""
        if self._since is not None:
            self.begin(at)

    def stop(self) -> None:
        """A turn, or a response. Idempotent."""
        self.hold()
        self._since = None

    def settle(self, milliseconds: int | None, at: int) -> None:
        """The wish of the session; it holds for a wait that has begun, too."""
        seconds = None if milliseconds is None else milliseconds / 1000
        if seconds == self.seconds:
            return
        self.seconds = seconds
        self.go_on(at)

    def _passed(self) -> None:
        since, self._cancel, self._since = self._since, None, None
        if since is not None:
            self._due(since)
