"""Start a worker process and bury it: a fresh interpreter that inherits one socket and nothing else."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

from vivavoce.contracts.errors import WorkerLost
from vivavoce.contracts.ports import Clock

STDERR = 2
WORKER = "vivavoce.workers.child"
"""The program of processes that run engines."""
MEDIA = "vivavoce.media.child"
"""The program of processes that end WebRTC calls."""


async def launch(program: str = WORKER) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A new process that runs the module ``program``, and our end of its socket. Raises WorkerLost if the system gives none.

    The fork happens in a thread of the loop's executor, so a loaded machine does not hold the loop. That thread lives as
    long as the loop does, which matters: the kernel ends a worker when the *thread* that started it is gone.
    """
    ours, theirs = socket.socketpair()
    starting = asyncio.get_running_loop().run_in_executor(None, _fork, program, theirs)
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        ours.close()
        starting.add_done_callback(_discard)
        raise
    except OSError as error:
        ours.close()
        raise WorkerLost(f"no worker process could be started ({error}); the system is out of resources") from error
    return process, ours


def _fork(program: str, theirs: socket.socket) -> subprocess.Popen[bytes]:
    with theirs:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", program, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=STDERR,  # what an engine's library prints belongs to the log, never to the parent's output
            process_group=0,  # Ctrl-C is the parent's
        )


def _discard(starting: asyncio.Future[subprocess.Popen[bytes]]) -> None:
    """Nobody waits for this process any more: it has just begun, and dies within a millisecond or two."""
    if not starting.cancelled() and starting.exception() is None:
        process = starting.result()
        process.kill()
        process.wait()


async def bury(process: subprocess.Popen[bytes], clock: Clock, patience: float = 0.0) -> int:
    """Wait ``patience`` seconds for the process to end by itself, then kill it; its exit status."""
    deadline = clock.now() + patience
    pause = 0.001
    while process.poll() is None:
        if clock.now() >= deadline:
            process.kill()
        await clock.sleep(pause)
        pause = min(0.05, pause * 1.5)
    return process.returncode
