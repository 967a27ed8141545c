"""The virtual loop: time jumps, order is kept, timers are exact, and a deadlock is an error rather than a hang."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.flow.virtual import run
from vivavoce.testing import virtual_time
from vivavoce.testing.virtual_time import DeadlockError, VirtualTimeLoop


async def test_a_day_passes_at_once() -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for _ in range(36):
        await asyncio.sleep(3_600)
    assert loop.time() - begin == 36 * 3_600


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.floats(0, 200_000), st.sampled_from([0.1, 0.2, 0.1 + 0.2, 7.0])), max_size=30))
def test_call_at_is_exact_and_ties_keep_their_order(moments: list[float]) -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        seen: list[tuple[float, int, float]] = []
        for i, moment in enumerate(moments):
            loop.call_at(moment, lambda i=i, moment=moment: seen.append((moment, i, loop.time())))
        await asyncio.sleep(200_001)
        assert [(moment, i) for moment, i, _ in seen] == sorted((moment, i) for i, moment in enumerate(moments))
        for moment, _, at in seen:
            # Timers within the resolution of the clock (1 ns) run together.
            assert abs(at - moment) <= 1e-9

    run(play())


async def test_timers_can_be_cancelled_by_the_hundred() -> None:
    loop = asyncio.get_running_loop()
    called: list[int] = []
    timers = [loop.call_later(i, called.append, i) for i in range(500)]
    for timer in timers[::2]:
        timer.cancel()
    await asyncio.sleep(500)
    assert called == list(range(1, 500, 2))


async def test_threads_stop_the_clock() -> None:
    loop = asyncio.get_running_loop()
    begin = loop.time()
    timeout = asyncio.timeout(0.001)
    async with timeout:
        assert await loop.run_in_executor(None, lambda: time.sleep(0.05) or "done") == "done"
    await loop.shutdown_default_executor()
    assert loop.time() - begin <= 0.001


async def test_a_thread_may_wake_a_loop_without_timers() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    thread = threading.Timer(0.05, lambda: loop.call_soon_threadsafe(future.set_result, 7))
    thread.start()
    assert await future == 7
    thread.join()


def test_waiting_for_ever_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_time, "DEADLOCK_AFTER", 0.01)
    loop = VirtualTimeLoop()
    waiting = loop.create_future()
    with pytest.raises(DeadlockError):
        loop.run_until_complete(waiting)
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_at(0, print)
