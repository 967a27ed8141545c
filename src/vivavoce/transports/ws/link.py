"""A session and its client, over one connection after the other: what outlives a connection is kept here."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Literal, Protocol

from vivavoce.audio.resample import Resampler
from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH
from vivavoce.contracts.errors import UnknownName
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
from vivavoce.flow.tasks import Signal
from vivavoce.sessions.conversation import OVER, Conversation
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.options import ResumeOptions, SocketLimits
from vivavoce.transports.ws.events import Resumption, SessionResumed
from vivavoce.transports.ws.messages import Resume
from vivavoce.transports.ws.negotiation import Agreement, ready
from vivavoce.transports.ws.post import Post
from vivavoce.transports.ws.protocol import NOWHERE, encode, encode_event
from vivavoce.transports.ws.speaker import Speaker

End = Literal["expired", "displaced", "ended"]
"""Why a session that waited for its client is over: its time was up, another needed its place, or it ended by itself."""

_HURRY = (ReplyPaused, ReplyResumed, ReplyInterrupted)


class Line(Protocol):
    """A connection, as its session sees it."""

    post: Post

    def go_on_with(self, link: Link, items: list[str | tuple[int, bytes]]) -> None:
        """Carry this session from now on, beginning with what the client missed."""

    def replaced(self) -> None:
        """Another connection carries the session from now on."""

    def calmed(self) -> None:
        """The reply in progress is over."""

    def leave(self, reason: str, *, now: bool) -> None:
        """Say goodbye: ``now``, or when the reply in progress is over."""


class Link:
    """Tells the client what happens, over the line there is; counts and keeps it for a client that comes back."""

    def __init__(self, agreement: Agreement, owner: str, line: Line, observer: EventListener | None) -> None:
        self.agreement = agreement
        self.owner = owner
        self.line: Line | None = line
        self.replay = line.post.replay
        self.speaker = Speaker(agreement.output, self.replay, line.post.way)
        self.stamp = NOWHERE
        self.busy = False
        self.input_samples = 0
        """Received from the microphone, at the client's rate."""
        self.token = self.previous_token = ""
        self.losses = 0
        """Connections lost so far."""
        self.end: End | None = None
        self._observer = observer
        self._resampler = Resampler(agreement.input_rate, HEARING.rate) if agreement.resample else None
        self._conversation: Conversation | None = None
        self._early: list[SessionEvent] = []
        self._changed = Signal()

    @property
    def conversation(self) -> Conversation:
        """Of the open session."""
        assert self._conversation is not None
        return self._conversation

    def begin(self, conversation: Conversation, limits: SocketLimits, resume: ResumeOptions) -> None:
        """The session is open: send its ``ready``, and what it told while it started."""
        resumption = self._new_token(resume) if resume.on else None
        first = self.replay.number(encode(ready(conversation.session, self.agreement, limits, resumption)))
        self._conversation = conversation
        if self.line is not None:
            self.line.post.put(first, hurry=True)
        for event in self._early:
            self.told(event)
        self._early.clear()

    def told(self, event: SessionEvent) -> None:
        """What the session tells."""
        if self._conversation is None:
            self._early.append(event)
            return
        self.stamp = getattr(event, "stamp", self.stamp)
        if isinstance(event, ReplyInterrupted):
            self.speaker.clear(event.stamp)
        text = self.replay.number(encode_event(event, self.stamp))
        if self.line is not None:
            self.line.post.put(text, hurry=isinstance(event, _HURRY))
        self._follow(event)
        if self._observer is not None:
            self._observer(event)

    def _follow(self, event: SessionEvent) -> None:
        if isinstance(event, ReplyStarted) or (isinstance(event, TranscriptUpdated) and event.final):
            self.busy = True
        elif isinstance(event, ResponseCompleted | TurnDiscarded):
            self.busy = False
            if self.line is not None:
                self.line.calmed()
        elif isinstance(event, SessionFailed) and event.code in OVER:
            if self.line is not None:
                self.line.leave(event.message, now=True)
            else:
                self.give_up("ended")

    def hear(self, pcm: bytes, *, dropped: bool = False) -> None:
        """Audio from the client: the hot path. What was ``dropped`` for coming too fast was received all the same."""
        self.previous_token = ""
        samples = len(pcm) // SAMPLE_WIDTH
        self.input_samples += samples
        if dropped:
            self.conversation.inspect.refused(samples * HEARING.rate // self.agreement.input_rate)
            return
        if self._resampler is not None:
            pcm = self._resampler.process(pcm)
        if pcm:
            self.conversation.hear(pcm)

    def played(self, generation: int, samples: int) -> None:
        """The ear has heard so much of a reply."""
        self.replay.played(generation, samples)
        self.conversation.played(generation, samples)

    def heard_from(self) -> None:
        """The client said something on this connection: it has the token of its last ``session_resumed``."""
        self.previous_token = ""

    # --- between two connections

    def lose(self, line: Line) -> bool:
        """``line`` is lost; tell whether it carried the session."""
        if self.line is not line:
            return False
        self.line = self.speaker.way = None
        self.losses += 1
        return True

    def return_over(self, line: Line, wish: Resume, sessions: Sessions, options: ResumeOptions) -> None:
        """The client is back, over ``line``. Raises InvalidRequest (``resume_gap``); then everything stays as it was."""
        missed = self.replay.missed(wish.seq, wish.generation, wish.samples)
        before = self.line
        if before is not None:
            self.lose(before)
            before.replaced()
            self.conversation.absence.begin()
        # The answer may be lost with the connection it is sent over: until the client is heard, this token is good, too.
        self.previous_token = wish.token
        resumed = SessionResumed(
            seq=wish.seq,
            session=self.conversation.session,
            input_samples=self.input_samples,
            replayed=len(missed.messages),
            resume=self._new_token(options),
        )
        self.line = line
        line.go_on_with(self, [encode(resumed), *missed.messages, *missed.audio])
        self.speaker.way = line.post.way
        line.post.way.drop(self.replay.stale)
        sessions.attach(self.conversation, wish.generation, wish.samples)
        self._changed.notify()

    def give_up(self, end: End) -> None:
        """Nobody comes back any more. Idempotent."""
        if self.end is None:
            self.end = end
            self._changed.notify()

    def expire(self, losses: int) -> None:
        """The time is up for a client lost for the ``losses``th time; it may have come back meanwhile."""
        if self.line is None and self.losses == losses:
            self.give_up("expired")

    async def settled(self, losses: int) -> bool:
        """Wait until the client is back or given up; tell whether it is back. ``losses`` is the count this began with."""
        while self.end is None:
            if self.line is not None or self.losses != losses:
                return True
            await self._changed.wait()
        return False

    def _new_token(self, options: ResumeOptions) -> Resumption:
        self.token = secrets.token_urlsafe(24)
        return Resumption(token=self.token, window_s=options.resume_window)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What connections share."""

    sessions: Sessions
    limits: SocketLimits
    clock: Clock
    observer: EventListener | None
    resume: ResumeOptions
    links: Links


class Links:
    """The sessions clients may come back to, and what became of those who were away."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self.counts = dict.fromkeys(("resumed", "resume_refused", "resume_expired", "resume_displaced"), 0)

    def add(self, link: Link) -> None:
        """An open session."""
        self._links[link.conversation.session] = link

    def remove(self, link: Link) -> None:
        """It is over. Idempotent."""
        self._links.pop(link.conversation.session, None)

    def find(self, session: str, token: str, owner: str) -> Link:
        """Raises UnknownName, the same for a session that is over, one that never was, and a wrong token or owner.

        The time this takes tells nothing about the token.
        """
        link = self._links.get(session)
        known = link is not None and link.end is None and bool(link.token) and link.owner == owner
        good = (link.token, link.previous_token or _NOBODYS) if link is not None and known else (_NOBODYS, _NOBODYS)
        right = sum([hmac.compare_digest(token.encode(), one.encode()) for one in good])
        if link is None or not known or not right:
            raise UnknownName(
                "there is no such session to go on with: its time was up, or the token is not its last one; "
                "open another with `hello`",
                code="session_not_found",
            )
        return link

    def give_up_all(self) -> None:
        """The server stops: nobody is waited for."""
        for link in list(self._links.values()):
            if link.line is None:
                link.give_up("ended")


_NOBODYS = secrets.token_urlsafe(24)
