"""A bad network for one call: a UDP relay between a caller and the server that drops packets by a fixed pattern."""

from __future__ import annotations

import asyncio
import re
from typing import Any

GOLDEN = 0.6180339887498949
SETTLED = 100
"""Packets of each direction that pass untouched, so that every call connects."""
_CANDIDATE = re.compile(r"^(a=candidate:\S+ 1 udp \d+ )(\S+) (\d+)( typ host.*)$", re.MULTILINE | re.IGNORECASE)
_ANY_CANDIDATE = re.compile(r"^a=(candidate:|end-of-candidates).*\r?\n", re.MULTILINE)


def dropped(number: int, loss: float) -> bool:
    """Whether packet ``number`` is lost: spread evenly, and the same in every run."""
    return number >= SETTLED and (number * GOLDEN) % 1.0 < loss


class Relay(asyncio.DatagramProtocol):
    """One side of the relay: what comes to it from anybody but ``target`` goes to ``target``, and back."""

    def __init__(self, target: tuple[str, int], loss: float) -> None:
        self._target = target
        self._loss = loss
        self._caller: Any = None
        self._transport: Any = None
        self.counts = {"up": 0, "down": 0}
        self.lost = {"up": 0, "down": 0}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Pass it on, or do not."""
        up = addr != self._target
        if up:
            self._caller = addr
        way, goal = ("up", self._target) if up else ("down", self._caller)
        self.counts[way] += 1
        if dropped(self.counts[way], self._loss):
            self.lost[way] += 1
        elif goal is not None:
            self._transport.sendto(data, goal)

    def close(self) -> None:
        """End."""
        self._transport.close()

    @property
    def port(self) -> int:
        """Where callers send to."""
        port: int = self._transport.get_extra_info("sockname")[1]
        return port


async def through_relay(sdp: str, loss: float) -> tuple[str, Relay]:
    """The answer with the server's UDP candidate replaced by a relay's."""
    found = _CANDIDATE.search(sdp)
    if found is None:
        raise RuntimeError("the answer holds no UDP candidate")
    loop = asyncio.get_running_loop()
    target = (found[2], int(found[3]))
    _, relay = await loop.create_datagram_endpoint(lambda: Relay(target, loss), local_addr=("127.0.0.1", 0))
    line = f"{found[1]}127.0.0.1 {relay.port}{found[4]}".rstrip()
    head, mark, rest = without_candidates(sdp).partition("a=ice-ufrag:")
    return f"{head}{line}\r\n{mark}{rest}", relay


def without_candidates(sdp: str) -> str:
    """A description that tells no address: whoever made it is found by what it sends."""
    return _ANY_CANDIDATE.sub("", sdp)
