"""One client on `/ws/audio`: a reader, a writer, and between them a session."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

from vivavoce.audio.resample import Resampler
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import (
    InternalError,
    InvalidRequest,
    LimitExceeded,
    Overloaded,
    ProtocolViolation,
    VivavoceError,
)
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ResponseCompleted,
    SessionEvent,
    SessionFailed,
    TranscriptUpdated,
    TurnDiscarded,
)
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.flow.tasks import Signal, TaskScope
from vivavoce.sessions.conversation import EXPIRED, Conversation
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.direct import DirectWebSocket
from vivavoce.transports.limits import Budgets
from vivavoce.transports.offer import choose_language, offer_of
from vivavoce.transports.options import SocketLimits
from vivavoce.transports.outbox import Close, Outbox, write_out
from vivavoce.transports.ws import messages as said
from vivavoce.transports.ws.events import Farewell, Pong
from vivavoce.transports.ws.negotiation import Agreement, agree, ready
from vivavoce.transports.ws.protocol import NOWHERE, check_audio, encode, encode_error, encode_event, parse_text
from vivavoce.transports.ws.speaker import Speaker

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "websocket"
NORMAL, GOING_AWAY, POLICY, INTERNAL, TRY_LATER = 1000, 1001, 1008, 1011, 1013

_logger = logging.getLogger(__name__)
_HURRY = (ReplyPaused, ReplyResumed, ReplyInterrupted)

_ACTIONS: dict[type, Callable[[Conversation, Any], None]] = {
    said.Commit: lambda conversation, _: conversation.commit(),
    said.Interrupt: lambda conversation, _: conversation.interrupt(),
    said.TypedText: lambda conversation, message: conversation.type(message.text),
    said.SetProvider: lambda conversation, message: conversation.set_provider(message.kind, message.chosen),
    said.SetVoice: lambda conversation, message: conversation.set_voice(message.voice),
    said.SetMode: lambda conversation, message: conversation.set_mode(message.mode),
    said.Reset: lambda conversation, _: conversation.reset(),
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What connections share."""

    sessions: Sessions
    limits: SocketLimits
    clock: Clock
    observer: EventListener | None = None


