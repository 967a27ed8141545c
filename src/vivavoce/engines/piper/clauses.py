"""A text as calls of a Piper model, and what each call said as characters of the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.spoken import Mark, Said
from vivavoce.engines.piper.phonemes import Phonemes, Phonemiser, Reading, bounded, reading
from vivavoce.engines.piper.voice_file import VoiceFile
from vivavoce.text.pauses import opening_pieces, pause_after
from vivavoce.text.readable import readable

_FIRST_PIECE, _PIECE = 40, 100
"""Characters: at most about 6 s of speech and half a second of work with a medium voice; the first one less than half."""
_WORD = re.compile(r"\S+")
_MARKS = "ˈˌːˑʰʲ"
_ALIKE = 0.6
"""Share of phonemes that must agree between words read alone and read together."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Clause:
    """One call of a model: its ids, the span ``[start, end)`` of characters of the whole text, and the words in it.

    A word is a span of phonemes and the number of characters of the whole text said when it ends; ``exact`` tells that
    the words of the text and those of the phonemes are the same ones.
    """

    reading: Reading | None
    start: int
    end: int
    words: tuple[tuple[Span, int], ...] = field(default=())
    exact: bool = False
    pause: float = 0.0

    def unsaid(self) -> Said:
        """Nothing of it has a sound."""
        return Said(np.zeros(0, np.float32), self.end)

    def said(self, samples: NDArray[np.float32], durations: NDArray[np.int64] | None, speed: float) -> Said:
        """What the model made of it; ``durations`` are samples per phoneme id."""
        if durations is None or self.reading is None:
            return Said(samples, self.end, pause=self.pause / speed)
        owners = np.array(self.reading.owners)
        ends = np.cumsum(durations)
        marks: list[Mark] = []
        told = self.start
        for (first, last), until in self.words:
            mine = np.flatnonzero((owners >= first) & (owners < last))
            if mine.size:
                marks += [(int(ends[mine[0]] - durations[mine[0]]), told), (int(ends[mine[-1]]), until)]
                told = until
        return Said(samples, self.end, tuple(marks), self.exact, self.pause / speed)


def clauses(text: str, voice: VoiceFile, phonemiser: Phonemiser) -> Iterator[Clause]:
    """The calls that speak ``text``, made one by one as they are asked for. Their spans tile the text."""
    for offset, piece in opening_pieces(text, _FIRST_PIECE, _PIECE):
        clean = readable(piece, voice.language)
        sentences = phonemiser.phonemes(clean, voice) if clean.strip() else []
        parts = [part for sentence in sentences for part in bounded(sentence)]
        yield from _located(parts, (offset, piece, clean), voice, phonemiser)


def _located(
    parts: list[Phonemes], source: tuple[int, str, str], voice: VoiceFile, phonemiser: Phonemiser
) -> Iterator[Clause]:
    offset, piece, clean = source
    readings = [reading(part, voice.phoneme_ids) for part in parts]
    sounding = [index for index, found in enumerate(readings) if found is not None]
    if not sounding:
        yield Clause(None, offset, offset + len(piece))
        return
    groups = [_groups(parts[index]) for index in sounding]
    spoken = [parts[index][first:last] for index, words in zip(sounding, groups, strict=True) for first, last in words]
    ends, exact = _word_ends(clean, spoken, lambda word: phonemiser.phonemes(word, voice))
    start = offset
    for index, words in zip(sounding, groups, strict=True):
        mine, ends = ends[: len(words)], ends[len(words) :]
        last = index == sounding[-1]
        end = offset + (len(piece) if last else mine[-1])
        located = tuple((word, offset + until) for word, until in zip(words, mine, strict=True))
        pause = pause_after(piece) if last else pause_after("".join(parts[index]))
        yield Clause(readings[index], start, end, located, exact, pause)
        start = end


def _groups(phonemes: Sequence[str]) -> list[Span]:
    """Spans of phonemes between blanks, those that sound."""
    spans, begin = [], 0
    for index, phoneme in enumerate([*phonemes, " "]):
        if phoneme == " ":
            if any(char.isalnum() for part in phonemes[begin:index] for char in part):
                spans.append((begin, index))
            begin = index + 1
    return spans


def _word_ends(
    clean: str, spoken: Sequence[Sequence[str]], alone: Callable[[str], list[Phonemes]]
) -> tuple[list[int], bool]:
    """For each spoken word the end of the written one in ``clean``, and whether that is certain.

    A number is one written word and several spoken ones, "of the" is spoken as one word: so each written word is read
    ``alone``, too, and the two readings are laid side by side.
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
    total, sums = sum(lengths), np.cumsum(lengths)
    return [int(characters * so_far / total) for so_far in sums]
