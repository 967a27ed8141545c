"""From a stream of text to pieces that can be spoken: first a clause, then sentences.

Laws, for every text and every way of cutting it into pushes:

- Lossless: the segments of all pushes and of ``finish``, joined, are the text.
- Independent of chunking: the list of all segments is the same. Every decision looks at the text before a boundary and
  at a bounded stretch behind it, is made only when that stretch (or the end) is there, and boundaries are judged from
  left to right; so later text never changes an earlier decision.
- Bounded: no segment is longer than ``max_length`` (the first: ``first_max``) and the few characters of punctuation and
  spacing behind it, but for fenced code, which is kept together up to 8 000 characters.
"""

from __future__ import annotations

import re

from vivavoce.text import sentence_data as data
from vivavoce.text.matching import primary_language

_LOOK = 32
"""Characters behind a possible sentence end that may decide about it."""
_FENCE_MAX = 8_000
"""Characters of fenced code kept in one segment."""

_CANDIDATE = re.compile(r"```|~~~|[.!?…]{1,16}|[\n。！？｡؟।,;:—–，、；：]")
_CLOSERS = "\"'”’»)]}*_`」』）】》"
_CLAUSE = frozenset(",;:—–，、；：")
_WIDE_END = frozenset("。！？｡؟।")
_WIDE_CLAUSE = frozenset("，、；：")
_CONTENT = re.compile(r"[^\W_]")
_WORD_BEFORE = re.compile(r"[^\W_](?:[^\s()\[\]{}\"'“”‘’«»*_/—–]*)\Z")
_WORD_AFTER = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_LAST_CLAUSE = re.compile(r"[,;:—–](?=\s)|[，、；：。！？]|[.!?](?=\s)")
_LINK_OPEN = re.compile(r"\]\([^()\s]*\Z")
_NO, _UNKNOWN = -1, -2


