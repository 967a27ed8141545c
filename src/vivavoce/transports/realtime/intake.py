"""What a client has said and what is not done yet: in order, at a pace a recogniser can follow. Sans I/O but for a clock.

A commit holds back everything behind it until its transcript is there: what a client asks for next is about that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.ports import Clock
from vivavoce.flow.tasks import Signal
from vivavoce.transports.realtime.wire import Json

SPEED = 8.0
"""Audio handed on, in times real time, once the burst is used up."""
BURST = 20.0
"""Seconds of audio handed on at once. A recogniser's backlog holds a minute."""
FULL = 4 * 1024 * 1024
"""Bytes waiting here from which on nothing more is read from the client."""
MAX_EVENTS = 1_000
"""Events waiting, likewise."""


class Intake:
    """``handle`` is called with each event in its turn, ``hear`` with the audio it wants heard."""

    def __init__(self, clock: Clock, handle: Callable[[Json], None], hear: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._handle = handle
        self._hear = hear
        self._events: deque[tuple[Json, int]] = deque()
        self._audio: deque[tuple[bytes, float]] = deque()
        self._size = 0
        self._ahead = 0.0
        self._since = clock.now()
        self._timer: Callable[[], None] | None = None
        self._busy = False
        self._closed = False
        self.stalled: Callable[[], bool] = lambda: False
        """Whether something must happen first."""
        self.first: Callable[[], None] = lambda: None
        """Called before the next events are."""
        self.room = Signal()
        """Notified when there may be room again."""

    @property
    def full(self) -> bool:
        """Whether the client should wait."""
        return self._size >= FULL or len(self._events) >= MAX_EVENTS

    def put(self, event: Json) -> None:
        """The next event."""
        audio = event.get("audio")
        size = len(audio) if isinstance(audio, str | bytes) else 0
        self._events.append((event, size))
        self._size += size
        self.go_on()

    def put_audio(self, pcm: bytes, rate: int) -> None:
        """Audio to be heard before the next event. It is handed on in pieces of a second at most."""
        second = rate * SAMPLE_WIDTH
        for start in range(0, len(pcm), second):
            piece = pcm[start : start + second]
            self._audio.append((piece, len(piece) / second))

    def go_on_soon(self) -> None:
        """What was waited for has happened; whoever tells this may be in the middle of something."""
        if self._timer is None and not self._closed:
            self._timer = self._clock.call_later(0.0, self._due)

    def go_on(self) -> None:
        """Do what can be done now."""
        if self._busy:
            return
        self._busy = True
        try:
            self.first()
            while self._timer is None and not self._closed and (self._audio or self._events) and not self.stalled():
                self._step()
        finally:
            self._busy = False
        self.room.notify()

    def close(self) -> None:
        """Nothing more is done. Idempotent."""
        self._closed = True
        self._events.clear()
        self._audio.clear()
        if self._timer is not None:
            self._timer()
            self._timer = None
        self.room.notify()

    def _step(self) -> None:
        if not self._audio:
            event, size = self._events.popleft()
            self._size -= size
            self._handle(event)
            return
        now = self._clock.now()
        self._ahead, self._since = max(0.0, self._ahead - (now - self._since) * SPEED), now
        if self._ahead > BURST:
            self._timer = self._clock.call_later((self._ahead - BURST) / SPEED + 0.01, self._due)
            return
        pcm, seconds = self._audio.popleft()
        self._ahead += seconds
        self._hear(pcm)

    def _due(self) -> None:
        self._timer = None
        self.go_on()
