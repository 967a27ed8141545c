"""Which written word a spoken one belongs to.

A number is one written word and several spoken ones, "of the" is spoken as one word: so each written word is read alone,
too, and the two readings are laid side by side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher
from itertools import accumulate

_WORD = re.compile(r"\S+")
_MARKS = "ˈˌːˑʰʲ"
_ALIKE = 0.6
"""Share of phonemes that must agree between words read alone and read together."""

Span = tuple[int, int]


def spoken_words(phonemes: Sequence[str]) -> list[Span]:
    """Spans of phonemes between blanks, those that sound."""
    spans, begin = [], 0
    for index, phoneme in enumerate([*phonemes, " "]):
        if phoneme == " ":
            if any(char.isalnum() for part in phonemes[begin:index] for char in part):
                spans.append((begin, index))
            begin = index + 1
    return spans


def word_ends(
    clean: str, spoken: Sequence[Sequence[str]], alone: Callable[[str], Iterable[Sequence[str]]]
) -> tuple[list[int], bool]:
    """For each spoken word, its phonemes given, the end of the written one in ``clean``; and whether that is certain.

    ``alone`` reads one word, phonemes in any number of parts. Where the readings differ too much the ends are spread in
    proportion to the phonemes.
    """
    words = [match for match in _WORD.finditer(clean) if any(char.isalnum() for char in match.group())]
    written = [(sound, index) for index, word in enumerate(words) for part in alone(word.group()) for sound in _sounds(part)]
    heard = [(sound, group) for group, part in enumerate(spoken) for sound in _sounds(part)]
    matcher = SequenceMatcher(None, [sound for sound, _ in written], [sound for sound, _ in heard], autojunk=False)
    owner: dict[int, int] = {}
    for block in matcher.get_matching_blocks():
        owner.update({heard[block.b + step][1]: written[block.a + step][1] for step in range(block.size)})
    if not words or matcher.ratio() < _ALIKE:
        return _spread([len(part) for part in spoken], len(clean)), False
    owners: list[int] = []
    for group in range(len(spoken)):  # one that sounds quite different alone, such as "a", is the next word
        before = owners[-1] if owners else -1
        owners.append(owner.get(group, min(before + 1, len(words) - 1)))
    return _ends(owners, [word.end() for word in words]), True


def _ends(owners: list[int], ends: list[int]) -> list[int]:
    """Word ends by spoken word; several spoken words of one written word share its characters."""
    found = []
    for group, word in enumerate(owners):
        begin = ends[word - 1] if word else 0
        said, total = owners[: group + 1].count(word), owners.count(word)
        found.append(begin + (ends[word] - begin) * said // total)
    return found


def _sounds(phonemes: Sequence[str]) -> list[str]:
    """Phonemes without stress, length, punctuation and blanks."""
    return [phoneme for phoneme in phonemes if any(char.isalpha() and char not in _MARKS for char in phoneme)]


def _spread(lengths: list[int], characters: int) -> list[int]:
    """Word ends in proportion to the phonemes of each word."""
    total = sum(lengths)
    return [characters * so_far // total for so_far in accumulate(lengths)]
