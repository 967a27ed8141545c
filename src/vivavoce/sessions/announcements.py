"""What the server says of its own accord: it waits until nobody speaks."""

from __future__ import annotations

from collections import deque

from vivavoce.sessions.options import WatchdogOptions
from vivavoce.sessions.orders import Orders

MAX_WAITING = 8
"""Announcements that wait for silence; the oldest gives way."""


class Announcements:
    """A bounded line of announcements, and the prompt for a user who has been silent for long."""

    def __init__(self, orders: Orders, options: WatchdogOptions) -> None:
        self._orders = orders
        self._options = options
        self._waiting: deque[str] = deque(maxlen=MAX_WAITING)
        self._was_idle = False

    def add(self, text: str) -> None:
        """Say this when there is silence."""
        self._waiting.append(text)

    def prompt(self) -> None:
        """The user has been idle for too long."""
        self.add(self._options.idle_prompt)

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def next(self, idle: bool) -> str | None:
        """Take the next announcement if there is silence for it."""
        return self._waiting.popleft() if idle and self._waiting else None

    def watch(self, idle: bool, now: int) -> None:
        """Start or stop waiting for the user."""
        if self._options.idle is None or idle == self._was_idle:
            return
        self._was_idle = idle
        if idle:
            self._orders.set_timer("idle", now, self._options.idle)
        else:
            self._orders.stop_timer("idle")
