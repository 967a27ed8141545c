"""The small interface over WebRTC libraries, as the media process uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

Json = dict[str, Any]
State = Literal["connecting", "connected", "disconnected", "closed"]


class PeerEvents(Protocol):
    """What a peer tells. Called on the loop; must not block."""

    def heard(self, pcm: bytes) -> None:
        """Microphone audio (HEARING)."""

    def opened(self, label: str) -> None:
        """The client opened a data channel, and messages can be sent."""

    def said(self, label: str, text: str) -> None:
        """A text message came on a data channel."""

    def candidate(self, candidate: Json | None) -> None:
        """A candidate of ours was found behind the answer; None behind the last."""

    def state(self, state: State) -> None:
        """The connection changed; ``closed`` is the last word."""


class Mouth(Protocol):
    """Where a peer gets what the client is to hear."""

    async def next(self) -> bytes:
        """20 ms of PCM at ``frames.RATE`` when they are due."""


class Peer(Protocol):
    """One client."""

    async def answer(self, sdp: str) -> str:
        """Take the offer, give the answer. Raises ProtocolViolation for an offer that is none."""

    async def add_candidate(self, candidate: Json | None) -> None:
        """A candidate as browsers write it; None behind the last. Raises ProtocolViolation."""

    def send(self, label: str, text: str) -> None:
        """Send on a data channel; dropped where there is none. Raises Overloaded for a client that does not read."""

    async def close(self) -> None:
        """End the call at once. Idempotent."""


class Backend(Protocol):
    """A library."""

    name: str

    def peer(self, events: PeerEvents, mouth: Mouth) -> Peer:
        """A new client."""


MAX_BUFFERED = 1 << 20
"""Bytes waiting in a data channel for a client that does not read."""


def candidate_line(candidate: Mapping[str, Any]) -> str:
    """The candidate without its prefix; empty for the one that says there are no more."""
    line = candidate.get("candidate")
    return line.removeprefix("candidate:").strip() if isinstance(line, str) else ""
