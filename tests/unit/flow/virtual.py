"""Runs coroutines of property tests, each on a virtual loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from vivavoce.testing.virtual_time import VirtualTimeLoop


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; no task may be left and no error unseen."""
    loop = VirtualTimeLoop()
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    try:
        result = loop.run_until_complete(work)
        assert not asyncio.all_tasks(loop)
        assert not errors, errors
        return result
    finally:
        loop.close()


async def settle() -> None:
    """Let everything run that can run without time passing."""
    for _ in range(10):
        await asyncio.sleep(0)
