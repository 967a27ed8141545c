"""A client that is away: its session stands still, and goes on when the client is back with what it said meanwhile.

Session time counts samples, so for the session an absence lasts no time at all: the reply stands still, timers stand still,
and a word that was cut off is held open until its rest arrives. That rest arrives all at once; it is handed on no faster
than it is judged, because a pause in it must be seen before the speech behind it, or it would end the turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH
from vivavoce.contracts.ports import Clock
from vivavoce.sessions.driver import TurnDriver

PATIENCE = 2.0
"""Seconds after the return in which the client's audio is waited for; then time goes on without it."""
AHEAD = HEARING.samples(0.25)
"""Samples handed on beyond what is judged."""
PIECE = HEARING.samples(0.1) * SAMPLE_WIDTH
"""Bytes handed on at once."""
MAX_WAITING = HEARING.samples(30.0) * SAMPLE_WIDTH
"""Bytes that wait to be judged; beyond it all of them are handed on."""
UNJUDGED = 0.5
"""Seconds without a judgement after which all that waits is handed on: nobody is judging."""


class Absence:
    """Of one conversation. ``returning`` tells that audio is to be handed to ``hear`` here."""

    def __init__(self, driver: TurnDriver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._still = self._handing_on = False
        self._stop_patience: Callable[[], None] = _nothing
        self._stop_watch: Callable[[], None] = _nothing
        self._catching_up_until = 0.0
        self.away = False
        self.returning = False

    def begin(self) -> None:
        """The client is gone. Idempotent."""
        if self.away:
            return
        self.flush()
        self._stop()
        self.away, self.returning, self._still = True, False, True
        self._driver.stand_still()

    def end(self, generation: int | None, samples: int) -> None:
        """The client is back and holds ``samples`` of ``generation``. The reply goes on; time does with the next audio."""
        if not self.away:
            return
        self.away, self.returning = False, True
        self._catching_up_until = self._clock.now() + PATIENCE
        self._driver.listening.on_judged = self._judged
        self._stop_patience = self._clock.call_later(PATIENCE, self._go_on)
        self._driver.replies.set_away(False, generation, samples)

    def hear(self, pcm: bytes) -> None:
        """Audio of a client that is catching up."""
        self._go_on()
        for start in range(0, len(pcm), PIECE):
            self._waiting.append(pcm[start : start + PIECE])
        self._size += len(pcm)
        if self._size > MAX_WAITING or self._driver.listening.push_to_talk:
            self.flush()
        self._hand_on()

    def flush(self) -> None:
        """Hand on all that waits: the client said that it is over, or went away again."""
        self._handing_on = True
        while self._waiting:
            self._next()
        self._handing_on = False

    def close(self) -> None:
        """No timer is left. Idempotent."""
        self._stop()
        self._waiting.clear()

    def _go_on(self) -> None:
        self._stop_patience()
        if self._still:
            self._still = False
            self._driver.go_on()

    def _judged(self) -> None:
        if self._waiting and not self._handing_on:
            self._hand_on()

    def _hand_on(self) -> None:
        listening = self._driver.listening
        before = self._size
        self._handing_on = True  # some detectors judge while they are handed audio
        while self._waiting and listening.microphone.position - max(listening.judged, listening.microphone.begun) <= AHEAD:
            self._next()
        self._handing_on = False
        if self._size < before:
            self._stop_watch()
            self._stop_watch = _nothing
        if self._waiting:
            # Audio that keeps coming must not put it off.
            if self._stop_watch is _nothing:
                self._stop_watch = self._clock.call_later(UNJUDGED, self._unjudged)
        elif self._clock.now() >= self._catching_up_until:
            self.returning = False
            listening.on_judged = None

    def _unjudged(self) -> None:
        self._stop_watch = _nothing
        self.flush()

    def _next(self) -> None:
        piece = self._waiting.popleft()
        self._size -= len(piece)
        self._driver.listening.hear(piece)

    def _stop(self) -> None:
        self._stop_patience()
        self._stop_watch()
        self._stop_watch = _nothing
        self._driver.listening.on_judged = None


def _nothing() -> None:
    """No timer is set."""
