"""All sessions of a server: admission, listing, drain."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from vivavoce.contracts.errors import Overloaded
from vivavoce.contracts.ports import AudioSink, Clock, EventListener, Witness
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions, SessionOptions
from vivavoce.sessions.ports import SessionPorts
from vivavoce.sessions.watching import watched


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One live session, for status pages."""

    id: str
    transport: str
    age: float
    conversation: Conversation


class Sessions:
    """Opens conversations up to a limit and ends them together."""

    def __init__(self, ports: SessionPorts, options: SessionOptions, clock: Clock, witness: Witness | None = None) -> None:
        self.ports = ports
        self._witness = witness
        self.options = options
        self._clock = clock
        self._live: dict[str, tuple[str, float, Conversation]] = {}
        self._draining = False
        self.opened = 0

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[SessionInfo]:
        now = self._clock.now()
        for session, (transport, since, conversation) in list(self._live.items()):
            yield SessionInfo(session, transport, now - since, conversation)

    @property
    def draining(self) -> bool:
        """Whether the server is stopping."""
        return self._draining

    async def open(
        self, transport: str, options: ConversationOptions, sink: AudioSink, listener: EventListener
    ) -> Conversation:
        """Open and start a conversation. Raises Overloaded with a reason when full or stopping."""
        if self._draining:
            raise Overloaded("the server is stopping; connect again in a few seconds", code="draining", retry_after=5)
        if len(self._live) >= self.options.max_sessions:
            raise Overloaded(f"all {self.options.max_sessions} sessions are taken; try again later", retry_after=10)
        session = "sess_" + secrets.token_urlsafe(12)
        watch = None if self._witness is None else self._witness.watch(session, transport, sink.format.rate)
        if watch is not None:
            sink, listener = watched(watch, sink, listener)
        conversation = Conversation(session, self.ports, options, sink, listener, self._clock)
        if watch is not None and watch.listens:
            conversation.direct.tap(watch.heard)
        self._live[session] = (transport, self._clock.now(), conversation)
        self.opened += 1
        try:
            await conversation.start()
        except BaseException:
            await self.close(conversation)
            raise
        return conversation

    async def close(self, conversation: Conversation) -> None:
        """End a conversation and forget it. Idempotent."""
        self._live.pop(conversation.session, None)
        await conversation.close()

    def stop_admitting(self) -> None:
        """Refuse new sessions from now on."""
        self._draining = True
