"""One at a time for each model: a lock the system takes back when its holder dies, so that it is never stale."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from vivavoce.contracts.errors import Unavailable

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``. Raises Unavailable if somebody else does, in this process or another."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                _take(handle)
            except (BlockingIOError, PermissionError) as error:
                raise Unavailable(f"somebody else is at work on {what}; try again when that is done") from error
            if not _is(path, handle):
                continue  # its last holder has removed it in the meantime
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            os.close(handle)


def _is(path: Path, handle: int) -> bool:
    """Whether the file of that name is still the one that was locked."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False
