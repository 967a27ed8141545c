"""Shared state of one process, on virtual time."""

from __future__ import annotations

import asyncio

from vivavoce.contracts.ports import SharedState
from vivavoce.flow.clock import SystemClock
from vivavoce.storage.memory import MemoryState


async def test_a_value_is_taken_once() -> None:
    state: SharedState = MemoryState(SystemClock())
    await state.put("a", b"1", 10)
    assert await state.take("a") == b"1"
    assert await state.take("a") is None


async def test_a_value_is_gone_when_its_time_is_over() -> None:
    state = MemoryState(SystemClock())
    await state.put("a", b"1", 10)
    await asyncio.sleep(10.001)
    assert await state.take("a") is None


async def test_a_value_put_again_lives_anew() -> None:
    state = MemoryState(SystemClock())
    await state.put("a", b"1", 10)
    await asyncio.sleep(9)
    await state.put("a", b"2", 10)
    await asyncio.sleep(9)
    assert await state.take("a") == b"2"


async def test_it_is_bounded_and_sweeps_what_is_over() -> None:
    state = MemoryState(SystemClock(), max_values=3)
    for name in "abcd":
        await state.put(name, name.encode(), 10)
    assert len(state) == 3
    assert await state.take("a") is None
    await asyncio.sleep(11)
    await state.put("e", b"e", 10)
    assert len(state) == 1
