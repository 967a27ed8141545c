"""Speech that one request writes piece by piece and another hears: sessions by id, bounded, forgotten when idle."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from vivavoce.contracts.errors import InvalidRequest, Overloaded, UnknownName
from vivavoce.contracts.ports import Clock, TextToSpeech
from vivavoce.contracts.speech import SpokenAudio, SynthesisOptions
from vivavoce.flow.tasks import first_within
from vivavoce.sessions.speech import Speech, SpeechLimits


@dataclass(frozen=True, slots=True)
class SpeechSessionOptions:
    """Speech sessions of a server."""

    max_sessions: int = field(default=64, metadata={"min": 1})
    """Sessions at one time; beyond it a new one is refused."""
    idle: float = field(default=60.0, metadata={"min": 1})
    """Seconds without text, without a listener and without an end after which a session is cancelled."""
    max_text: int = field(default=100_000, metadata={"min": 1})
    """Characters of one session."""
    max_waiting: int = field(default=10_000, metadata={"min": 1})
    """Characters appended ahead of the voice; beyond it an append waits."""
    patience: float = 10.0
    """Seconds an append waits for the voice; then it is refused."""


class SpeechSession:
    """One writer, one listener."""

    def __init__(self, id: str, speech: Speech, patience: float, stirred: Callable[[], None]) -> None:
        self.id = id
        self.listening = False
        self.characters = 0
        self._speech = speech
        self._patience = patience
        self._stirred = stirred

    @property
    def waiting(self) -> int:
        """Characters not yet handed to the voice."""
        return self._speech.waiting

    @property
    def seconds(self) -> float:
        """Of audio heard so far."""
        return self._speech.seconds

    @property
    def complete(self) -> bool:
        """Whether all of it was said, to its end."""
        return self._speech.complete

    async def append(self, text: str, *, flush: bool = False) -> None:
        """Say this, too; waits while the voice is far behind.

        Raises Overloaded when it stays behind, InvalidText over the limit, ProtocolViolation behind ``end``.
        """
        self._stirred()
        await first_within(self._speech.room(), self._patience)
        self._speech.append(text)
        self.characters += len(text)
        if flush:
            self._speech.flush()
        self._stirred()

    async def room(self) -> None:
        """Wait, however long, until less than half of what may wait for the voice does."""
        await self._speech.room()

    def end(self) -> None:
        """No more text. Idempotent."""
        self._speech.end()
        self._stirred()

    def cancel(self) -> None:
        """Withdraw. Idempotent."""
        self._speech.cancel()

    def listen(self) -> AsyncIterator[SpokenAudio]:
        """The audio, once. Raises InvalidRequest where somebody listens already."""
        if self.listening:
            raise InvalidRequest("somebody listens to this session already; open another", code="already_listening")
        self.listening = True
        self._stirred()
        return aiter(self._speech)


class SpeechSessions:
    """All of them. Times out by the injected clock."""

    def __init__(self, options: SpeechSessionOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._live: dict[str, SpeechSession] = {}
        self._timers: dict[str, Callable[[], None]] = {}

    @property
    def options(self) -> SpeechSessionOptions:
        """The limits of each."""
        return self._options

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, id: object) -> bool:
        return id in self._live

    def open(self, tts: TextToSpeech, options: SynthesisOptions) -> SpeechSession:
        """Begin one. Raises Overloaded when there are too many, and what the voice raises."""
        if len(self._live) >= self._options.max_sessions:
            raise Overloaded(f"all {self._options.max_sessions} speech sessions are taken; try again later", retry_after=5)
        id = "speech_" + secrets.token_urlsafe(12)
        speech = Speech(tts, options, SpeechLimits(self._options.max_text, self._options.max_waiting))
        session = SpeechSession(id, speech, self._options.patience, lambda: self._stirred(id))
        self._live[id] = session
        self._stirred(id)
        return session

    def get(self, id: str) -> SpeechSession:
        """Raises UnknownName for one that is over or never was."""
        if id not in self._live:
            message = f"there is no speech session {id!r}: it has ended, was idle too long, or never was"
            raise UnknownName(message, code="not_found")
        return self._live[id]

    def close(self, session: SpeechSession) -> None:
        """End one and forget it. Idempotent."""
        session.cancel()
        self._live.pop(session.id, None)
        timer = self._timers.pop(session.id, None)
        if timer is not None:
            timer()

    def close_all(self) -> None:
        """End all of them."""
        for session in list(self._live.values()):
            self.close(session)

    def _stirred(self, id: str) -> None:
        """Somebody cares about this one: wait anew. A session that is listened to lives as long as its listener."""
        timer = self._timers.pop(id, None)
        if timer is not None:
            timer()
        session = self._live.get(id)
        if session is not None and not session.listening:
            self._timers[id] = self._clock.call_later(self._options.idle, lambda: self._expire(id))

    def _expire(self, id: str) -> None:
        self._timers.pop(id, None)
        session = self._live.get(id)
        if session is not None:
            self.close(session)
