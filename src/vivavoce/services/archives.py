"""Takes files out of archives that strangers made: bounded in number and size, and never a path that leaves the folder."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from vivavoce.contracts.errors import InvalidRequest

SUFFIXES = (".tar.bz2", ".tar.gz", ".tar.xz", ".tgz", ".tbz2", ".tar", ".zip")
MAX_MEMBERS = 10_000
MAX_BYTES = 16 << 30
"""Of everything that is taken out; an archive of a few kB can unpack to terabytes."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one archive may hold."""

    members: int = MAX_MEMBERS
    bytes: int = MAX_BYTES


Place = Callable[[str], Path | None]
"""Where a member goes, by its path in the archive; None leaves it out."""


def is_archive(path: Path | str) -> bool:
    """By its name."""
    return str(path).lower().endswith(SUFFIXES)


def unpack(archive: Path, place: Place, limits: Limits = Limits()) -> list[Path]:
    """Write each member that has a place there, flushed to disk, and return what was written.

    Raises InvalidRequest for an archive that is damaged, too large, or holds a path that is absolute or leads upwards, a
    link or a device where a file is wanted, or one path twice. What it has written until then is removed again.
    """
    written: list[Path] = []
    left = limits.bytes
    try:
        with _opened(archive) as members:
            for number, member in enumerate(members, 1):
                if number > limits.members:
                    raise InvalidRequest(f"{archive.name} holds more than {limits.members} files: it is not taken")
                target = place(checked(member.path, archive.name)) if member.kind != "folder" else None
                if target is None:
                    continue
                if member.kind != "file":
                    raise InvalidRequest(f"{archive.name} holds {member.path!r} as a {member.kind}, not as a file")
                if target in written:
                    raise InvalidRequest(f"{archive.name} holds {member.path!r} twice")
                written.append(target)
                left -= _copy(member, target, left, archive.name)
    except _DAMAGED as error:
        _remove(written)
        raise InvalidRequest(f"{archive.name} is damaged or no archive ({error})", cause=error) from error
    except BaseException:
        _remove(written)
        raise
    return written


def checked(path: str, archive: str) -> str:
    """A member's path, normalised. Raises InvalidRequest for one that could leave the folder it is unpacked to."""
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith("/") or ".." in parts or "\\" in path or ":" in parts[0] or "\0" in path
    if bad:
        raise InvalidRequest(f"{archive} holds the path {path[:200]!r}, which leaves its folder: nothing was taken")
    return "/".join(parts)


_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, UnicodeError)


@dataclass(frozen=True, slots=True)
class _Member:
    path: str
    kind: str
    open: Callable[[], IO[bytes] | None]


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[Iterator[_Member]]:
    if archive.name.lower().removesuffix(".partial").endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            yield _zipped(packed)
    else:
        with tarfile.open(archive) as packed:
            yield _tarred(packed)


def _zipped(packed: zipfile.ZipFile) -> Iterator[_Member]:
    for item in packed.infolist():
        kind = "folder" if item.is_dir() else "link" if (item.external_attr >> 16) & 0o170000 == 0o120000 else "file"
        yield _Member(item.filename, kind, lambda item=item: packed.open(item))  # type: ignore[misc]


def _tarred(packed: tarfile.TarFile) -> Iterator[_Member]:
    for item in packed:
        kind = "file" if item.isreg() else "folder" if item.isdir() else "link" if item.issym() or item.islnk() else "device"
        yield _Member(item.name, kind, lambda item=item: packed.extractfile(item))  # type: ignore[misc]


def _copy(member: _Member, target: Path, left: int, archive: str) -> int:
    """Bytes written. Raises InvalidRequest when they are more than ``left``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    taken = 0
    source = member.open()
    if source is None:
        raise InvalidRequest(f"{archive} holds {member.path!r} without content")
    with source, target.open("xb") as stream:
        while block := source.read(_BLOCK):
            taken += len(block)
            if taken > left:
                raise InvalidRequest(f"{archive} unpacks to more than it may: nothing was taken")
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    return taken


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


__all__ = ["SUFFIXES", "Limits", "checked", "is_archive", "unpack"]
