"""Bounded queues against a model: whatever is cancelled, no item is lost, doubled or reordered, and nobody waits in vain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.flow.virtual import run, settle
from vivavoce.contracts.errors import Overloaded, WorkerLost
from vivavoce.flow.queue import BoundedQueue, Closed, WhenFull

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["offer", "put", "put", "get", "get", "get_nowait", "cancel", "cancel", "tick", "settle", "clear"]),
        st.integers(0, 7),
    ),
    max_size=60,
)


class World:
    """A queue, everybody who waits at it, and the books about each item."""

    def __init__(self, size: int, policy: WhenFull) -> None:
        world = self

        class Booked(BoundedQueue[int]):
            def offer(self, item: int) -> None:
                super().offer(item)
                world.inserted.append(item)

        self.queue = Booked(size, policy)
        self.policy = policy
        self.inserted: list[int] = []
        self.got: list[int] = []
        self.cleared = 0
        self.next = 0
        self.tasks: list[asyncio.Task[Any]] = []
        self.getting = 0
        self.putting = 0
        self.errors: list[BaseException] = []

    async def put(self, item: int) -> None:
        self.putting += 1
        try:
            await self.queue.put(item)
        except (Closed, Overloaded) as error:
            self.errors.append(error)
        finally:
            self.putting -= 1

    async def get(self) -> None:
        self.getting += 1
        try:
            self.got.append(await self.queue.get())
        except (Closed, WorkerLost) as error:
            self.errors.append(error)
        finally:
            self.getting -= 1

    def start(self, work: Any) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def do(self, operation: str, which: int) -> None:
        self.next += 1
        if operation == "offer":
            full = len(self.queue) == self.queue.size
            try:
                self.queue.offer(self.next)
                assert not full or self.policy is WhenFull.DROP_OLDEST
            except Overloaded:
                assert full
                assert self.policy is not WhenFull.DROP_OLDEST
        elif operation == "put":
            self.start(self.put(self.next))
        elif operation == "get":
            self.start(self.get())
        elif operation == "get_nowait":
            item = self.queue.get_nowait()
            if item is not None:
                self.got.append(item)
        elif operation == "cancel" and self.tasks:
            self.tasks[which % len(self.tasks)].cancel()
        elif operation == "tick":
            await asyncio.sleep(0)
        elif operation == "settle":
            await settle()
            self.nobody_waits_in_vain()
        elif operation == "clear":
            self.cleared += self.queue.clear()
        self.books()

    def nobody_waits_in_vain(self) -> None:
        assert not (self.getting and len(self.queue)), "a reader sleeps before a queue with items"
        assert not (self.putting and len(self.queue) < self.queue.size), "a writer sleeps before a queue with room"

    def books(self) -> None:
        assert len(self.queue) <= self.queue.size
        assert len(self.inserted) == len(self.got) + self.cleared + self.queue.dropped + len(self.queue)
        places = [self.inserted.index(item) for item in self.got]
        assert places == sorted(set(places)), "items doubled or out of order"
        if self.policy is not WhenFull.DROP_OLDEST:
            assert self.queue.dropped == 0
            if not self.cleared:
                assert self.got == self.inserted[: len(self.got)]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            outcomes = await asyncio.gather(*self.tasks, return_exceptions=True)
            assert all(outcome is None or isinstance(outcome, asyncio.CancelledError) for outcome in outcomes), outcomes


@settings(max_examples=600, deadline=None)
@given(st.integers(1, 3), st.sampled_from(WhenFull), OPERATIONS)
def test_no_item_is_lost_and_nobody_waits_in_vain(size: int, policy: WhenFull, operations: list[tuple[str, int]]) -> None:
    async def play() -> None:
        world = World(size, policy)
        for operation, which in operations:
            await world.do(operation, which)
        await settle()
        world.nobody_waits_in_vain()
        world.books()
        await world.end()

    run(play())


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3), st.sampled_from(WhenFull), OPERATIONS, st.booleans())
def test_the_end_reaches_everybody(size: int, policy: WhenFull, operations: list[tuple[str, int]], fails: bool) -> None:
    async def play() -> None:
        world = World(size, policy)
        for operation, which in operations:
            await world.do(operation, which)
        left = len(world.queue)
        before = len(world.got)
        if fails:
            world.queue.fail(WorkerLost("gone"))
        else:
            world.queue.close()
        await settle()
        assert world.getting == world.putting == 0, "somebody still waits at a closed queue"
        assert len(world.queue) + len(world.got) - before == left, "the end lost what was there"
        while len(world.queue):
            await world.get()
        await world.get()
        assert isinstance(world.errors[-1], WorkerLost if fails else Closed)
        with pytest.raises(Closed):
            world.queue.offer(0)
        with pytest.raises(Closed):
            await world.queue.put(0)
        world.books()
        await world.end()

    run(play())


async def test_a_cancelled_waiter_met_by_a_wake_up_does_not_fail() -> None:
    """The wake-up comes after the cancellation and before the waiter has run."""
    queue: BoundedQueue[int] = BoundedQueue(1, WhenFull.WAIT)
    waiter = asyncio.get_running_loop().create_task(queue.get())
    await settle()
    waiter.cancel()
    queue.offer(1)
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert await queue.get() == 1


async def test_a_cancelled_waiter_passes_its_wake_up_on() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1, WhenFull.WAIT)
    first, second = (asyncio.get_running_loop().create_task(queue.get()) for _ in range(2))
    await settle()
    queue.offer(1)
    first.cancel()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_iteration_reads_to_the_end_and_raises_what_the_queue_failed_with() -> None:
    closed: BoundedQueue[int] = BoundedQueue(3, WhenFull.REJECT)
    failed: BoundedQueue[int] = BoundedQueue(3, WhenFull.REJECT)
    for item in (1, 2):
        closed.offer(item)
        failed.offer(item)
    closed.close()
    failed.fail(WorkerLost("gone"))
    failed.close()
    assert [item async for item in closed] == [1, 2]
    seen = []
    with pytest.raises(WorkerLost):
        async for item in failed:
            seen.append(item)
    assert seen == [1, 2]


async def test_drop_oldest_keeps_the_newest() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2, WhenFull.DROP_OLDEST)
    for item in range(5):
        await queue.put(item)
    assert (queue.dropped, [queue.get_nowait() for _ in range(3)]) == (3, [3, 4, None])


def test_a_queue_needs_room() -> None:
    with pytest.raises(ValueError, match="room"):
        BoundedQueue(0, WhenFull.WAIT)
