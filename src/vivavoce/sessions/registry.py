"""All sessions of a server: admission, listing, drain."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vivavoce.contracts.errors import Overloaded, UnknownName
from vivavoce.contracts.ports import AudioSink, Clock, EventListener, Witness
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions, SessionOptions
from vivavoce.sessions.ports import SessionPorts
from vivavoce.sessions.strain import Strain
from vivavoce.sessions.watching import watched


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One live session, for status pages."""

    id: str
    transport: str
    age: float
    conversation: Conversation
    attached: bool = True
    """Whether its client is there."""


class Sessions:
    """Opens conversations up to a limit and ends them together."""

    def __init__(self, ports: SessionPorts, options: SessionOptions, clock: Clock, witness: Witness | None = None) -> None:
        self.ports = ports
        self._witness = witness
        self.options = options
        self._clock = clock
        self._live: dict[str, tuple[str, float, Conversation]] = {}
        self._detached: dict[str, Callable[[], None]] = {}
        self._draining = False
        self.strain = Strain(options.max_lateness)
        self.opened = 0

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[SessionInfo]:
        now = self._clock.now()
        for session, (transport, since, conversation) in list(self._live.items()):
            yield SessionInfo(session, transport, now - since, conversation, session not in self._detached)

    def find(self, id: str) -> SessionInfo:
        """Raises UnknownName for one that is over or never was."""
        found = next((info for info in self if info.id == id), None)
        if found is None:
            raise UnknownName("no session has this identifier; it may be over", code="not_found")
        return found

    @property
    def draining(self) -> bool:
        """Whether the server is stopping."""
        return self._draining

    async def open(
        self, transport: str, options: ConversationOptions, sink: AudioSink, listener: EventListener
    ) -> Conversation:
        """Open and start a conversation. Raises Overloaded with a reason when full, behind or stopping."""
        if self._draining:
            raise Overloaded("the server is stopping; connect again in a few seconds", code="draining", retry_after=5)
        if len(self._live) >= self.options.max_sessions and not self._give_way():
            raise Overloaded(f"all {self.options.max_sessions} sessions are taken; try again later", retry_after=10)
        if self.strain.strained:
            late = round(1000 * self.strain.lateness)
            raise Overloaded(f"the server is {late} ms behind; come back later", code="strained", retry_after=5)
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
        self._detached.pop(conversation.session, None)
        await conversation.close()

    @property
    def detached(self) -> int:
        """Sessions whose client is away."""
        return len(self._detached)

    def detach(self, conversation: Conversation, give_way: Callable[[], None], at_most: int) -> None:
        """The client is away. The session counts as before, but the one that is away longest gives way to a new session,
        and to others that are away where there are more than ``at_most``: ``give_way`` is called, and is to close it.
        """
        conversation.absence.begin()
        self._detached[conversation.session] = give_way
        if len(self._detached) > at_most:
            self._give_way()

    def attach(self, conversation: Conversation, generation: int | None, samples: int) -> None:
        """The client is back, and holds ``samples`` of the reply ``generation``."""
        self._detached.pop(conversation.session, None)
        conversation.absence.end(generation, samples)

    def _give_way(self) -> bool:
        oldest = next(iter(self._detached), None)
        if oldest is None:
            return False
        self._live.pop(oldest, None)
        self._detached.pop(oldest)()
        return True

    def stop_admitting(self) -> None:
        """Refuse new sessions from now on."""
        self._draining = True
