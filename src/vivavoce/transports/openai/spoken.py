"""One client on ``/v1/speech/sessions/ws``: a speech session over one socket, text in and audio out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.errors import (
    InvalidRequest,
    LimitExceeded,
    Overloaded,
    ProtocolViolation,
    VivavoceError,
)
from vivavoce.contracts.ports import Clock
from vivavoce.flow.tasks import Signal, TaskScope, first_within
from vivavoce.sessions.speech_sessions import SpeechSession, SpeechSessionOptions
from vivavoce.transports.limits import Bucket, SlidingWindow
from vivavoce.transports.openai import errors
from vivavoce.transports.openai.incremental import Incremental
from vivavoce.transports.openai.mail import Mail
from vivavoce.transports.openai.speech import RATE
from vivavoce.transports.openai.spoken_wire import Cancel, Order, Start, Text, event, failure, parse
from vivavoce.transports.openai.written import Written
from vivavoce.transports.options import SocketLimits
from vivavoce.transports.outbox import Close

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NORMAL, GOING_AWAY, POLICY, INTERNAL, TRY_LATER = 1000, 1001, 1008, 1011, 1013
MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 400.0, 4_000.0
"""Messages of a client: a language model writes a hundred tokens a second."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What connections share. ``unread`` is how long (seconds) a client may take nothing of what is sent."""

    incremental: Incremental
    options: SpeechSessionOptions
    limits: SocketLimits
    clock: Clock
    unread: float


