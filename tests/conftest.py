"""What every test gets: coroutines run, no network, no blocked loop, no leaked task, thread or process.

A coroutine test runs on virtual time (``flows``, ``laws`` of fakes) unless it asks for the real clock with the
``real_time`` marker; tests that start processes or sockets need that.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

from vivavoce.testing.virtual_time import VirtualTimeLoop

IN_CI = os.environ.get("CI", "") == "true"
ROOT = Path(__file__).parent.parent
SPEECH = ROOT.parent / "shared" / "speech"

settings.register_profile("vivavoce", deadline=None)  # no test depends on how busy the machine is
settings.load_profile("vivavoce")


def require(present: object, reason: str) -> None:
    """Skip with the reason where a component is missing; in CI a missing component is a failure."""
    if present:
        return
    if IN_CI:
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    real = pyfuncitem.get_closest_marker("real_time") is not None
    _run(pyfuncitem.obj(**arguments), real)
    return True


def _run(coroutine: Any, real: bool) -> None:
    loop: asyncio.AbstractEventLoop = asyncio.new_event_loop() if real else VirtualTimeLoop()
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: errors.append(context))
    asyncio.set_event_loop(loop)
    try:
        with blockbuster_ctx("vivavoce"):
            loop.run_until_complete(coroutine)
            loop.run_until_complete(asyncio.sleep(0))
        leaked = [task for task in asyncio.all_tasks(loop) if not task.done()]
        for task in leaked:
            task.cancel()
        if leaked:
            loop.run_until_complete(asyncio.gather(*leaked, return_exceptions=True))
        assert not leaked, f"leaked tasks: {leaked}"
        assert not errors, f"errors nobody caught: {errors}"
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        asyncio.set_event_loop(None)


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=5)
    left = [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
    assert not left, f"leaked threads: {left}"


@pytest.fixture(autouse=True)
def no_leaked_processes() -> Iterator[None]:
    before = _children()
    yield
    left = _children() - before
    assert not left, f"leaked processes: {[_command(pid) for pid in left]}"


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            found |= {int(pid) for pid in (task / "children").read_text().split()}
        except (FileNotFoundError, ProcessLookupError):  # the thread has just ended
            continue
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except FileNotFoundError:
        return f"{pid} (gone)"


_connect = socket.socket.connect


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach the network: {address}")
        _connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def speech() -> Path:
    """Recorded human speech, where it lies beside the project."""
    require(SPEECH.is_dir(), "no folder of recorded speech beside the project (../shared/speech)")
    return SPEECH
