"""Sleeping, for which the protocol has no word: told by events of our own, and only to clients that asked for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vivavoce.contracts.events import Slept, Woke
from vivavoce.transports.realtime.listening import milliseconds
from vivavoce.transports.realtime.wire import Json, Teller

OWN = "vivavoce"
"""The part of a session, and the beginning of the names of events, that are ours: ``{"vivavoce": {"events": true}}``."""


def own_part(wish: Any, held: Json | None) -> Json | None:
    """What a client wishes for beyond the protocol; None where it never asked, so that it never sees it."""
    if not isinstance(wish, dict):
        return held
    return {"events": wish.get("events") is True}


class Sleeping:
    """Tells of it. Strict clients end at an event they do not know."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._wanted = False

    def settle(self, session: Json, asleep: Callable[[], bool], at: int) -> None:
        """The session as it is now. A client that begins to ask is told at once that the session sleeps, if it does."""
        wanted = bool((session.get(OWN) or {}).get("events"))
        began, self._wanted = wanted and not self._wanted, wanted
        if began and asleep():
            self.slept(Slept(at))

    def woke(self, event: Woke) -> None:
        """The word was heard."""
        if self._wanted:
            self._teller.tell(f"{OWN}.woke", word=event.word, audio_start_ms=milliseconds(event.at))

    def slept(self, event: Slept) -> None:
        """Nothing is listened to but the wake words."""
        if self._wanted:
            self._teller.tell(f"{OWN}.slept", audio_end_ms=milliseconds(event.at))
