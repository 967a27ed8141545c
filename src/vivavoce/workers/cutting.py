"""Synthesised audio cut into small chunks that know which text they say."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Speech(NamedTuple):
    """A chunk of PCM and the span of text it says."""

    pcm: bytes
    text_start: int
    text_end: int
    exact: bool


class _Piece(NamedTuple):
    start: int
    end: int
    text_start: int
    text_end: int
    exact: bool


class Cutter:
    """Cuts resampled PCM into chunks of at most ``max_samples`` and gives each its span.

    A resampler delays and rounds, so what goes in is noted (``note``) and what comes out is cut (``cut``): a sample's
    place in the text is found by its place in time. Within a piece the text is taken to advance evenly.
    """

    def __init__(self, ratio: float, max_samples: int) -> None:
        self._ratio = ratio
        self._step = 2 * max_samples
        self._pieces: deque[_Piece] = deque()
        self._noted = 0
        self._out = 0
        self._text = 0

    def note(self, samples: int, text_start: int, text_end: int, exact: bool) -> None:
        """``samples`` samples that say ``[text_start, text_end)`` went into the resampler."""
        start, self._noted = self._noted, self._noted + samples
        place = round(start * self._ratio), round(self._noted * self._ratio)
        self._pieces.append(_Piece(*place, text_start, max(text_start, text_end), exact))

    def cut(self, pcm: bytes) -> list[Speech]:
        """Chunks of what came out of the resampler, in order."""
        return [self._chunk(pcm[i : i + self._step]) for i in range(0, len(pcm), self._step)]

    def _chunk(self, pcm: bytes) -> Speech:
        start, self._out = self._out, self._out + len(pcm) // 2
        while len(self._pieces) > 1 and self._pieces[0].end <= start:
            self._pieces.popleft()
        text_start = self._text_at(start, self._pieces[0]) if self._pieces else self._text
        exact = bool(self._pieces) and self._pieces[0].exact
        while len(self._pieces) > 1 and self._pieces[0].end < self._out:
            self._pieces.popleft()
            exact = exact and self._pieces[0].exact
        text_end = self._text_at(self._out, self._pieces[0]) if self._pieces else self._text
        text_start = max(self._text, text_start)
        self._text = max(text_start, text_end)
        return Speech(pcm, text_start, self._text, exact)

    @staticmethod
    def _text_at(sample: int, piece: _Piece) -> int:
        if sample >= piece.end:
            return piece.text_end
        share = max(0, sample - piece.start) / (piece.end - piece.start)
        return piece.text_start + round(share * (piece.text_end - piece.text_start))
