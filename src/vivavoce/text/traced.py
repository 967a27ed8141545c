"""Text that remembers where each of its characters came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from re import Match, Pattern

Replacement = Callable[["Match[str]"], "tuple[str, int] | None"]
"""What a match becomes and where (in the text searched) it ends; None leaves the match as it is."""


class Traced:
    """A text made of pieces, each with its range in the source; pieces are copies or replacements of their range."""

    __slots__ = ("_at", "_copied", "_ends", "_starts", "text")

    def __init__(self, text: str, at: list[int], starts: list[int], ends: list[int], copied: list[bool]) -> None:
        self.text = text
        self._at, self._starts, self._ends, self._copied = at, starts, ends, copied

    @classmethod
    def of(cls, source: str) -> Traced:
        """The source itself."""
        return cls(source, [0], [0], [len(source)], [True])

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The source range of the characters ``[start, end)``, which must not be empty."""
        first = bisect_right(self._at, start) - 1
        last = first if first + 1 == len(self._at) or end <= self._at[first + 1] else bisect_right(self._at, end - 1) - 1
        begin = self._starts[first] + (start - self._at[first] if self._copied[first] else 0)
        stop = self._starts[last] + (end - self._at[last]) if self._copied[last] else self._ends[last]
        return begin, stop

    def pieces(self, start: int, end: int) -> Iterator[tuple[int, int, int, bool]]:
        """The pieces of ``[start, end)``: length, source range, whether copied."""
        piece = bisect_right(self._at, start) - 1
        while start < end:
            stop = self._at[piece + 1] if piece + 1 < len(self._at) else len(self.text)
            length = min(stop, end) - start
            copied = self._copied[piece]
            begin = self._starts[piece] + (start - self._at[piece] if copied else 0)
            yield length, begin, begin + length if copied else self._ends[piece], copied
            start, piece = start + length, piece + 1

    def substituted(self, pattern: Pattern[str], replace: Replacement) -> Traced:
        """A new text with the matches of ``pattern`` replaced, from left to right."""
        text = self.text
        match = pattern.search(text)
        if match is None:
            return self
        out = _Builder(self)
        done = 0
        while match is not None:
            replaced = replace(match)
            following = match.end()
            if replaced is not None:
                spoken, end = replaced
                out.copy(done, match.start())
                out.put(spoken, match.start(), end)
                done = following = end
            if following == match.start():
                following += 1
            match = pattern.search(text, following)
        out.copy(done, len(text))
        return out.built()


class _Builder:
    """Collects the pieces of a new text out of an old one."""

    def __init__(self, old: Traced) -> None:
        self._old = old
        self._texts: list[str] = []
        self._length = 0
        self._at: list[int] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._copied: list[bool] = []

    def copy(self, start: int, end: int) -> None:
        """Take characters over; what was a piece stays a piece."""
        if start >= end:
            return
        self._texts.append(self._old.text[start:end])
        for length, begin, stop, copied in self._old.pieces(start, end):
            self._add(length, begin, stop, copied)

    def put(self, spoken: str, start: int, end: int) -> None:
        """Say ``spoken`` in place of characters; nothing at all if it is empty."""
        if not spoken:
            return
        self._texts.append(spoken)
        begin, stop = self._old.source(start, end)
        self._add(len(spoken), begin, stop, False)

    def built(self) -> Traced:
        return Traced("".join(self._texts), self._at, self._starts, self._ends, self._copied)

    def _add(self, length: int, start: int, end: int, copied: bool) -> None:
        self._at.append(self._length)
        self._starts.append(start)
        self._ends.append(end)
        self._copied.append(copied)
        self._length += length
