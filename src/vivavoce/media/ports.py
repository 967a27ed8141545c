"""UDP ports within a range, for a library that knows no such option."""

from __future__ import annotations

import random
import sys
from typing import Any

from vivavoce.contracts.errors import Unavailable

if sys.platform == "win32":
    from asyncio import ProactorEventLoop as Loop
else:
    from uvloop import Loop

ATTEMPTS = 64
"""Ports that are tried, from a random one on."""


def candidates_in(low: int, high: int, start: int, attempts: int = ATTEMPTS) -> list[int]:
    """Ports of ``low`` to ``high`` (both included), from number ``start`` of them on and round; at most ``attempts``."""
    count = high - low + 1
    return [low + (start + step) % count for step in range(min(count, attempts))]


class PortLoop(Loop):
    """An event loop that binds datagram sockets to ports of ``port_range`` where the caller leaves the choice."""

    port_range: tuple[int, int] | None = None

    async def create_datagram_endpoint(self, *args: Any, **options: Any) -> Any:
        """See asyncio. Raises Unavailable when all ports that were tried are taken."""
        address = options.get("local_addr")
        if self.port_range is None or address is None or address[1] != 0:
            return await super().create_datagram_endpoint(*args, **options)
        low, high = self.port_range
        for port in candidates_in(low, high, random.randrange(high - low + 1)):
            try:
                return await super().create_datagram_endpoint(*args, **{**options, "local_addr": (address[0], port)})
            except OSError:
                continue
        raise Unavailable(f"no UDP port between {low} and {high} is free; widen webrtc.port_min to port_max")