class SpokenConnection:
    """Serves one accepted socket until it ends. ``spend`` takes characters from the client's budget.

    Nothing of a text is refused for want of room: it waits, and when twice ``max_waiting`` characters wait, the socket is
    not read any further. Until then whatever is said next, a cancellation above all, is heard at once.
    """

    def __init__(self, around: Surroundings, receive: Receive, send: Send, spend: Callable[[int], Awaitable[None]]) -> None:
        self._around = around
        self._receive = receive
        self._send = send
        self._spend = spend
        self._scope = TaskScope(self._crashed, limit=4)
        self._session: SpeechSession | None = None
        self._mail = Mail(self._progress)
        self._written = Written(around.options.max_waiting, self._mail.moved, self._complain)
        self._bad = SlidingWindow(around.limits.bad_messages, around.limits.bad_window)
        self._rate = Bucket(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE)
        self._leaving = False
        self._over = False
        self._changed = Signal()
        self._idle: Callable[[], None] = around.clock.call_later(around.limits.first_message, self._said_nothing)
        self._forget_close: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Read, speak and write until the text is said, the client goes, or the server ends it."""
        try:
            self._scope.start(self._then_over(self._read()), name="speech socket reader")
            self._scope.start(self._then_over(self._write()), name="speech socket writer")
            while not self._over:
                await self._changed.wait()
        finally:
            self._idle()
            self._forget_close()
            await self._scope.close()
            if self._session is not None:
                self._around.incremental.finish(self._session)

    def leave(self, reason: str, *, now: bool) -> None:
        """End it: ``now``, or when what has begun is said."""
        self._leaving = True
        if now or self._session is None:
            self._end(Close(GOING_AWAY, reason))

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._take(message.get("text"))
            await self._written.room()

    async def _take(self, text: str | None) -> None:
        if self._mail.ended:
            return
        try:
            if not self._rate.admit(self._around.clock.now(), 1):
                raise LimitExceeded(f"more than {MESSAGES_PER_SECOND:g} messages a second", code="too_many_messages")
            if text is None:
                raise ProtocolViolation("messages to this socket are JSON text; binary messages only come from it")
            await self._obey(parse(text))
        except InvalidRequest as error:
            self._complain(error)
        except VivavoceError as error:
            self._tell(failure(error))
            if self._session is None:
                self._end(Close(TRY_LATER if error.retryable else INTERNAL, error.code))

    async def _obey(self, order: Order) -> None:
        if isinstance(order, Start):
            self._start(order)
            return
        if self._session is None:
            raise ProtocolViolation("the first message is `start`")
        if isinstance(order, Cancel):
            self._cancel(self._session)
            return
        if isinstance(order, Text):
            await self._spend(len(order.text))
        self._stirred()
        self._written.put(order)

    def _start(self, order: Start) -> None:
        if self._session is not None:
            raise ProtocolViolation("this session has begun: open another socket for another")
        session = self._around.incremental.open(order)
        made = self._around.incremental.audio(session.id)
        self._session = session
        self._stirred()
        options = self._around.options
        limits = {"max_text": options.max_text, "max_waiting": options.max_waiting, "idle": options.idle}
        self._tell(event("started", id=session.id, media_type=made.media_type, sample_rate=RATE, limits=limits))
        self._scope.start(self._written.run(session), name="speech socket text")
        self._scope.start(self._speak(session, made.body), name="speech socket audio")

    def _cancel(self, session: SpeechSession) -> None:
        session.cancel()
        self._finished(session, "cancelled")

    # --- speaking -----------------------------------------------------------------------------------------------------

    async def _speak(self, session: SpeechSession, audio: Any) -> None:
        """Audio from the voice to the client, at the pace of its reading."""
        told = (0, 0)
        try:
            async for data in audio:
                await self._mail.give(data)
                self._stirred()
                if told != (told := (session.waiting, int(session.seconds))):
                    self._mail.moved()
        except Exception as error:  # noqa: BLE001 - the border of the door: what is no error of ours is a bug, logged
            if isinstance(error, InvalidRequest) and not session.complete:
                self._finished(session, "cancelled")  # from elsewhere, before there was anything to hear
            else:
                self._failed(errors.bug(error))
        else:
            self._finished(session, "complete" if session.complete else "cancelled")
        finally:
            await audio.aclose()

    def _finished(self, session: SpeechSession, reason: str) -> None:
        done = event("done", reason=reason, **self._account(session))
        self._end(Close(GOING_AWAY if self._leaving else NORMAL, reason), done)

    def _failed(self, error: VivavoceError) -> None:
        code = POLICY if isinstance(error, InvalidRequest) else TRY_LATER if error.retryable else INTERNAL
        self._end(Close(code, error.code), failure(error))

    # --- telling ------------------------------------------------------------------------------------------------------

    def _account(self, session: SpeechSession) -> dict[str, Any]:
        return {
            "characters": session.characters,
            "waiting": session.waiting + self._written.waiting,
            "seconds": round(session.seconds, 3),
        }

    def _progress(self) -> str:
        assert self._session is not None
        return event("progress", **self._account(self._session))

    def _tell(self, text: str) -> None:
        try:
            self._mail.tell(text)
        except Overloaded as stuck:
            self._end(Close(TRY_LATER, stuck.code))

    def _complain(self, error: InvalidRequest) -> None:
        self._tell(failure(error))
        if not self._bad.admit(self._around.clock.now()):
            self._end(Close(POLICY, "too many bad messages"))

    async def _write(self) -> None:
        while True:
            item = await self._mail.next()
            if isinstance(item, Close):
                await self._send({"type": "websocket.close", "code": item.code, "reason": item.reason[:120]})
                return
            message = {"type": "websocket.send", "text" if isinstance(item, str) else "bytes": item}
            if not await self._sent(message):
                return

    async def _sent(self, message: Message) -> bool:
        """Whether the client took it; one that is gone or takes nothing any more is told nothing else."""
        try:
            taken = await first_within(self._deliver(message), self._around.unread)
        except OSError:
            return False  # the reader hears the same
        if not taken:
            _logger.info("a client of a speech session does not read and is let go")
        return taken

    async def _deliver(self, message: Message) -> None:
        await self._send(message)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _stirred(self) -> None:
        """There is life: wait anew."""
        self._idle()
        if not self._mail.ended:
            self._idle = self._around.clock.call_later(self._around.options.idle, self._nothing_new)

    def _nothing_new(self) -> None:
        session = self._session
        if session is not None and session.waiting + self._written.waiting > 0:
            self._stirred()  # it is the voice that takes its time
            return
        message = f"no text for {self._around.options.idle:g} s; open another session when there is more to say"
        self._end(Close(POLICY, "idle"), failure(LimitExceeded(message, code="idle_timeout")))

    def _said_nothing(self) -> None:
        message = f"no `start` within {self._around.limits.first_message:g} s"
        self._end(Close(POLICY, message), failure(LimitExceeded(message, code="idle_timeout")))

    def _crashed(self, error: Exception) -> None:
        self._failed(errors.bug(error))

    def _end(self, close: Close, *last: str) -> None:
        if self._mail.ended:
            return
        self._mail.end(close, *last)
        if self._session is not None:
            self._around.incremental.finish(self._session)
        self._written.close()
        self._forget_close = self._around.clock.call_later(self._around.limits.close_wait, self._finish)

    def _finish(self) -> None:
        self._over = True
        self._changed.notify()

    async def _then_over(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._finish()
