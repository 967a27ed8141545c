"""One client on `/ws/audio`: a reader, a writer, and between them a session."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

from vivavoce.contracts.errors import (
    InternalError,
    InvalidRequest,
    LimitExceeded,
    Overloaded,
    ProtocolViolation,
    VivavoceError,
)
from vivavoce.flow.tasks import Signal, TaskScope
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.ports import SessionPorts
from vivavoce.transports.direct import DirectWebSocket
from vivavoce.transports.limits import Budgets
from vivavoce.transports.offer import choose_language, offer_of
from vivavoce.transports.outbox import Close, write_out
from vivavoce.transports.ws import messages as said
from vivavoce.transports.ws.events import Farewell, Pong
from vivavoce.transports.ws.link import Link, Surroundings
from vivavoce.transports.ws.negotiation import agree, patient
from vivavoce.transports.ws.post import TRY_LATER, Post
from vivavoce.transports.ws.protocol import NOWHERE, check_audio, encode, encode_error, parse_text
from vivavoce.transports.ws.replay import Replay

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "websocket"
NORMAL, GOING_AWAY, POLICY, INTERNAL = 1000, 1001, 1008, 1011
REPLACED = 4001
"""Close code of a connection whose session goes on over another."""

_logger = logging.getLogger(__name__)

_ACTIONS: dict[type, Callable[[Conversation, Any], None]] = {
    said.Commit: lambda conversation, _: conversation.commit(),
    said.Interrupt: lambda conversation, _: conversation.interrupt(),
    said.TypedText: lambda conversation, message: conversation.type(message.text),
    said.SetProvider: lambda conversation, message: conversation.set_provider(message.kind, message.chosen),
    said.SetVoice: lambda conversation, message: conversation.set_voice(message.voice),
    said.SetMode: lambda conversation, message: conversation.set_mode(message.mode),
    said.Reset: lambda conversation, _: conversation.reset(),
}


class Connection:
    """Serves one accepted WebSocket until it ends. ``receive`` and ``send`` are ASGI's; ``owner`` is who connected."""

    def __init__(
        self, around: Surroundings, receive: Receive, send: Send, owner: str, direct: DirectWebSocket | None = None
    ) -> None:
        self._around = around
        self._receive = receive
        self._send = send
        self._owner = owner
        self._direct = direct
        self.post = Post(around.limits, around.resume, self._write_now, self._then_finish)
        self.budgets = Budgets(around.limits)
        self.bad_messages = 0
        self._link: Link | None = None
        self._leaving: str | None = None
        self._final = False
        self._over = self._replaced = False
        self._changed = Signal()
        self._timers: list[Callable[[], None]] = []

    async def run(self) -> Link | None:
        """Read and write until the client goes, the server says goodbye, or the client stops reading.

        Return the session if it outlives the connection: the caller is to wait for its client and to close it.
        """
        scope = TaskScope(self._crashed, limit=2)
        self._timers.append(self._around.clock.call_later(self._around.limits.first_message, self._said_nothing))
        kept = False
        try:
            scope.start(self._then_over(self._read()), name="websocket reader")
            scope.start(self._then_over(write_out(self.post.outbox, self._send)), name="websocket writer")
            while not self._over:
                await self._changed.wait()
            kept = not (self._final or self.post.ended or self._around.sessions.draining) and self._around.resume.on
        finally:
            for cancel in self._timers:
                cancel()
            await scope.close()
            self._stop_listening()
            link = self._link
            mine = link is not None and link.lose(self)
            if link is not None and mine and not kept:
                self._around.links.remove(link)
                await self._around.sessions.close(link.conversation)
        return link if mine and kept else None

    # --- for the session (see Line)

    def go_on_with(self, link: Link, items: list[str | tuple[int, bytes]]) -> None:
        """Carry this session from now on, beginning with what the client missed."""
        self.post.outbox.begin_with(items)
        self._carry(link)

    def replaced(self) -> None:
        """Another connection carries the session from now on."""
        self._stop_listening()
        self._link, self._replaced = None, True
        self.post.replay = Replay(self._around.resume)
        self.post.end(Close(REPLACED, "the session goes on over another connection"))

    def calmed(self) -> None:
        """The reply in progress is over."""
        if self._leaving is not None:
            self.leave(self._leaving, now=True)

    def leave(self, reason: str, *, now: bool) -> None:
        """Say goodbye: ``now``, or when the reply in progress is over."""
        self._leaving = reason
        if now or self._link is None or not self._link.busy:
            self.post.end(Close(GOING_AWAY, reason), encode(Farewell(reason=reason)))

    # --- reading

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._final = self._final or message.get("code") == NORMAL
                return
            if self._replaced:
                continue  # what still comes belongs to a session that goes on elsewhere
            pcm = message.get("bytes")
            if pcm is None:
                await self._control(message["text"])
            elif self._link is not None or await self._open_for(pcm):
                self._hear(pcm)

    def _hear_directly(self, pcm: bytes) -> None:
        """Audio that came the short way. Nobody above would hear of a bug of ours, so it ends the connection here."""
        try:
            self._hear(pcm)
        except Exception as error:  # noqa: BLE001 - the border of a callback
            self._crashed(error)

    def _hear(self, pcm: bytes) -> None:
        """The hot path: 50 times a second and session."""
        link = self._link
        if link is None:
            return  # another connection has taken the session over
        now = self._around.clock.now()
        try:
            check_audio(pcm)
            link.hear(pcm, dropped=not self.budgets.audio(now, len(pcm)))
        except InvalidRequest as error:
            self._bad(error, now)
        except VivavoceError as error:
            if isinstance(error, LimitExceeded):
                link.hear(pcm, dropped=True)
            self._complain(error)

    async def _control(self, text: str) -> None:
        now = self._around.clock.now()
        if self.budgets.refuses(now):
            return
        try:
            message = parse_text(text)
            if self._link is not None:
                self._link.heard_from()
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
            self.post.tell(encode(Pong(id=message.id)))
        elif isinstance(message, said.Goodbye):
            reason = "the client said goodbye"
            self.post.end(Close(NORMAL, reason), encode(Farewell(reason=reason)))
        elif isinstance(message, said.Hello | said.Resume):
            if self._link is not None:
                raise ProtocolViolation(f"the session is open: `{message.type}` can only be the first message")
            await (self._open(message) if isinstance(message, said.Hello) else self._resume(message))
        else:
            if self._link is None:
                await self._open(said.Hello())
            if self._link is not None:
                _perform(self._link, message, self._around.sessions.ports)

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
        return self._link is not None

    async def _open(self, hello: said.Hello) -> None:
        """Open the session. Raises UnknownName; any other failure ends the connection."""
        sessions = self._around.sessions
        agreement = agree(hello, sessions.options.conversation, sessions.ports)
        link = Link(agreement, self._owner, self, self._around.observer)
        self.post.outbox.hold()  # what the session tells while it starts belongs behind `ready`
        try:
            options = patient(agreement.options, self._around.resume.resume_window)
            conversation = await sessions.open(TRANSPORT, options, link.speaker, link.told)
        except VivavoceError as error:
            self.post.outbox.release()
            if isinstance(error, InvalidRequest):
                raise
            self.post.end(Close(TRY_LATER if error.retryable else INTERNAL, error.code), encode_error(error))
            return
        link.begin(conversation, self._around.limits, self._around.resume)
        self.post.outbox.release()
        self._around.links.add(link)
        self._carry(link)
        for kind in agreement.wished:
            conversation.set_provider(kind, agreement.providers[kind])

    async def _resume(self, wish: said.Resume) -> None:
        """Go on with a session. Raises UnknownName (``session_not_found``), InvalidRequest (``resume_gap``)."""
        links = self._around.links
        if self._around.sessions.draining:
            error = Overloaded("the server is stopping; connect again in a few seconds", code="draining", retry_after=5)
            self.post.end(Close(TRY_LATER, error.code), encode_error(error))
            return
        try:
            link = links.find(wish.session, wish.token, self._owner)
            link.return_over(self, wish, self._around.sessions, self._around.resume)
        except InvalidRequest:
            links.counts["resume_refused"] += 1
            raise
        links.counts["resumed"] += 1

    def _carry(self, link: Link) -> None:
        self._link, self.post.replay = link, link.replay
        self.budgets.set_rate(link.agreement.input_rate)
        if self._direct is not None:
            self._direct.listener = self._hear_directly

    def _stop_listening(self) -> None:
        if self._direct is not None:
            self._direct.listener = None

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
        self.post.complain(error, NOWHERE if self._link is None else self._link.stamp)

    def _said_nothing(self) -> None:
        if self._link is None:
            reason = f"no message within {self._around.limits.first_message:g} s"
            self.post.end(Close(POLICY, reason), encode(Farewell(reason=reason)))

    def _crashed(self, error: Exception) -> None:
        _logger.error("a connection failed", exc_info=error)
        bug = InternalError("something broke on the server; the log says what", cause=error)
        self.post.end(Close(INTERNAL, bug.code), encode_error(bug))

    def _then_finish(self) -> None:
        self._timers.append(self._around.clock.call_later(self._around.limits.close_wait, self._finish))

    def _finish(self) -> None:
        self._over = True
        self._changed.notify()

    async def _then_over(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        self._finish()


def _perform(link: Link, message: said.ClientMessage, ports: SessionPorts) -> None:
    if isinstance(message, said.Played):
        link.played(message.generation, message.samples)
    elif isinstance(message, said.SetLanguage):
        link.conversation.set_language(choose_language(offer_of(ports), message.language))
    else:
        _ACTIONS[type(message)](link.conversation, message)
