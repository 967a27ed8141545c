"""One call inside the media process: between a peer and the server's frames."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.errors import LimitExceeded, Overloaded, ProtocolViolation, Unavailable, VivavoceError
from vivavoce.flow.tasks import Signal, TaskScope
from vivavoce.media.frames import FRAME, RATE, read_reply
from vivavoce.media.peers import Backend, Json, Peer, State
from vivavoce.media.playout import Pace, Played, Playout
from vivavoce.workers.child_loop import in_the_tree
from vivavoce.workers.wire import Kind, pack, pack_json, read_json

REPORT = 5
"""Frames between two reports of what was played."""
MESSAGES = 4
"""Messages of the largest size that may come in one second; whoever sends more is hung up on."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of one call, from the options."""

    max_candidates: int
    max_message: int
    connect_timeout: float
    playout_delay: float


class Mouthpiece:
    """Gives a peer its frames at their pace, and tells what was played."""

    def __init__(self, playout: Playout, report: Callable[[Played], None]) -> None:
        self._playout = playout
        self._report = report
        self._pace = Pace(FRAME / RATE)
        self._reported = playout.played
        self._since = 0
        self._flows = False
        self._changed = Signal()

    def flow(self, flows: bool) -> None:
        """Whether there is a network: without one the reply stands still."""
        self._flows = flows
        self._changed.notify()

    async def next(self) -> bytes:
        """See peers.Mouth."""
        while not self._flows:
            await self._changed.wait()
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._pace.wait(loop.time()))
        frame = self._playout.take()
        self._since += 1
        played = self._playout.played
        if played != self._reported and (self._since >= REPORT or self._playout.settled):
            self._since, self._reported = 0, played
            self._report(played)
        return frame


class ChildCall:
    """Takes frames from the server in ``receive``, and the peer's events as its ``PeerEvents``.

    ``send`` writes a frame to the server; ``audio`` the same for microphone audio, which may be dropped; ``over`` is called
    once, with the error if there is one.
    """

    def __init__(
        self,
        number: int,
        limits: CallLimits,
        send: Callable[[bytes], None],
        audio: Callable[[bytes], None],
        over: Callable[[int, VivavoceError | None], None],
    ) -> None:
        self._number = number
        self._limits = limits
        self._send = send
        self._audio = audio
        self._over = over
        self._playout = Playout(RATE, FRAME, limits.playout_delay)
        self._mouth = Mouthpiece(self._playout, self._played)
        self._scope = TaskScope(self._failed, limit=limits.max_candidates + 2)
        self._peer: Peer | None = None
        self._answered = False
        self._candidates = 0
        self._early: deque[Json | None] = deque()
        self._patience: Callable[[], None] = lambda: None
        self._ended = False
        self._second = 0
        self._said_in_second = 0

    # --- life

    def start(self, backend: Backend, sdp: str) -> None:
        """Answer the offer; the answer follows as a frame."""
        self._wait_for_network("did not connect")
        self._peer = backend.peer(self, self._mouth)
        self._scope.start(self._answer(self._peer, sdp), name=f"call {self._number} answers")

    async def _answer(self, peer: Peer, sdp: str) -> None:
        answer = await peer.answer(sdp)
        self._tell({"answer": answer})
        self._answered = True
        while self._early:
            await peer.add_candidate(self._early.popleft())

    async def close(self) -> None:
        """End the peer. Idempotent."""
        self._ended = True
        self._patience()
        await self._scope.close()
        peer, self._peer = self._peer, None
        if peer is not None:
            await peer.close()

    def _failed(self, error: Exception) -> None:
        self._end(in_the_tree(error))

    def _end(self, error: VivavoceError | None) -> None:
        if not self._ended:
            self._ended = True
            self._over(self._number, error)

    def _wait_for_network(self, what: str) -> None:
        self._patience()
        seconds = self._limits.connect_timeout
        error = Unavailable(f"the call {what} within {seconds:g} s; check the addresses, or configure a TURN server")
        error.code = "call_not_connected"
        self._patience = asyncio.get_running_loop().call_later(seconds, self._end, error).cancel

    # --- from the server

    def receive(self, kind: int, payload: bytes) -> None:
        """A frame of the server. Raises ProtocolViolation, Overloaded."""
        match kind:
            case Kind.AUDIO:
                self._playout.put(*read_reply(payload))
            case Kind.TEXT:
                self._obey(read_json(payload))
            case Kind.FINISH:
                self._end(None)
            case _:
                raise ProtocolViolation(f"a call has no use for frames of kind {kind}")

    def _obey(self, said: Json) -> None:
        if "candidate" in said:
            self._add(said["candidate"])
        elif "channel" in said and self._peer is not None:
            self._peer.send(str(said["channel"]), str(said.get("text", "")))
        else:
            self._order(str(said.get("order")), int(said.get("generation", 0)))

    def _order(self, order: str, generation: int) -> None:
        match order:
            case "pause":
                self._playout.pause(generation)
            case "resume":
                self._playout.resume(generation)
            case "clear":
                self._playout.clear(generation)
            case _:
                raise ProtocolViolation(f"a call takes no order {order!r}")

    def _add(self, candidate: Json | None) -> None:
        self._candidates += 1
        if self._candidates > self._limits.max_candidates:
            raise LimitExceeded(f"more than {self._limits.max_candidates} candidates for one call", retryable=False)
        if not self._answered:
            self._early.append(candidate)
        elif self._peer is not None:
            self._scope.start(self._peer.add_candidate(candidate), name=f"call {self._number} candidate")

    # --- from the peer

    def heard(self, pcm: bytes) -> None:
        """See PeerEvents."""
        if pcm and not self._ended:
            self._audio(pack(Kind.AUDIO, self._number, pcm))

    def opened(self, label: str) -> None:
        """See PeerEvents."""
        self._tell({"channel": label[:100], "open": True})

    def said(self, label: str, text: str) -> None:
        """See PeerEvents. Size counts, before anything is copied on."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._said_in_second = second, 0
        self._said_in_second += len(text)
        if len(text) > self._limits.max_message:
            self._end(LimitExceeded(f"a message has at most {self._limits.max_message} bytes", retryable=False))
        elif self._said_in_second > MESSAGES * self._limits.max_message:
            self._end(LimitExceeded("too much comes on a data channel; send less at a time", retryable=False))
        else:
            self._tell({"channel": label[:100], "text": text})

    def candidate(self, candidate: Json | None) -> None:
        """See PeerEvents."""
        self._tell({"candidate": candidate})

    def state(self, state: State) -> None:
        """See PeerEvents."""
        match state:
            case "connected":
                self._patience()
                self._mouth.flow(True)
            case "disconnected":
                self._mouth.flow(False)
                self._wait_for_network("lost its network and did not find it again")
            case "closed":
                self._end(None)
                return
        self._tell({"state": state})

    def _played(self, played: Played) -> None:
        self._tell({"played": [played.generation, played.samples]})

    def _tell(self, value: dict[str, Any]) -> None:
        if not self._ended:
            try:
                self._send(pack_json(Kind.RESULT, self._number, value))
            except ProtocolViolation as error:
                self._end(Overloaded("a message is too large for the way to the server", cause=error))
