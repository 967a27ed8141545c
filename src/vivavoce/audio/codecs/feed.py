"""Bytes of a stream as they arrive, for parsers that take them in their own portions."""

from __future__ import annotations

_COMPACT = 65_536


class Feed:
    """What has arrived and is not yet taken. ``ended`` says that nothing more comes."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        self._skipping = 0
        self.position = 0
        """Bytes taken or skipped so far, those to be skipped included."""
        self.ended = False

    def __len__(self) -> int:
        return len(self._data) - self._at

    @property
    def missing(self) -> int:
        """Bytes that are to be skipped and have not come."""
        return self._skipping

    def add(self, data: bytes) -> None:
        """More bytes."""
        skipped = min(self._skipping, len(data))
        self._skipping -= skipped
        self._data += data[skipped:] if skipped else data

    def peek(self, count: int, offset: int = 0) -> bytes:
        """The next bytes, fewer where fewer are here."""
        start = self._at + offset
        return bytes(self._data[start : start + count])

    def take(self, count: int) -> bytes | None:
        """The next ``count`` bytes, or None while they are not all here."""
        if len(self) < count:
            return None
        taken = self.peek(count)
        self.skip(count)
        return taken

    def skip(self, count: int) -> None:
        """Pass over bytes, also those that have not come yet."""
        here = min(count, len(self))
        self._at += here
        self._skipping += count - here
        self.position += count
        if self._at >= _COMPACT and 2 * self._at >= len(self._data):
            del self._data[: self._at]
            self._at = 0

    def find(self, pattern: bytes, offset: int = 0) -> int:
        """Where the pattern is next, from ``offset`` on; −1 if it is not here."""
        found = self._data.find(pattern, self._at + offset)
        return found - self._at if found >= 0 else -1
