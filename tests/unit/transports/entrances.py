"""An entrance for tests of doors: without keys, and with as many as a test wants."""

from __future__ import annotations

from collections.abc import Mapping

from vivavoce.contracts.access import Principal
from vivavoce.flow.clock import SystemClock
from vivavoce.storage.memory import MemoryState
from vivavoce.transports.access import Access, TokenVerifier
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.options import RateOptions
from vivavoce.transports.rates import Rates, Rest


class Ring:
    """Keys as they are."""

    def __init__(self, keys: Mapping[str, Principal]) -> None:
        self.keys = dict(keys)

    @property
    def configured(self) -> bool:
        return bool(self.keys)

    def find(self, key: str) -> Principal | None:
        return self.keys.get(key)


def entrance(
    keys: Mapping[str, Principal] | None = None, rates: RateOptions | None = None, verifier: TokenVerifier | None = None
) -> Entrance:
    """Open to everybody, unless there are keys."""
    clock = SystemClock()
    options = rates or RateOptions()
    return Entrance(Access(Ring(keys or {}), MemoryState(clock), verifier), Rates(options), Rest(options, clock))
