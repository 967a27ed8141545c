"""Writing that is whole or has not happened, and errors of the file system said in words."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from vivavoce.contracts.errors import Unavailable

BLOCK = 1 << 20


def checksum(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def size_of(path: Path) -> int | None:
    """Bytes of a file; None if it is absent or not to be read: either way it is not here."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def copy(source: Path, target: Path) -> None:
    """Copy the content and flush it to disk. Raises OSError; then nothing of the target is left."""
    with target.open("wb") as stream:
        try:
            with source.open("rb") as original:
                shutil.copyfileobj(original, stream, BLOCK)
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file under another name, flush it, and give it its own. Raises OSError."""
    partial = path.with_name(f".{path.name}.new")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


def flush_folder(folder: Path) -> None:
    """Make a rename durable, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_room(folder: Path, needed: int) -> None:
    """Raises Unavailable if ``needed`` bytes do not fit."""
    free = shutil.disk_usage(folder).free
    if free < needed + BLOCK:
        message = f"{folder} has room for {free / 1e6:.1f} MB and {needed / 1e6:.1f} are needed: make room or set models_dir"
        raise Unavailable(message, retryable=False)


@contextlib.contextmanager
def told(meaning: str) -> Iterator[None]:
    """Say what an error of the file system means."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{meaning} ({error})", retryable=False, cause=error) from error
