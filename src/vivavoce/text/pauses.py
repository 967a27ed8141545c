"""Where a speaking engine may breathe: bounded pieces of a text and the pause that belongs behind each.

Engines that drop or swallow the silence at the end of a piece use this, so that a text sent in pieces sounds like one
text. The pauses are those espeak-ng 1.52 makes inside one text at its normal pace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLOSERS = " \t\r\n\"'”’»)]}*_"
_PAUSES = {".": 0.29, "!": 0.29, "?": 0.29, "…": 0.29, "。": 0.29, "！": 0.29, "？": 0.29, "।": 0.29, "؟": 0.29} | {
    ";": 0.22,
    ":": 0.22,
    "；": 0.22,
    "：": 0.22,
    ",": 0.14,
    "،": 0.14,
    "、": 0.14,
    "，": 0.14,
}
_BREAKS = (
    re.compile(r"""[.!?…][)\]"'”’»]*\s+|[。！？।؟]\s*|\n+"""),
    re.compile(r"""[,;:،][)\]"'”’»]*\s+|[；：、，]\s*|\s+[–—-]\s+"""),
    re.compile(r"\s+"),
)


def pause_after(text: str) -> float:
    """Seconds of silence that belong between ``text`` and what follows; 0 where it ends in mid-sentence."""
    last = text.rstrip(_CLOSERS)[-1:]
    return _PAUSES.get(last, 0.0)


def bounded_pieces(text: str, limit: int) -> Iterator[tuple[int, str]]:
    """Cut ``text`` into consecutive pieces of at most ``limit`` characters; yields ``(offset, piece)``.

    The pieces joined are the text. A cut falls behind the last sentence that fits, else behind the last clause, else
    behind the last word, else anywhere; a break in the first quarter of a piece is not worth a cut unless it is the
    only one.
    """
    offset = 0
    while len(text) - offset > limit:
        size = _cut(text[offset : offset + limit], limit)
        yield offset, text[offset : offset + size]
        offset += size
    if offset < len(text):
        yield offset, text[offset:]


def opening_pieces(text: str, first: int, limit: int) -> Iterator[tuple[int, str]]:
    """Like ``bounded_pieces``, but the first piece of a longer text has at most ``first`` characters: it is soon heard."""
    if len(text) <= limit // 2:
        yield from bounded_pieces(text, limit)
        return
    _, head = next(bounded_pieces(text, first))
    yield 0, head
    for offset, piece in bounded_pieces(text[len(head) :], limit):
        yield len(head) + offset, piece


def growing_pieces(text: str, first: int, limit: int, growth: float) -> Iterator[tuple[int, str]]:
    """Like ``opening_pieces``, each piece at most ``growth`` times as long as the one before, up to ``limit``.

    For a voice that takes 1 / ``growth`` of the time its speech takes: while a piece is heard, the next one is made.
    """
    if len(text) <= limit // 2:
        yield from bounded_pieces(text, limit)
        return
    offset, size = 0, first
    while offset < len(text):
        _, piece = next(bounded_pieces(text[offset : offset + size + 1], size))
        yield offset, piece
        offset += len(piece)
        size = min(limit, max(first, int(len(piece) * growth)))


def _cut(window: str, limit: int) -> int:
    fallback = limit
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(window)]
        if ends and ends[-1] >= limit // 4:
            return ends[-1]
        fallback = ends[-1] if ends else fallback
    return fallback
