"""A bad network for one call: a UDP relay between caller and server that drops and delays packets by a fixed pattern."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any

GOLDEN, PLASTIC = 0.6180339887498949, 0.7548776662466927
SETTLED = 100
"""Packets of each direction that pass untouched, so that every call connects."""
_CANDIDATE = re.compile(r"^(a=candidate:\S+ 1 udp \d+ )(\S+) (\d+)( typ host.*)$", re.MULTILINE | re.IGNORECASE)
_ANY_CANDIDATE = re.compile(r"^a=(candidate:|end-of-candidates).*\r?\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Network:
    """What becomes of packets, each way: the share that is lost, and the seconds by which the slowest come late (evenly
    spread, so that they overtake each other)."""

    loss: float = 0.0
    jitter: float = 0.0

    def __str__(self) -> str:
        bad = (f"{self.loss:.0%} lost" if self.loss else "", f"{1000 * self.jitter:.0f} ms of jitter" if self.jitter else "")
        return ", ".join(filter(None, bad)) or "good"


def delay(number: int, jitter: float) -> float:
    """Seconds packet ``number`` is kept: spread evenly, and the same in every run."""
    return jitter * (number * PLASTIC % 1.0) if number >= SETTLED else 0.0


def dropped(number: int, loss: float) -> bool:
    """Whether packet ``number`` is lost: spread evenly, and the same in every run."""
    return number >= SETTLED and (number * GOLDEN) % 1.0 < loss


class Relay(asyncio.DatagramProtocol):
    """One side of the relay: what comes to it from anybody but ``target`` goes to ``target``, and back."""

    def __init__(self, target: tuple[str, int], network: Network) -> None:
        self._target = target
        self._network = network
        self._loop = asyncio.get_running_loop()
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
        number = self.counts[way]
        if dropped(number, self._network.loss):
            self.lost[way] += 1
        elif goal is not None and self._network.jitter:
            self._loop.call_later(delay(number, self._network.jitter), self._send, data, goal)
        elif goal is not None:
            self._send(data, goal)

    def _send(self, data: bytes, goal: Any) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, goal)

    def close(self) -> None:
        """End."""
        self._transport.close()

    @property
    def port(self) -> int:
        """Where callers send to."""
        port: int = self._transport.get_extra_info("sockname")[1]
        return port


async def through_relay(sdp: str, network: Network) -> tuple[str, Relay]:
    """The answer with the server's UDP candidate replaced by a relay's."""
    found = _CANDIDATE.search(sdp)
    if found is None:
        raise RuntimeError("the answer holds no UDP candidate")
    loop = asyncio.get_running_loop()
    target = (found[2], int(found[3]))
    _, relay = await loop.create_datagram_endpoint(lambda: Relay(target, network), local_addr=("127.0.0.1", 0))
    line = f"{found[1]}127.0.0.1 {relay.port}{found[4]}".rstrip()
    head, mark, rest = without_candidates(sdp).partition("a=ice-ufrag:")
    return f"{head}{line}\r\n{mark}{rest}", relay


def without_candidates(sdp: str) -> str:
    """A description that tells no address: whoever made it is found by what it sends."""
    return _ANY_CANDIDATE.sub("", sdp)
