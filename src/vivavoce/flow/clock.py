"""The clock: the only place where time is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class SystemClock:
    """The running loop's monotonic time, so a virtual-time loop makes it virtual."""

    def now(self) -> float:
        """Monotonic seconds."""
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Suspend for ``seconds``."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once after ``seconds``; the returned function cancels."""
        return asyncio.get_running_loop().call_later(max(0.0, seconds), callback).cancel


class MonotonicClock(SystemClock):
    """As exact as the machine's clock, where a loop (uvloop) counts in whole milliseconds. Not for virtual time."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()


def now_ns() -> int:
    """Monotonic nanoseconds, for code without a loop (worker processes) and for measuring durations."""
    return time.monotonic_ns()
