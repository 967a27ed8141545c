"""Calls as the server sees them: an offer is answered, audio and messages go both ways, and it ends."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any, Protocol

from vivavoce.contracts.audio import ReplyAudio, Stamp
from vivavoce.contracts.errors import Overloaded, ProtocolViolation, Unavailable, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.media.frames import KIND, pack_reply
from vivavoce.media.options import WebRtcOptions
from vivavoce.workers.access import EngineAccess
from vivavoce.workers.fleet import WorkerStatus
from vivavoce.workers.group import WorkerGroup
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.wire import Kind, dump_json, read_json

GROUP = "webrtc"
FOREVER = 7 * 86_400.0
"""Seconds; a call ends by its own rules, not by a deadline of its job."""

Json = dict[str, Any]


class CallListener(Protocol):
    """Who answers the phone. Called on the loop; must not block."""

    def heard(self, pcm: bytes) -> None:
        """Microphone audio (HEARING)."""

    def opened(self, label: str) -> None:
        """The client opened a data channel."""

    def said(self, label: str, text: str) -> None:
        """A message on a data channel."""

    def candidate(self, candidate: Json | None) -> None:
        """A candidate of ours behind the answer."""

    def connected(self) -> None:
        """Media flows from now on; also behind an interruption of the network."""

    def played(self, generation: int, samples: int) -> None:
        """The ear has heard the first ``samples`` samples of ``generation``."""

    def ended(self, error: VivavoceError | None) -> None:
        """It is over, and nothing more is told. Never called behind ``hang_up``."""


class MediaCalls:
    """The media processes of a server, supervised like workers; a call is a job of theirs."""

    def __init__(self, options: WebRtcOptions, clock: Clock) -> None:
        self.options = options
        self._group = WorkerGroup(_group(options), clock)
        self._access = EngineAccess(self._group, (KIND, options.backend), clock)
        self._open = 0

    async def start(self) -> None:
        """Start the processes, where they are wanted before the first call. Raises nothing: ``status`` tells."""
        if self.options.prewarm:
            await self._group.start()

    async def close(self) -> None:
        """End every process. Idempotent."""
        await self._group.close(0.0)

    def status(self) -> list[WorkerStatus]:
        """One line per process, or place for one; nothing where nobody ever called."""
        lines = self._group.status()
        unused = all(line.state == "empty" and not line.restarts for line in lines)
        return [] if unused and not self.options.prewarm else lines

    @property
    def backend(self) -> str:
        """The library in use, as far as it is known."""
        return self._access.capabilities.name

    def __len__(self) -> int:
        return self._open

    def call(self, sdp: str, listener: CallListener) -> Call:
        """Take an offer. Raises EngineMissing (no library), Overloaded, Unavailable."""
        size = len(sdp.encode("utf-8", "replace"))
        if not 1 <= size <= self.options.max_sdp:
            raise ProtocolViolation(f"an offer has 1 to {self.options.max_sdp} bytes of SDP, not {size}", code="bad_offer")
        if self._open >= self.options.max_calls:
            raise Overloaded(f"all {self.options.max_calls} calls are taken; try again later", retry_after=10)
        call = Call(self._access, sdp, listener, self._gone)
        self._open += 1
        return call

    def _gone(self) -> None:
        self._open -= 1


class Call:
    """One call."""

    def __init__(self, access: EngineAccess, sdp: str, listener: CallListener, gone: Any) -> None:
        self._listener = listener
        self._gone = gone
        self._over = False
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._job = access.open(self, {"sdp": sdp}, FOREVER)
        access.group.submit(self._job)

    async def answer(self) -> str:
        """The answer to the offer. Raises ProtocolViolation for an offer that is none, or why there is no call."""
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.hang_up()
            raise

    def add_candidate(self, candidate: Json | None) -> None:
        """A candidate of the client."""
        self._write({"candidate": candidate})

    def send(self, label: str, text: str) -> None:
        """A message on a data channel. Raises ProtocolViolation for one that is too long."""
        self._write({"channel": label, "text": text})

    def hang_up(self) -> None:
        """End it. Idempotent."""
        if not self._over:
            self._end()
            self._job.cancel()

    # --- what the client is to hear

    def write(self, audio: ReplyAudio) -> None:
        """A piece of a reply at ``frames.RATE``, without waiting; sessions pace themselves by ``played``."""
        self._job.write(Kind.AUDIO, pack_reply(audio.stamp.generation, audio.chunk.offset, audio.chunk.pcm))

    def pause(self, stamp: Stamp) -> None:
        """Stand still at the next frame."""
        self._write({"order": "pause", "generation": stamp.generation})

    def resume(self, stamp: Stamp) -> None:
        """Go on at the very next sample."""
        self._write({"order": "resume", "generation": stamp.generation})

    def clear(self, stamp: Stamp) -> None:
        """This generation and older ones are over."""
        self._write({"order": "clear", "generation": stamp.generation})

    def _write(self, value: Json) -> None:
        self._job.write(Kind.TEXT, dump_json(value))

    # --- the job's consumer

    def pump(self) -> None:
        """Nothing waits here."""

    def received(self, kind: int, payload: bytes) -> None:
        """See Consumer."""
        if kind == Kind.AUDIO:
            if len(payload) % 2:
                raise ProtocolViolation("half a sample of a microphone")
            self._listener.heard(payload)
        elif kind == Kind.RESULT:
            self._told(read_json(payload))
        else:
            raise ProtocolViolation(f"a call has no frames of kind {kind}")

    def _told(self, value: Json) -> None:
        if "played" in value:
            generation, samples = value["played"]
            self._listener.played(int(generation), int(samples))
        elif "text" in value:
            self._listener.said(str(value["channel"]), str(value["text"]))
        elif "channel" in value:
            self._listener.opened(str(value["channel"]))
        elif "candidate" in value:
            self._listener.candidate(value["candidate"])
        elif "answer" in value:
            if not self._answer.done():
                self._answer.set_result(str(value["answer"]))
        elif value.get("state") == "connected":
            self._listener.connected()

    def ended(self, error: VivavoceError | None) -> None:
        """See Consumer."""
        if self._over:
            return
        answered = self._answer.done()
        self._end(error)
        if answered:
            self._listener.ended(error)

    def _end(self, error: VivavoceError | None = None) -> None:
        self._over = True
        self._gone()
        if not self._answer.done():
            self._answer.set_exception(error or Unavailable("the call ended before it was answered", code="call_ended"))
            self._answer.exception()  # whoever asks for it is told; nobody has to


def _group(options: WebRtcOptions) -> WorkerOptions:
    settings: Json = {name: value for name, value in asdict(options).items() if name not in ("backend", "prewarm")}
    per_process = -(-options.max_calls // options.processes)
    return WorkerOptions(
        name=GROUP,
        engines=(EngineOptions(KIND, options.backend, settings),),
        processes=options.processes,
        prewarm=options.prewarm,
        idle_unload=options.idle_unload,
        max_jobs=per_process,
        max_waiting=options.max_calls,
        load_deadline=30.0,
    )
