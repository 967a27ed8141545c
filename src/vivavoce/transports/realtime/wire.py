"""How server events leave: with a name each, as JSON, audio apart from the rest so that it can be dropped when stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Json = dict[str, Any]
Names = Callable[[str], str]
"""Makes a fresh name with a prefix."""


class Outlet(Protocol):
    """Where server events go."""

    def tell(self, event: Json) -> None:
        """An event, in order."""

    def play(self, generation: int, event: Json) -> None:
        """A piece of audio of a reply; it is dropped once the reply was interrupted."""


class Teller:
    """Gives every event its id."""

    def __init__(self, outlet: Outlet, names: Names) -> None:
        self._outlet = outlet
        self.fresh = names

    def tell(self, kind: str, **fields: Any) -> None:
        """Send an event of type ``kind``."""
        self._outlet.tell({"type": kind, "event_id": self.fresh("event"), **fields})

    def play(self, generation: int, kind: str, **fields: Any) -> None:
        """Send audio."""
        self._outlet.play(generation, {"type": kind, "event_id": self.fresh("event"), **fields})

    def error(self, code: str, message: str, *, cause: Any = None, param: str | None = None) -> None:
        """Something a client asked for cannot be done. ``cause`` is the event_id of its event."""
        self.tell(
            "error",
            error={
                "type": "invalid_request_error",
                "code": code,
                "message": message,
                "param": param,
                "event_id": cause if isinstance(cause, str) else None,
            },
        )
