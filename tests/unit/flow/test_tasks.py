"""Task scopes, signals and time limits: every task ends with its owner, every failure is heard."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.flow.virtual import run, settle
from vivavoce.flow.tasks import Signal, TaskScope, first_within

FATES = st.lists(st.sampled_from(["returns", "fails", "sleeps", "cancelled", "sleeps then fails"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(FATES, st.booleans())
def test_every_failure_is_told_once_and_nothing_outlives_the_scope(fates: list[str], early: bool) -> None:
    async def play() -> None:
        errors: list[Exception] = []
        scope = TaskScope(errors.append, limit=12)

        async def work(fate: str) -> None:
            if "sleeps" in fate:
                await asyncio.sleep(10)
            if "fails" in fate:
                raise ValueError(fate)
            if fate == "cancelled":
                raise asyncio.CancelledError

        for fate in fates:
            scope.start(work(fate), name=fate)
        await asyncio.sleep(0.001 if early else 11)
        expected = [fate for fate in fates if fate == "fails" or (fate == "sleeps then fails" and not early)]
        await scope.close()
        await scope.close()
        await settle()
        assert sorted(str(error) for error in errors) == sorted(expected)
        assert len(scope) == 0

    run(play())


async def test_a_full_or_closed_scope_refuses_and_wastes_no_coroutine() -> None:
    scope = TaskScope(lambda error: None, limit=1)
    scope.start(asyncio.sleep(100), name="first")
    with pytest.raises(RuntimeError, match="full"):
        scope.start(asyncio.sleep(1), name="second")
    await scope.close()
    with pytest.raises(RuntimeError, match="closed"):
        scope.start(asyncio.sleep(1), name="third")


async def test_a_task_may_close_its_own_scope() -> None:
    scope = TaskScope(lambda error: None)
    ended = []

    async def closer() -> None:
        await scope.close()
        ended.append("closer")

    async def other() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append("other")

    scope.start(other(), name="other")
    await settle()
    await scope.start(closer(), name="closer")
    assert ended == ["other", "closer"]


async def test_a_signal_wakes_all_who_wait_now_and_no_one_later() -> None:
    signal, woken = Signal(), []

    async def wait(name: int) -> None:
        await signal.wait()
        woken.append(name)

    tasks = [asyncio.get_running_loop().create_task(wait(name)) for name in range(3)]
    await settle()
    tasks[0].cancel()
    signal.notify()
    late = asyncio.get_running_loop().create_task(wait(9))
    await settle()
    assert woken == [1, 2]
    signal.notify()
    await late
    assert tasks[0].cancelled()


async def test_first_within_tells_whether_the_work_was_done() -> None:
    begin = asyncio.get_running_loop().time()
    assert await first_within(asyncio.sleep(1), 2)
    assert not await first_within(asyncio.sleep(3), 2)
    assert asyncio.get_running_loop().time() - begin == 3.0


async def test_first_within_lets_errors_of_the_work_through() -> None:
    async def times_out_by_itself() -> None:
        raise TimeoutError("a socket, say")

    with pytest.raises(TimeoutError, match="socket"):
        await first_within(times_out_by_itself(), 5)
