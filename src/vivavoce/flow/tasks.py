"""Task scopes: every task has an owner who ends it and hears of its failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Task = asyncio.Task[None]
"""A started piece of work; ``cancel`` withdraws it."""


class TaskScope:
    """Tasks that live no longer than their owner.

    A failure of a task is told to ``on_error`` (on the loop) and ends only that task; cancellation is no failure. The
    number of live tasks is bounded by ``limit``.
    """

    def __init__(self, on_error: Callable[[Exception], None], *, limit: int = 64) -> None:
        self._tasks: dict[asyncio.Task[None], None] = {}  # in the order they were started, and so they are cancelled
        self._on_error = on_error
        self._limit = limit
        self._closed = False

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start ``work``. Raises RuntimeError when the scope is closed or full: both are bugs of the owner."""
        if self._closed or len(self._tasks) >= self._limit:
            work.close()
            raise RuntimeError(f"cannot start {name}: the scope is {'closed' if self._closed else 'full'}")
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Exception):
            self._on_error(error)
        elif error is not None:
            raise error

    async def close(self) -> None:
        """Cancel all tasks and wait until they are gone. Idempotent."""
        self._closed = True
        current = asyncio.current_task()
        pending = [task for task in self._tasks if task is not current]
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending)


class Signal:
    """Something that happens again and again: ``notify`` wakes everybody who waits now."""

    def __init__(self) -> None:
        self._waiters: dict[asyncio.Future[None], None] = {}  # a set would wake them in no stated order

    def notify(self) -> None:
        """Wake all waiters, in the order they came."""
        waiters, self._waiters = self._waiters, {}
        for future in waiters:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        """Wait for the next ``notify``."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[future] = None
        try:
            await future
        finally:
            self._waiters.pop(future, None)


async def first_within(work: Coroutine[Any, Any, Any], seconds: float) -> bool:
    """Await ``work`` for at most ``seconds``; tell whether it finished (else it is cancelled).

    Errors of ``work`` pass through, a TimeoutError of its own included.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            await work
    except TimeoutError:
        if not limit.expired():
            raise
        return False
    return True


async def unless(gone: Coroutine[Any, Any, None], work: Coroutine[Any, Any, None]) -> bool:
    """Await ``work``, and cancel it if ``gone`` ends first; tell whether ``work`` finished.

    Errors of either pass through once the other is cancelled and over.
    """
    loop = asyncio.get_running_loop()
    working, leaving = loop.create_task(work), loop.create_task(gone)
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        finished = working.done()
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})
    for task in (working, leaving):
        if not task.cancelled() and task.exception() is not None:
            task.result()
    return finished


class Gate:
    """Closed until it is opened, once; ``wait`` passes when it is open."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def open(self) -> None:
        """Let everybody pass. Idempotent."""
        self._event.set()

    @property
    def is_open(self) -> bool:
        """Whether waiting would pass at once."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Wait until the gate is open."""
        await self._event.wait()
