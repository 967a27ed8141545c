"""Pools of scripted engines in real processes, for tests."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from vivavoce.contracts.speech import SpokenAudio, SynthesisOptions, Transcript, TranscriptionOptions
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool, WorkerStatus

ENGINES = (
    EngineOptions("stt", "test/echo"),
    EngineOptions("tts", "test/tone"),
    EngineOptions("llm", "test/agent"),
    EngineOptions("turn", "test/turn"),
    EngineOptions("vad", "test/energy"),
)


def group(*engines: EngineOptions, **options: Any) -> WorkerOptions:
    """A group with short delays; all scripted engines unless some are named."""
    return WorkerOptions(**{"name": "test", "engines": engines or ENGINES, "restart_delay": 0.05, **options})


@asynccontextmanager
async def running(*groups: WorkerOptions) -> AsyncIterator[WorkerPool]:
    """A pool that was started; closed and checked behind the block: no process is left."""
    pool = WorkerPool(groups or [group()], SystemClock())
    pids: set[int] = set()
    try:
        await pool.start()
        pids |= {line.pid for line in pool.status() if line.pid}
        yield pool
    finally:
        pids |= {line.pid for line in pool.status() if line.pid}
        await pool.close()
    assert not [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    """Whether there is such a process (zombies do not count)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def signal(pid: int, number: int) -> None:
    """Send a signal."""
    os.kill(pid, number)


def only(pool: WorkerPool) -> WorkerStatus:
    """The status of the only place; what is on its way out does not count."""
    (line,) = (line for line in pool.status() if line.state != "retiring")
    return line


def pid_of(pool: WorkerPool) -> int:
    """The process id of the only place."""
    pid = only(pool).pid
    assert pid is not None
    return pid


async def until(condition: Callable[[], object], patience: float = 20.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(patience):
        while not condition():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.005)


async def say(pool: WorkerPool, text: str) -> list[SpokenAudio]:
    """Speak a text."""
    utterance = pool.text_to_speech("test/tone").open(SynthesisOptions())
    utterance.send(text)
    utterance.finish()
    try:
        async with asyncio.timeout(20):
            return [audio async for audio in utterance]
    finally:
        utterance.cancel()


async def hear(pool: WorkerPool, pieces: Any, *vocabulary: str) -> list[Transcript]:
    """Read chunks."""
    utterance = pool.speech_to_text("test/echo").open(TranscriptionOptions(vocabulary=vocabulary))
    for piece in pieces:
        utterance.send(piece)
    utterance.finish()
    try:
        async with asyncio.timeout(20):
            return [transcript async for transcript in utterance]
    finally:
        utterance.cancel()