class Segmenter:
    """Cuts one reply after the other. ``push`` what comes, ``finish`` at the end; then it is ready for the next.

    ``first_min`` and ``first_max`` bound the first segment in characters, ``max_length`` the others.
    """

    def __init__(self, language: str = "en", *, first_min: int = 12, first_max: int = 60, max_length: int = 300) -> None:
        code = primary_language(language)
        self._abbreviations = data.ABBREVIATIONS["en"] | data.ABBREVIATIONS.get(code, frozenset())
        self._starters = data.STARTERS["en"] | data.STARTERS.get(code, frozenset())
        self._joints = data.JOINTS.get(code, data.JOINTS["en"])
        self._ordinal_dot = code in data.ORDINAL_DOT
        self._first_min = first_min
        self._first_max = max(first_max, first_min)
        self._max_length = max(max_length, 1)
        self._buffer = ""
        self._scan = 0
        self._first = True

    def push(self, text: str) -> list[str]:
        """Take more text; return the segments that are certain now."""
        self._buffer += text
        return self._cut(final=False)

    def finish(self) -> list[str]:
        """No more text: return what is left, and begin anew."""
        segments = self._cut(final=True)
        if self._buffer:
            segments.append(self._buffer)
        self._buffer, self._scan, self._first = "", 0, True
        return segments

    def _cut(self, final: bool) -> list[str]:
        segments: list[str] = []
        while (end := self._next_end(final)) > 0:
            segments.append(self._buffer[:end])
            self._buffer = self._buffer[end:]
            self._scan, self._first = 0, False
        return segments

    def _next_end(self, final: bool) -> int:
        """Where the next segment ends, or 0 if that is not known yet."""
        buffer = self._buffer
        limit = self._first_max if self._first else self._max_length
        while (match := _CANDIDATE.search(buffer, self._scan)) is not None and match.start() < limit:
            end = self._judge(match, final)
            if end == _UNKNOWN:
                self._scan = match.start()
                return 0
            if end != _NO:
                return end
            self._scan = match.end()
        if len(buffer) > limit + 1:  # every mark of up to three characters that begins within the limit was seen
            return self._forced(limit)
        # The last two characters may be the beginning of a fence.
        self._scan = max(self._scan, len(buffer) - 2)
        return 0

    def _judge(self, match: re.Match[str], final: bool) -> int:
        mark, at = match.group(), match.start()
        if mark in ("```", "~~~"):
            return self._fence_end(mark, at, final)
        if not final and match.end() == len(self._buffer) and mark[0] in ".!?…":
            return _UNKNOWN  # the run of marks may go on
        if _CONTENT.search(self._buffer, 0, at) is None:
            return _NO
        if mark == "\n":
            return match.end()
        if mark in _CLAUSE:
            return self._clause_end(mark, at, final) if self._first else _NO
        if self._first and match.end() < self._first_min:
            return _NO
        return self._sentence_end(match, final)

    def _fence_end(self, mark: str, at: int, final: bool) -> int:
        close = self._buffer.find(mark, at + 3, at + _FENCE_MAX)
        if close >= 0:
            return close + 3
        if len(self._buffer) >= at + _FENCE_MAX:
            return at + _FENCE_MAX
        return _NO if final else _UNKNOWN

    def _clause_end(self, mark: str, at: int, final: bool) -> int:
        """The end of the first segment behind a comma or dash, as early as it is certain."""
        end = at + 1
        if end < self._first_min or self._inside_markup(at):
            return _NO
        if mark in _WIDE_CLAUSE or (mark in ",;—" and self._buffer[at - 1].isalpha()):
            return end
        if end == len(self._buffer):
            return _NO if final else _UNKNOWN
        return end + 1 if self._buffer[end].isspace() else _NO

    def _sentence_end(self, match: re.Match[str], final: bool) -> int:
        buffer, at, end = self._buffer, match.start(), match.end()
        stop = min(len(buffer), end + _LOOK)
        cut_short = not final and stop < end + _LOOK
        closed = end
        while closed < stop and buffer[closed] in _CLOSERS:
            closed += 1
        if closed == stop and cut_short:
            return _UNKNOWN
        if self._inside_markup(at):
            return _NO
        if match.group() in _WIDE_END:
            return closed
        following = closed
        while following < stop and buffer[following].isspace() and buffer[following] != "\n":
            following += 1
        if following == stop:
            return _UNKNOWN if cut_short else following
        if following == closed or buffer[following] == "\n":
            return _NO  # a decimal, a host name … or a line end, which decides for itself
        word = _WORD_AFTER.match(buffer, following, stop)
        if word is not None and word.end() == stop and cut_short:
            return _UNKNOWN
        return following if self._ends_sentence(match, closed, following, word) else _NO

    def _ends_sentence(self, match: re.Match[str], closed: int, following: int, word: re.Match[str] | None) -> bool:
        buffer, marks = self._buffer, match.group()
        lower = buffer[following].islower()
        if marks[0] != "." or len(marks) > 1:
            quoted = closed > match.end()
            trailing_off = marks[0] in ".…" and marks[-1] in ".…"
            return not (lower and (quoted or trailing_off))
        before = _WORD_BEFORE.search(buffer, max(0, match.start() - _LOOK), match.start())
        if closed > match.end() or before is None:
            return not lower
        return not lower and self._full_stop(before, buffer[following], word)

    def _full_stop(self, before: re.Match[str], next_character: str, word: re.Match[str] | None) -> bool:
        """Whether a single dot behind ``before`` ends a sentence, though the next word is not in lower case."""
        token = before.group().lower()
        starter = word is not None and word.group().lower() in self._starters
        if token in self._abbreviations:
            return False
        if token in data.BEFORE_NUMBERS and next_character.isdigit():
            return False
        if token.isdigit():
            line = self._buffer.rfind("\n", 0, before.start()) + 1
            item = len(token) <= 3 and not self._buffer[line : before.start()].strip(" \t*_>-")
            return not item and (starter or not (self._ordinal_dot and len(token) <= 2))
        if token in data.MAY_END:
            return True
        if _DOTTED.fullmatch(token):
            return starter
        return True

    def _inside_markup(self, at: int) -> bool:
        """Whether an inline code, a link's text or its address is open at ``at``."""
        head = self._buffer[:at]
        if head.count("`") % 2:
            return True
        if "[" not in head:
            return False
        return head.count("[") > head.count("]") or _LINK_OPEN.search(head) is not None

    def _forced(self, limit: int) -> int:
        """Where to cut when no boundary was found within ``limit`` characters: clause, joint, word, anywhere."""
        head = self._buffer[: limit + 1]
        least = self._first_min if self._first else limit // 3
        clause = [
            match.end() for match in _LAST_CLAUSE.finditer(head, least, limit) if not self._inside_markup(match.start())
        ]
        if clause:
            return clause[-1]
        joints = [match.end() for match in self._joints.finditer(head, least, limit)]
        if joints:
            return joints[-1]
        space = max(head.rfind(" ", 1), head.rfind("\t", 1))
        return space + 1 if 0 < space < limit else limit
