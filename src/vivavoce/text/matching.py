"""Comparing and joining what was heard."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_ASCII_GONE = {code: None for code in range(128) if unicodedata.category(chr(code))[0] in "PZC"}
_WORD = re.compile(r"[^\W_]+(?:['’‘ʼ][^\W_]+)*")
_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_UNSPACED_END = re.compile(rf"[{_WIDE}\u3001-\u3003\uff01\uff0c\uff1a\uff1b\uff1f]\Z")
_UNSPACED_START = re.compile(rf"[{_WIDE}]")
_CLINGS = re.compile(r"[,.;:!?…)\]»”、。，！？]")


def primary_language(tag: str) -> str:
    """The language of a BCP 47 tag without region or script: ``en`` for ``en-GB``."""
    return tag.replace("_", "-").partition("-")[0].lower()


def normalised(text: str) -> str:
    """``text`` without case, punctuation, spacing and compatibility forms; equal results mean the same was said.

    Symbols with a meaning of their own (``+``, ``€``) stay.
    """
    if text.isascii():
        return text.lower().translate(_ASCII_GONE)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character for character in folded if unicodedata.category(character)[0] not in "PZC")


def words_of(text: str) -> list[str]:
    """The words of ``text``, casefolded, apostrophes straightened, punctuation gone."""
    return [word.replace("’", "'").replace("‘", "'").replace("ʼ", "'") for word in _WORD.findall(text.casefold())]


def join_segments(parts: Sequence[str]) -> str:
    """Join the transcripts of several stretches of one turn.

    One space between stretches; none before closing punctuation or between characters of scripts that use no spaces.
    """
    joined = ""
    for part in parts:
        piece = part.strip()
        if not piece:
            continue
        unspaced = _UNSPACED_END.search(joined) and _UNSPACED_START.match(piece)
        joined += piece if not joined or unspaced or _CLINGS.match(piece) else f" {piece}"
    return joined
