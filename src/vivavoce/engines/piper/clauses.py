"""A text as calls of a Piper model, and what each call said as characters of the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.spoken import Mark, Said
from vivavoce.engines.piper.phonemes import Phonemes, Phonemiser, Reading, bounded, reading
from vivavoce.engines.piper.voice_file import VoiceFile
from vivavoce.text.pauses import opening_pieces, pause_after
from vivavoce.text.readable import readable
from vivavoce.text.spoken_words import spoken_words, word_ends

_FIRST_PIECE, _PIECE = 40, 100
"""Characters: at most about 6 s of speech and half a second of work with a medium voice; the first one less than half."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One call of a model: its ids, the span ``[start, end)`` of characters of the whole text, and the words in it.

    A word is a span of phonemes and the number of characters of the whole text said when it ends; ``exact`` tells that
    the words of the text and those of the phonemes are the same ones.
    """

    reading: Reading | None
    start: int
    end: int
    words: tuple[tuple[tuple[int, int], int], ...] = field(default=())
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
    groups = [spoken_words(parts[index]) for index in sounding]
    spoken = [parts[index][first:last] for index, words in zip(sounding, groups, strict=True) for first, last in words]
    ends, exact = word_ends(clean, spoken, lambda word: phonemiser.phonemes(word, voice))
    start = offset
    for index, words in zip(sounding, groups, strict=True):
        mine, ends = ends[: len(words)], ends[len(words) :]
        last = index == sounding[-1]
        end = offset + (len(piece) if last else mine[-1])
        located = tuple((word, offset + until) for word, until in zip(words, mine, strict=True))
        pause = pause_after(piece) if last else pause_after("".join(parts[index]))
        yield Clause(readings[index], start, end, located, exact, pause)
        start = end
