"""The system clock follows its loop."""

from __future__ import annotations

import asyncio
import time

import pytest

from vivavoce.contracts.ports import Clock
from vivavoce.flow.clock import SystemClock, now_ns


async def test_it_is_as_virtual_as_its_loop() -> None:
    clock: Clock = SystemClock()
    begin, called = clock.now(), []
    cancel = clock.call_later(5, lambda: called.append("never"))
    clock.call_later(1, lambda: called.append(clock.now() - begin))
    clock.call_later(-1, lambda: called.append("at once"))
    await clock.sleep(0)
    await clock.sleep(2)
    cancel()
    await clock.sleep(3_600)
    assert called == ["at once", 1.0]
    assert clock.now() - begin == 3_602.0


@pytest.mark.real_time
async def test_on_the_real_loop_it_is_monotonic_time() -> None:
    assert abs(SystemClock().now() - asyncio.get_running_loop().time()) < 5
    assert abs(SystemClock().wall() - time.time()) < 5
    assert now_ns() <= now_ns()
