"""Server-sent events, read tolerantly and without input or output.

Format: WHATWG HTML, section 9.2 "Server-sent events". Beyond it an event at the end of the stream needs no blank line.
"""

from __future__ import annotations

import re

from vivavoce.contracts.errors import ProviderFailed

MAX_EVENT = 1_000_000
"""Bytes of one event; a line counts towards it while it is still coming."""
_LINE_END = re.compile(rb"[\r\n]")


class SseParser:
    """Bytes in, the data of whole events out. Only ``data`` fields count; comments and other fields are passed over."""

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max = max_event
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> list[str]:
        """The events that ``piece`` completes. Raises ProviderFailed behind an event of more than the bound."""
        events: list[str] = []
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        elif piece:
            self._after_cr = False
        start = 0
        while found := _LINE_END.search(piece, start):
            end = found.start()
            self._line += piece[start:end]
            start = end + 1
            if piece[end] == 13:
                if start == len(piece):
                    self._after_cr = True
                elif piece[start] == 10:
                    start += 1
            self._take_line(events)
        self._line += piece[start:]
        self._check()
        return events

    def finish(self) -> list[str]:
        """The event that the end of the stream completes, if one was under way."""
        events: list[str] = []
        if self._line:
            self._take_line(events)
        self._dispatch(events)
        return events

    def _take_line(self, events: list[str]) -> None:
        self._check()
        line = bytes(self._line)
        self._line.clear()
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._size += len(value) + 1
            self._check()

    def _dispatch(self, events: list[str]) -> None:
        if self._data:
            events.append(b"\n".join(self._data).decode(errors="replace"))
            self._data.clear()
            self._size = 0

    def _check(self) -> None:
        if self._size + len(self._line) > self._max:
            raise ProviderFailed(f"a single event of the answer has more than {self._max} bytes", retryable=False)
