"""From what a speaking engine computes clause by clause to chunks of PCM that say which characters they speak.

A neural voice computes a whole clause in one step. What comes out is trimmed, gets the pause it owes to the clause before,
and is handed on in short chunks whose spans tile the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vivavoce.contracts.errors import EngineFailed
from vivavoce.contracts.gpu import OUT_OF_MEMORY, is_full

_FIRST_CHUNK, _CHUNK = 0.06, 0.1
_MARGIN = 0.02
_REST = 0.01
"""Seconds of silence that stand for a clause without a sound."""
_LOUD = 200.0 / 32_768
"""Absolute sample value above which it is speech: -44 dBFS, well above the idle noise of neural vocoders."""

Samples = NDArray[np.floating]
Mark = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """Mono s16le PCM and the span of characters it says; ``exact`` where word times were known."""

    pcm: bytes
    text_start: int
    text_end: int
    exact: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """A clause as it was computed: mono samples, -1 to 1, of the characters up to ``end`` of the whole text.

    ``marks`` are corner points ``(sample, characters of the whole text said by then)``, rising in both; without them
    the characters are spread evenly. ``pause`` is the silence in seconds owed to what follows.
    """

    samples: Samples
    end: int
    marks: tuple[Mark, ...] = ()
    exact: bool = False
    pause: float = 0.0


class SpokenStream:
    """One job's way from clauses to chunks, at ``rate`` samples a second. Keeps the pause owed from text to text."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._pause = 0.0

    def tell(self, text: str, clauses: Iterable[Said]) -> Iterator[SpokenPiece]:
        """Chunks whose spans tile ``text``; asks for a clause only when the one before is handed on.

        A clause without a sound is told by a moment of silence, empty text by nothing. Raises EngineFailed, retryable,
        where memory runs out, and whatever computing a clause raises.
        """
        try:
            yield from self._tell(text, clauses)
        except MemoryError as error:
            raise EngineFailed(
                f"no memory left to speak this text: {error}", code=OUT_OF_MEMORY, retryable=True, cause=error
            ) from error

    def _tell(self, text: str, clauses: Iterable[Said]) -> Iterator[SpokenPiece]:
        told = 0
        first = True
        for clause in clauses:
            samples, marks = self._prepared(clause, told)
            if not samples.size and clause.end > told:
                yield SpokenPiece(self._rest(), told, clause.end)
                told = clause.end
            if not samples.size:
                continue
            pcm = to_pcm(samples)
            at, said = [mark[0] for mark in marks], [mark[1] for mark in marks]
            for begin, end in self._cuts(samples.size, first):
                until = int(np.interp(end, at, said)) if end < samples.size else clause.end
                until = min(max(until, told), clause.end)
                yield SpokenPiece(pcm[2 * begin : 2 * end], told, until, clause.exact)
                told = until
            first = False
            self._pause = clause.pause
        if told < len(text):
            yield SpokenPiece(self._rest(), told, len(text))

    def _rest(self) -> bytes:
        return bytes(2 * int(_REST * self._rate))

    def _prepared(self, clause: Said, told: int) -> tuple[Samples, list[Mark]]:
        """Cut the silence at both ends down to a margin and put the owed pause in front; nothing if all is silent."""
        loud = np.flatnonzero(np.abs(clause.samples) > _LOUD)
        if not loud.size:
            return clause.samples[:0], []
        margin = int(_MARGIN * self._rate)
        begin = max(0, int(loud[0]) - margin)
        kept = clause.samples[begin : int(loud[-1]) + 1 + margin]
        pause = int(self._pause * self._rate)
        marks = clause.marks or ((int(loud[0]), told), (int(loud[-1]), clause.end))
        shifted = [(max(0, sample - begin) + pause, char) for sample, char in marks]
        return np.concatenate([np.zeros(pause, kept.dtype), kept]), shifted

    def _cuts(self, total: int, first: bool) -> Iterator[tuple[int, int]]:
        """Chunk bounds in samples: a short first one, so that sound starts at once."""
        begin = 0
        size = int((_FIRST_CHUNK if first else _CHUNK) * self._rate)
        while begin < total:
            end = min(total, begin + size)
            yield begin, end
            begin, size = end, int(_CHUNK * self._rate)


def lacks_memory(error: Exception) -> bool:
    """Whether the error of a native library means that memory ran out; raise MemoryError in its place, ``tell`` maps it."""
    return is_full(str(error))


def to_pcm(samples: Samples) -> bytes:
    """Mono floats, -1 to 1, as s16le; what lies outside is limited, what is not a number is silence."""
    limited = np.nan_to_num(np.clip(samples, -1.0, 1.0))
    narrow: NDArray[np.int16] = np.rint(limited * 32_767.0).astype("<i2")
    return narrow.tobytes()
