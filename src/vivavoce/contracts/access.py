"""Who asks, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Scope = Literal["speak", "listen", "converse", "admin"]
"""``speak``: have text spoken; ``listen``: have recordings read; ``converse``: hold conversations and ask the language model
(which includes the other two); ``admin``: status, metrics, models and everything else."""

SCOPES: tuple[Scope, ...] = ("speak", "listen", "converse", "admin")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who was recognised. ``id`` is stable and may stand in a log."""

    id: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether this is allowed; ``admin`` is allowed everything, ``converse`` speaking and listening."""
        if "admin" in self.scopes or scope in self.scopes:
            return True
        return scope in ("speak", "listen") and "converse" in self.scopes


EVERYBODY = Principal("anonymous", frozenset(SCOPES))
"""Who asks where no key is configured: a server on loopback belongs to whoever can reach it."""


class KeyRing(Protocol):
    """The API keys there are."""

    @property
    def configured(self) -> bool:
        """Whether keys are asked for. True for a ring whose last key was revoked: nobody is let in then."""

    def find(self, key: str) -> Principal | None:
        """Whose key this is."""
