"""An event loop whose time jumps to the next timer as soon as nothing is left to do."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

_Arguments = TypeVarTuple("_Arguments")

DEADLOCK_AFTER = 2.0
"""Real seconds without a timer, a descriptor or a thread that could go on; then the loop raises DeadlockError."""


class DeadlockError(RuntimeError):
    """Everything waits for something that nothing is left to bring about."""


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: what would have been waited is added to the loop's clock.

    Descriptors are polled first. While threads work for the loop, time stands still and the wait is real.
    """

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self.threads = 0
        self.next_timer: Callable[[], float | None] = lambda: None

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.threads:
            return super().select(DEADLOCK_AFTER if timeout is None else min(timeout, DEADLOCK_AFTER))
        if timeout is None:
            return self._wait_for_the_world()
        self._jump(timeout)
        return ready

    def _wait_for_the_world(self) -> Any:
        """No timer is left: only a descriptor or another thread can wake the loop."""
        ready = super().select(DEADLOCK_AFTER)
        # The loop's own wake-up socket is always registered; anything more may still come to life.
        if not ready and len(self.get_map()) <= 1:
            raise DeadlockError("nothing is left to do and no timer is set; see the tasks that are still waiting")
        return ready

    def _jump(self, timeout: float) -> None:
        # Adding the difference may miss the timer by a rounding error; take its own time where it is the one meant.
        due, target = self.next_timer(), self.elapsed + timeout
        self.elapsed = due if due is not None and abs(due - target) < 1e-6 else target


class _OrderedTimer(asyncio.TimerHandle):
    """Timers due at the same moment run in the order they were set, as they would in real time."""

    __slots__ = ("_order",)

    def __init__(self, when: float, callback: Any, args: Any, loop: VirtualTimeLoop, context: Context | None) -> None:
        super().__init__(when, callback, args, loop, context)
        self._order = loop.next_order()
        self._scheduled = True

    def __lt__(self, other: Any) -> bool:
        mine, theirs = self.when(), other.when()
        if mine == theirs and isinstance(other, _OrderedTimer):
            return self._order < other._order
        return bool(mine < theirs)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Drop-in loop for flows without sockets or processes: an hour passes in a millisecond.

    ``call_at`` is exact, ties keep their order, ``run_in_executor`` stops the clock until the thread is done, and a loop
    that could wait for ever raises DeadlockError.
    """

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._jumping.next_timer = lambda: self._scheduled[0].when() if self._scheduled else None
        self._order = 0

    def next_order(self) -> int:
        """A number larger than any before."""
        self._order += 1
        return self._order

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.elapsed

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As the base class, with a stable order among equals."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        timer = _OrderedTimer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        return timer

    def run_in_executor(  # type: ignore[override] # the base class is typed too narrowly to be restated
        self, executor: Any, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """As the base class; virtual time stands still until the thread is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _future: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1
