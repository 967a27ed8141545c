"""What waits to be sent to the client of a speech session: little, because its voice waits with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.errors import Overloaded
from vivavoce.flow.tasks import Signal
from vivavoce.transports.outbox import Close

MAX_EVENTS = 64
"""Events waiting; a client that has as many unread does not read."""

Item = str | bytes | Close


class Mail:
    """Events in order, the newest progress, one piece of audio.

    Progress is a state, of which only the newest is worth sending: however slowly a client reads, taking its text never
    waits for it. Audio waits for its reader, and the voice for the audio.
    """

    def __init__(self, progress: Callable[[], str]) -> None:
        self._progress = progress
        self._due = False
        self._events: deque[str] = deque()
        self._audio: bytes | None = None
        self._close: Close | None = None
        self._changed = Signal()
        self._taken = Signal()

    @property
    def ended(self) -> bool:
        """Whether nothing can be put any more."""
        return self._close is not None

    def tell(self, event: str) -> None:
        """Append an event. Raises Overloaded."""
        if self._close is not None:
            return
        if len(self._events) >= MAX_EVENTS:
            raise Overloaded("the client does not read", code="slow_client")
        self._events.append(event)
        self._changed.notify()

    def moved(self) -> None:
        """There is progress to tell."""
        self._due = True
        self._changed.notify()

    async def give(self, audio: bytes) -> None:
        """Hand over a piece of audio, and wait until it is on its way."""
        if self._close is not None:
            return
        self._audio = audio
        self._changed.notify()
        while self._audio is not None:
            await self._taken.wait()

    def end(self, close: Close, *last: str) -> None:
        """Drop waiting audio, append ``last`` and the end. Idempotent."""
        if self._close is not None:
            return
        self._close, self._audio, self._due = close, None, False
        self._events.extend(last)
        self._changed.notify()
        self._taken.notify()

    async def next(self) -> Item:
        """The next thing to be sent."""
        while True:
            if self._events:
                return self._events.popleft()
            if self._close is not None:
                return self._close
            if self._due:
                self._due = False
                return self._progress()
            if self._audio is not None:
                audio, self._audio = self._audio, None
                self._taken.notify()
                return audio
            await self._changed.wait()
