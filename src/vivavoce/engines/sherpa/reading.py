"""From tokens and their times to text and words. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from vivavoce.contracts.speech import Word

RATE = 16_000
TAIL = 0.08
"""Seconds a word is taken to last behind its last token: models say where a token begins, two frames of theirs."""
_SPACES = (" ", "▁")
_CJK = 0x2E80
"""First code point of scripts that are written without spaces."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an utterance as the library read it."""

    text: str
    tokens: Sequence[str] = ()
    times: Sequence[float] = ()
    """Seconds from the beginning of the stretch, a token each, or none."""
    scores: Sequence[float] = ()
    """Natural logarithms of probabilities, a token each, or none."""
    start: float = 0.0
    """Seconds from the beginning of the utterance."""
    glued: bool = False
    """Whether it goes on in the word before it."""


@dataclass(slots=True)
class Reading:
    """Pieces put together."""

    text: str = ""
    words: list[Word] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """Another stretch behind what there is."""
        self.text = join(self.text, piece)
        self.words.extend(words(piece))

    @property
    def confidence(self) -> float | None:
        """Mean over the words, where they have one."""
        known = [word.confidence for word in self.words if word.confidence is not None]
        return sum(known) / len(known) if known else None


def join(text: str, piece: Piece) -> str:
    """``text`` and then the piece, with a space between unless the piece goes on in a word, or the script has none."""
    more = piece.text.strip()
    if not text or not more:
        return text or more
    spaceless = ord(text[-1]) >= _CJK or ord(more[0]) >= _CJK
    return text + more if piece.glued or spaceless else f"{text} {more}"


def glued(tokens: Sequence[str], spaced: bool) -> bool:
    """Whether these tokens go on in a word, in a model that marks (``spaced``) where words begin."""
    return spaced and bool(tokens) and not tokens[0].startswith(_SPACES)


def words(piece: Piece) -> list[Word]:
    """Words with times; empty where times are unknown."""
    if not piece.tokens or len(piece.times) != len(piece.tokens):
        return []
    groups: list[list[int]] = []
    for index, token in enumerate(piece.tokens):
        if not groups or token.startswith(_SPACES) or ord(token[0]) >= _CJK:
            groups.append([])
        groups[-1].append(index)
    found = []
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        text = "".join(piece.tokens[index] for index in group).strip(" ▁")
        if text:
            end = piece.times[group[-1]] + TAIL
            end = min(end, piece.times[following[0]]) if following else end
            found.append(
                Word(text, round(piece.start + piece.times[group[0]], 3), round(piece.start + end, 3), _mean(piece, group))
            )
    return found


def _mean(piece: Piece, group: list[int]) -> float | None:
    if len(piece.scores) != len(piece.tokens):
        return None
    return min(1.0, math.exp(sum(piece.scores[index] for index in group) / len(group)))
