"""What a voice of one language can read of a text, one character for one.

Grapheme-to-phoneme engines read what they do not know by name ("grinning face", "chinese letter"); nobody wants to hear
that, so it becomes a blank and the spans of the text stay as they are.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_CODES = (
    "af az bs ca cs cy da de en eo es et eu fi fr ga gl hr hu id is it jv kl la lb lt lv ms mt nb nl nn no "
    "oc pl pt ro sk sl sq sv sw tr uz vi yo zu"
)
_LATIN = frozenset(_CODES.split())
"""Languages in which only Latin letters are read; of any other language no script is held back."""
_SILENT = frozenset(("So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn"))
_KEPT = frozenset("°№℃℉")
_JOINERS = frozenset("\u200c\u200d")
"""Zero-width characters that mean something inside Persian and Indic words."""


def readable(text: str, language: str) -> str:
    """``text`` with blanks for emoji, control characters and letters of scripts the language is not written in."""
    latin = language.lower().replace("_", "-").partition("-")[0] in _LATIN
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_read(char, latin) else " " for char in text)


def has_sound(text: str) -> bool:
    """Whether anything in ``text`` is said aloud: a letter, a digit or a sign with a name such as % or +."""
    return any(char.isalnum() or char in "%&+=@#€$£¥§°" or unicodedata.category(char) in ("Sc", "Sm") for char in text)


@lru_cache(maxsize=4_096)
def _is_read(char: str, latin: bool) -> bool:
    if char in _KEPT:
        return True
    category = unicodedata.category(char)
    if category in _SILENT or 0xFE00 <= ord(char) <= 0xFE0F:
        return char in _JOINERS and not latin
    if latin and category[0] in "LM" and ord(char) > 0x2FF and not 0x300 <= ord(char) <= 0x36F:
        return unicodedata.name(char, "").startswith("LATIN")
    return True
