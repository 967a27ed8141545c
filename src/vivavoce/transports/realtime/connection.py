"""One client on ``/v1/realtime``: a reader, a writer, and between them a session of the protocol."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import InternalError, Overloaded, VivavoceError
from vivavoce.contracts.events import SessionEvent, SessionFailed
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.flow.tasks import Signal, TaskScope
from vivavoce.flow.threads import OffLoop
from vivavoce.sessions.conversation import OVER, Conversation
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.ids import fresh
from vivavoce.transports.limits import Bucket, SlidingWindow
from vivavoce.transports.options import SocketLimits
from vivavoce.transports.outbox import Close, Outbox, write_out
from vivavoce.transports.realtime.core import Core
from vivavoce.transports.realtime.parsing import parsed
from vivavoce.transports.realtime.sound import RATE
from vivavoce.transports.realtime.wire import Json

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "realtime"
GOING_AWAY, POLICY, INTERNAL, TRY_LATER = 1001, 1008, 1011, 1013

MAX_EVENT = 128 * 1024
"""Characters of any event but appended audio."""
MAX_HERE = 512 * 1024
"""Characters read on the loop: about 5 ms."""
OUTBOX_BYTES = 4 * 1024 * 1024
"""A client may have its own longest events echoed several times over."""
EVENTS_PER_SECOND, EVENTS_AT_ONCE = 400.0, 4_000.0
"""Events of a client; audio in pieces of 10 ms is a quarter of it."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What connections share."""

    sessions: Sessions
    limits: SocketLimits
    clock: Clock
    off_loop: OffLoop
    observer: EventListener | None = None


class Connection:
    """Serves one accepted WebSocket until it ends. ``receive`` and ``send`` are ASGI's; ``session`` is as configured."""

    def __init__(self, around: Surroundings, session: Json, receive: Receive, send: Send) -> None:
        self._around = around
        self._receive = receive
        self._send = send
        self.outbox = Outbox(around.limits.outbox_messages, max(OUTBOX_BYTES, around.limits.outbox_bytes))
        self._core = Core(self, around.clock, session, around.sessions.options.conversation, around.sessions.ports, fresh)
        self._bad = SlidingWindow(around.limits.bad_messages, around.limits.bad_window)
        self._rate = Bucket(EVENTS_PER_SECOND, EVENTS_AT_ONCE)
        self._conversation: Conversation | None = None
        self._leaving: str | None = None
        self._over = False
        self._changed = Signal()
        self._forget_close: Callable[[], None] = lambda: None
        self.bad_messages = 0
        self.stuck = False

    async def run(self) -> None:
        """Open the session, read and write until the client goes, the server ends it, or the client stops reading."""
        scope = TaskScope(self._crashed, limit=2)
        try:
            scope.start(self._then_over(write_out(self.outbox, self._send)), name="realtime writer")
            if await self._open():
                scope.start(self._then_over(self._read()), name="realtime reader")
            while not self._over:
                await self._changed.wait()
        finally:
            self._forget_close()
            self._core.close()
            await scope.close()
            if self._conversation is not None:
                await self._around.sessions.close(self._conversation)

    def leave(self, reason: str, *, now: bool) -> None:
        """End it: ``now``, or when the response in progress is over."""
        self._leaving = reason
        if now or not self._core.busy:
            self._end(Close(GOING_AWAY, reason))

    def refuse(self, code: str, message: str) -> None:
        """Tell what is wrong with this connection, and end it."""
        self._core.teller.error(code, message)
        self._end(Close(POLICY, code))

    async def _open(self) -> bool:
        sessions = self._around.sessions
        self.outbox.hold()  # nothing goes before `session.created`
        try:
            conversation = await sessions.open(TRANSPORT, self._core.options(), self, self._told)
        except VivavoceError as error:
            self._core.teller.error(error.code, error.message)
            self._end(Close(TRY_LATER if error.retryable else INTERNAL, error.code))
            return False
        self._conversation = conversation
        self._core.begin(conversation)
        self.outbox.release()
        return True

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._take(message.get("text"))
            while self._core.intake.full:
                await self._core.intake.room.wait()

    async def _take(self, text: str | None) -> None:
        if not self._rate.admit(self._around.clock.now(), 1):
            self.refuse("too_many_events", f"more than {EVENTS_PER_SECOND:g} events a second")
            return
        event = None if text is None else await self._event(text)
        if event is None:
            self._complain("invalid_json", "every message is a text frame with one JSON object")
        elif text is not None and len(text) > MAX_EVENT and event.get("type") != "input_audio_buffer.append":
            self._complain("event_too_large", f"an event has at most {MAX_EVENT} characters, appended audio apart")
        else:
            self._core.take(event)

    async def _event(self, text: str) -> Json | None:
        """Megabytes are read in a thread: everybody else's audio is not to wait for them."""
        if len(text) <= MAX_HERE:
            return parsed(text)
        return await self._around.off_loop.run(parsed, text)

    def _complain(self, code: str, message: str) -> None:
        self.bad_messages += 1
        if self._bad.admit(self._around.clock.now()):
            self._core.teller.error(code, message)
        else:
            self.refuse("too_many_errors", "too many messages that are none")

    # --- Outlet and AudioSink -----------------------------------------------------------------------------------------

    def tell(self, event: Json) -> None:
        """See Outlet."""
        try:
            self.outbox.put(json.dumps(event))
        except Overloaded as stuck:
            self._slow(stuck)

    def play(self, generation: int, event: Json) -> None:
        """See Outlet."""
        try:
            self.outbox.put_audio(generation, json.dumps(event))
        except Overloaded as stuck:
            self._slow(stuck)

    @property
    def format(self) -> AudioFormat:
        """What replies are made in; what the client plays is made of it at the very end."""
        return AudioFormat(RATE)

    def write(self, audio: ReplyAudio) -> None:
        """See AudioSink."""
        self._core.sounded(audio)

    def pause(self, stamp: Stamp) -> None:
        """The client cannot be told; what it was sent ahead is little."""

    def resume(self, stamp: Stamp) -> None:
        """See ``pause``."""

    def clear(self, stamp: Stamp) -> None:
        """This generation and older ones are over."""
        self.outbox.drop_audio(stamp.generation)

    def _told(self, event: SessionEvent) -> None:
        self._core.told(event)
        if self._around.observer is not None:
            self._around.observer(event)
        if isinstance(event, SessionFailed) and event.code in OVER:
            self.refuse(event.code, event.message)
        elif self._leaving is not None and not self._core.busy:
            self.leave(self._leaving, now=True)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _slow(self, error: Overloaded) -> None:
        self.stuck = True
        _logger.info("a client does not read: %s", error.message)
        self._end(Close(TRY_LATER, "the client does not read"))

    def _crashed(self, error: Exception) -> None:
        _logger.error("a connection failed", exc_info=error)
        bug = InternalError("something broke on the server; the log says what", cause=error)
        self._core.teller.error(bug.code, bug.message)
        self._end(Close(INTERNAL, bug.code))

    def _end(self, close: Close) -> None:
        self.outbox.end(close)
        self._forget_close()
        self._forget_close = self._around.clock.call_later(self._around.limits.close_wait, self._finish)

    def _finish(self) -> None:
        self._over = True
        self._changed.notify()

    async def _then_over(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._finish()
