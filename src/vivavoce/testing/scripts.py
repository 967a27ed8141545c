"""What all scripted ports share: a tally of what happened to their jobs, and waits that can be ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vivavoce.contracts.ports import Clock


@dataclass(slots=True)
class Tally:
    """What became of the jobs of a scripted port. Every job opened ends as exactly one of the other three."""

    opened: int = 0
    finished: int = 0
    cancelled: int = 0
    failed: int = 0

    @property
    def live(self) -> int:
        """Jobs that have not ended."""
        return self.opened - self.finished - self.cancelled - self.failed


class EndableWait:
    """Waits on a clock for one waiter at a time; ``end`` ends the present one and all later ones at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._future: asyncio.Future[bool] | None = None
        self.ended = False

    async def until(self, moment: float) -> bool:
        """Wait until the clock shows ``moment``; tell whether it was reached (False: ended before)."""
        remaining = moment - self._clock.now()
        if remaining <= 0 and not self.ended:
            await asyncio.sleep(0)  # a consumer of instant results must not starve the loop
            return not self.ended
        return await self._wait(remaining)

    async def forever(self) -> None:
        """Wait until ended."""
        await self._wait(None)

    def end(self) -> None:
        """End waiting. Idempotent."""
        self.ended = True
        self._settle(False)

    async def _wait(self, seconds: float | None) -> bool:
        if self.ended:
            return False
        self._future = asyncio.get_running_loop().create_future()
        forget = self._clock.call_later(seconds, lambda: self._settle(True)) if seconds is not None else None
        try:
            return await self._future
        finally:
            self._future = None
            if forget is not None:
                forget()

    def _settle(self, reached: bool) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(reached)


def cycle(lines: str | Sequence[str]) -> Callable[[], str]:
    """A function that returns the next line on each call, starting over behind the last."""
    given = (lines,) if isinstance(lines, str) else tuple(lines)
    if not given:
        raise ValueError("a script needs one line at least")
    count = 0

    def following() -> str:
        nonlocal count
        count += 1
        return given[(count - 1) % len(given)]

    return following
