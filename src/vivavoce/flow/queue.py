"""Bounded queues. Every queue says what happens when it is full."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from enum import Enum
from typing import Generic, TypeVar

from vivavoce.contracts.errors import Overloaded

T = TypeVar("T")


class WhenFull(Enum):
    """What a full queue does with the next item."""

    WAIT = "wait"
    """The writer waits (``put``); ``offer`` raises Overloaded. For work that must not be lost: replies, files."""
    DROP_OLDEST = "drop_oldest"
    """The oldest item gives way and is counted. For a live microphone: fresh audio is worth more than old."""
    REJECT = "reject"
    """Raises Overloaded. For requests: refuse with a reason rather than serve late."""


class Closed(Exception):  # noqa: N818 - it is no error, it says that the queue has ended
    """The queue is closed and, for readers, empty."""


class BoundedQueue(Generic[T]):
    """A queue of at most ``size`` items between tasks of one loop.

    ``close`` lets readers finish what is there; iteration then ends. ``fail`` makes readers raise ``error`` once what was
    there before is read. ``dropped`` counts items that gave way.
    """

    def __init__(self, size: int, when_full: WhenFull) -> None:
        if size < 1:
            raise ValueError("a queue needs room for one item at least")
        self._size = size
        self._when_full = when_full
        self._items: deque[T] = deque()
        self._getters: deque[asyncio.Future[None]] = deque()
        self._putters: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._error: BaseException | None = None
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def size(self) -> int:
        """The bound."""
        return self._size

    @property
    def closed(self) -> bool:
        """Whether the writing side is closed."""
        return self._closed

    def offer(self, item: T) -> None:
        """Put without waiting. Raises Overloaded when full (unless the policy drops), Closed when closed."""
        if self._closed:
            raise Closed
        if len(self._items) >= self._size:
            if self._when_full is not WhenFull.DROP_OLDEST:
                raise Overloaded(f"a queue of {self._size} is full; try again later")
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        _wake_one(self._getters)

    async def put(self, item: T) -> None:
        """Put, waiting for room where the policy says so."""
        while self._when_full is WhenFull.WAIT and not self._closed and len(self._items) >= self._size:
            await _wait(self._putters)
        self.offer(item)

    async def get(self) -> T:
        """Take the oldest item, waiting for one. Raises Closed at the end, or the error the queue failed with."""
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._closed:
                raise Closed
            await _wait(self._getters)
        item = self._items.popleft()
        _wake_one(self._putters)
        return item

    def get_nowait(self) -> T | None:
        """Take the oldest item if there is one."""
        if not self._items:
            return None
        item = self._items.popleft()
        _wake_one(self._putters)
        return item

    def clear(self) -> int:
        """Throw away what is there; return how many items it was."""
        count = len(self._items)
        self._items.clear()
        _wake_all(self._putters)
        return count

    def close(self) -> None:
        """No more items. Idempotent."""
        self._closed = True
        _wake_all(self._getters)
        _wake_all(self._putters)

    def fail(self, error: BaseException) -> None:
        """Close; readers get ``error`` behind what is there."""
        if not self._closed:
            self._error = error
            self.close()

    def __aiter__(self) -> BoundedQueue[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self.get()
        except Closed:
            raise StopAsyncIteration from None


async def _wait(waiters: deque[asyncio.Future[None]]) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.append(future)
    try:
        await future
    except asyncio.CancelledError:
        if future.done() and not future.cancelled():
            _wake_one(waiters)  # the wake-up was for somebody: pass it on
        else:
            with contextlib.suppress(ValueError):  # a wake-up may have met the cancelled future first and thrown it out
                waiters.remove(future)
        raise


def _wake_one(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        future = waiters.popleft()
        if not future.done():
            future.set_result(None)
            return


def _wake_all(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        _wake_one(waiters)
