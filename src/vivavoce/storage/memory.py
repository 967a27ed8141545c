"""Shared state of one process."""

from __future__ import annotations

from collections import OrderedDict

from vivavoce.contracts.ports import Clock

MAX_VALUES = 100_000
"""Values kept; beyond it the oldest go."""


class MemoryState:
    """Implements ``contracts.ports.SharedState``: bounded, and forgetful on time."""

    def __init__(self, clock: Clock, max_values: int = MAX_VALUES) -> None:
        self._clock = clock
        self._limit = max_values
        self._values: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    async def put(self, key: str, value: bytes, ttl: float) -> None:
        """Keep ``value`` for ``ttl`` seconds."""
        self._values.pop(key, None)
        self._values[key] = (self._clock.now() + ttl, value)
        self._sweep()

    async def get(self, key: str) -> bytes | None:
        """The value while it is there."""
        due, value = self._values.get(key, (0.0, b""))
        return value if due > self._clock.now() else None

    async def take(self, key: str) -> bytes | None:
        """Remove and return the value, once."""
        due, value = self._values.pop(key, (0.0, b""))
        return value if due > self._clock.now() else None

    def _sweep(self) -> None:
        """Drop what is over at the old end, and what is too much."""
        now = self._clock.now()
        while self._values:
            key, (due, _) = next(iter(self._values.items()))
            if due > now and len(self._values) <= self._limit:
                return
            del self._values[key]
