"""Short computations that must not run on the event loop: a bounded pool of threads for work that lets the interpreter go.

For codecs and checksums, whose libraries release the interpreter lock. Engines belong in worker processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from vivavoce.contracts.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")


BACKGROUND = 8
"""Threads of a loop for what blocks for a moment (``asyncio.to_thread``: files, starting processes, fetching a model),
however many cores there are."""


def background() -> ThreadPoolExecutor:
    """What a loop is given as its executor. Its threads start when they are first wanted, and stay."""
    return ThreadPoolExecutor(BACKGROUND, thread_name_prefix="vivavoce-background")


class OffLoop:
    """``threads`` at work, at most ``waiting`` more calls behind them; further ones are refused."""

    def __init__(self, threads: int = 2, waiting: int = 256) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="vivavoce-offloop")
        self._limit = threads + waiting
        self._pending = 0

    @property
    def pending(self) -> int:
        """Calls in progress or waiting."""
        return self._pending

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work`` in a thread. Raises Overloaded when too much waits, and whatever ``work`` raises.

        A caller that is cancelled lets go at once; what has begun runs to its end, what has not is dropped.
        """
        if self._pending >= self._limit:
            raise Overloaded("too many computations wait; try again in a moment", retry_after=1)
        loop = asyncio.get_running_loop()  # before the work begins: it may be over at once
        self._pending += 1
        future = self._pool.submit(work, *args, **kwargs)
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        return await asyncio.wrap_future(future)

    def _done(self) -> None:
        self._pending -= 1

    def close(self) -> None:
        """Drop what waits; what has begun ends by itself. Idempotent."""
        self._pool.shutdown(wait=False, cancel_futures=True)