class Connection:
    """Serves one accepted WebSocket until it ends. ``receive`` and ``send`` are ASGI's."""

    def __init__(self, around: Surroundings, receive: Receive, send: Send, direct: DirectWebSocket | None = None) -> None:
        self._around = around
        self._receive = receive
        self._send = send
        self._direct = direct
        self.outbox = Outbox(around.limits.outbox_messages, around.limits.outbox_bytes)
        self.budgets = Budgets(around.limits)
        self.bad_messages = 0
        self.stuck = False
        self._conversation: Conversation | None = None
        self._resampler: Resampler | None = None
        self._stamp = NOWHERE
        self._busy = False
        self._leaving: str | None = None
        self._over = False
        self._changed = Signal()
        self._timers: list[Callable[[], None]] = []

    async def run(self) -> None:
        """Read and write until the client goes, the server says goodbye, or the client stops reading."""
        scope = TaskScope(self._crashed, limit=2)
        self._timers.append(self._around.clock.call_later(self._around.limits.first_message, self._said_nothing))
        try:
            scope.start(self._then_over(self._read()), name="websocket reader")
            scope.start(self._then_over(write_out(self.outbox, self._send)), name="websocket writer")
            while not self._over:
                await self._changed.wait()
        finally:
            for cancel in self._timers:
                cancel()
            await scope.close()
            if self._direct is not None:
                self._direct.listener = None
            if self._conversation is not None:
                await self._around.sessions.close(self._conversation)

    def leave(self, reason: str, *, now: bool) -> None:
        """Say goodbye: ``now``, or when the reply in progress is over."""
        self._leaving = reason
        if now or not self._busy:
            self._end(Close(GOING_AWAY, reason), encode(Farewell(reason=reason)))

    # --- reading

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            pcm = message.get("bytes")
            if pcm is None:
                await self._control(message["text"])
            elif self._conversation is not None or await self._open_for(pcm):
                self._hear(pcm)

    def _hear_directly(self, pcm: bytes) -> None:
        """Audio that came the short way. Nobody above would hear of a bug of ours, so it ends the connection here."""
        try:
            self._hear(pcm)
        except Exception as error:  # noqa: BLE001 - the border of a callback
            self._crashed(error)

    def _hear(self, pcm: bytes) -> None:
        """The hot path: 50 times a second and session."""
        assert self._conversation is not None
        now = self._around.clock.now()
        try:
            check_audio(pcm)
            if not self.budgets.audio(now, len(pcm)):
                return
            if self._resampler is not None:
                pcm = self._resampler.process(pcm)
            if pcm:
                self._conversation.hear(pcm)
        except InvalidRequest as error:
            self._bad(error, now)
        except VivavoceError as error:
            self._complain(error)

    async def _control(self, text: str) -> None:
        now = self._around.clock.now()
        if self.budgets.refuses(now):
            return
        try:
            message = parse_text(text)
            if isinstance(message, said.Played):
                self.budgets.played(now)
            else:
                self.budgets.control(now)
            await self._obey(message)
        except InvalidRequest as error:
            self._bad(error, now)
        except VivavoceError as error:
            self._complain(error)

    async def _obey(self, message: said.ClientMessage) -> None:
        if isinstance(message, said.Ping):
            self._put(encode(Pong(id=message.id)))
        elif isinstance(message, said.Goodbye):
            reason = "the client said goodbye"
            self._end(Close(NORMAL, reason), encode(Farewell(reason=reason)))
        elif isinstance(message, said.Hello):
            if self._conversation is not None:
                raise ProtocolViolation("the session is open: `hello` can only be the first message")
            await self._open(message)
        else:
            if self._conversation is None:
                await self._open(said.Hello())
            if self._conversation is not None:
                self._perform(self._conversation, message)

    def _perform(self, conversation: Conversation, message: said.ClientMessage) -> None:
        if isinstance(message, said.Played):
            conversation.played(message.generation, message.samples)
        elif isinstance(message, said.SetLanguage):
            conversation.set_language(choose_language(offer_of(self._around.sessions.ports), message.language))
        else:
            _ACTIONS[type(message)](conversation, message)

    # --- opening

    async def _open_for(self, pcm: bytes) -> bool:
        """Audio came first: open with defaults. Tells whether that worked."""
        now = self._around.clock.now()
        if self.budgets.refuses(now):
            return False
        try:
            check_audio(pcm)
            await self._open(said.Hello())
        except InvalidRequest as error:
            self._bad(error, now)
        return self._conversation is not None

    async def _open(self, hello: said.Hello) -> None:
        """Open the session. Raises UnknownName; any other failure ends the connection."""
        sessions = self._around.sessions
        agreement = agree(hello, sessions.options.conversation, sessions.ports)
        speaker = Speaker(agreement.output, self.outbox, self._write_now, self._slow)
        self.outbox.hold()  # what the session tells while it starts belongs behind `ready`
        try:
            conversation = await sessions.open(TRANSPORT, agreement.options, speaker, self._told)
        except VivavoceError as error:
            self.outbox.release()
            if isinstance(error, InvalidRequest):
                raise
            self._end(Close(TRY_LATER if error.retryable else INTERNAL, error.code), encode_error(error, self._stamp))
            return
        self._begin(conversation, agreement)

    def _begin(self, conversation: Conversation, agreement: Agreement) -> None:
        self._conversation = conversation
        self.outbox.release(encode(ready(conversation.session, agreement, self._around.limits)))
        self.budgets.set_rate(agreement.input_rate)
        if agreement.resample:
            self._resampler = Resampler(agreement.input_rate, HEARING.rate)
        for kind in agreement.wished:
            conversation.set_provider(kind, agreement.providers[kind])
        if self._direct is not None:
            self._direct.listener = self._hear_directly

    # --- what the session tells

    def _told(self, event: SessionEvent) -> None:
        self._stamp = getattr(event, "stamp", self._stamp)
        if isinstance(event, ReplyInterrupted):
            self.outbox.drop_audio(event.stamp.generation)
        self._put(encode_event(event, self._stamp), hurry=isinstance(event, _HURRY))
        if isinstance(event, ReplyStarted) or (isinstance(event, TranscriptUpdated) and event.final):
            self._busy = True
        elif isinstance(event, ResponseCompleted | TurnDiscarded):
            self._busy = False
            if self._leaving is not None:
                self.leave(self._leaving, now=True)
        elif isinstance(event, SessionFailed) and event.code == EXPIRED:
            self.leave(event.message, now=True)
        if self._around.observer is not None:
            self._around.observer(event)

    def _write_now(self, frame: bytes) -> bool:
        return self._direct is not None and self._direct.write_now(frame)

    # --- complaining and ending

    def _bad(self, error: InvalidRequest, now: float) -> None:
        self.bad_messages += 1
        if self.budgets.refuses(now):
            return
        self._complain(error)
        try:
            self.budgets.bad(now)
        except LimitExceeded as limit:
            self._complain(limit)

    def _complain(self, error: VivavoceError) -> None:
        self._put(encode_error(error, self._stamp))

    def _put(self, text: str, *, hurry: bool = False) -> None:
        try:
            self.outbox.put(text, hurry=hurry)
        except Overloaded as stuck:
            self._slow(stuck)

    def _slow(self, error: Overloaded) -> None:
        self.stuck = True
        self._end(Close(TRY_LATER, "the client does not read"), encode_error(error, self._stamp))

    def _said_nothing(self) -> None:
        if self._conversation is None:
            reason = f"no message within {self._around.limits.first_message:g} s"
            self._end(Close(POLICY, reason), encode(Farewell(reason=reason)))

    def _crashed(self, error: Exception) -> None:
        _logger.error("a connection failed", exc_info=error)
        bug = InternalError("something broke on the server; the log says what", cause=error)
        self._end(Close(INTERNAL, bug.code), encode_error(bug, self._stamp))

    def _end(self, close: Close, *last: str) -> None:
        self.outbox.end(close, *last)
        self._timers.append(self._around.clock.call_later(self._around.limits.close_wait, self._finish))

    def _finish(self) -> None:
        self._over = True
        self._changed.notify()

    async def _then_over(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._finish()
