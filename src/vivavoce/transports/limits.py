"""Budgets of one connection. Time is handed in, in seconds; nothing here reads a clock."""

from __future__ import annotations

from collections import deque

from vivavoce.contracts.errors import LimitExceeded
from vivavoce.transports.options import SocketLimits


class SlidingWindow:
    """At most ``limit`` events in any ``seconds``."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=limit)

    def admit(self, now: float) -> bool:
        """Count an event; tell whether it fits."""
        times = self._times
        if len(times) == times.maxlen and now - times[0] < self._seconds:
            return False
        times.append(now)
        return True


class Bucket:
    """``rate`` units a second on average, ``burst`` at once.

    A bucket that is not empty admits one event of any size and goes into debt for it, so that the largest permitted
    message always passes on a fresh connection while the average still holds.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._since: float | None = None

    def admit(self, now: float, amount: float) -> bool:
        """Take ``amount``; tell whether it fits."""
        if self._since is not None:
            self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left <= 0:
            return False
        self._left -= amount
        return True


class Budgets:
    """All budgets of a connection. A passed limit raises LimitExceeded once; until it is over, refusal is silent.

    Answering each message of a flood would only double it.
    """

    def __init__(self, limits: SocketLimits) -> None:
        self._limits = limits
        self._control = SlidingWindow(limits.control_per_minute, 60.0)
        self._bad = SlidingWindow(limits.bad_messages, limits.bad_window)
        self._played = Bucket(limits.played_per_second, limits.played_per_second * 5)
        self._refused_until = float("-inf")
        self._audio = Bucket(0.0, 1.0)
        self._audio_refused = False
        self.refused = 0
        """Control messages ignored."""
        self.audio_dropped = 0
        """Bytes of microphone audio dropped."""

    def set_rate(self, rate: int) -> None:
        """The microphone's sample rate is known."""
        second = rate * 2.0
        self._audio = Bucket(second * self._limits.audio_speed, second * self._limits.audio_burst)

    def refuses(self, now: float) -> bool:
        """Whether control messages are ignored now; counts the one at hand."""
        if now >= self._refused_until:
            return False
        self.refused += 1
        return True

    def control(self, now: float) -> None:
        """A control message came. Raises LimitExceeded."""
        if not self._control.admit(now):
            self._refuse(now, f"more than {self._limits.control_per_minute} control messages a minute")

    def bad(self, now: float) -> None:
        """A message failed validation. Raises LimitExceeded."""
        if not self._bad.admit(now):
            self._refuse(now, f"more than {self._limits.bad_messages} bad messages in {self._limits.bad_window:g} s")

    def played(self, now: float) -> None:
        """An acknowledgement came. Raises LimitExceeded."""
        if not self._played.admit(now, 1):
            self._refuse(now, f"more than {self._limits.played_per_second} acknowledgements a second")

    def audio(self, now: float, size: int) -> bool:
        """Whether ``size`` bytes of audio fit. Raises LimitExceeded for the first that do not."""
        if self._audio.admit(now, size):
            self._audio_refused = False
            return True
        self.audio_dropped += size
        if self._audio_refused:
            return False
        self._audio_refused = True
        raise LimitExceeded(
            f"audio comes faster than {self._limits.audio_speed:g} times real time and is dropped; pace it",
            code="audio_limit_exceeded",
        )

    def _refuse(self, now: float, reason: str) -> None:
        self._refused_until = now + self._limits.refusal
        self.refused += 1
        wait = self._limits.refusal
        raise LimitExceeded(f"{reason}; control messages are ignored for {wait:g} s", retry_after=wait)
