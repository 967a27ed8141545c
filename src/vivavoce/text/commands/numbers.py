"""Numbers in words and digits: read them out of a sentence, and write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

MAX_NUMBERS = 32
"""Numbers read out of one sentence; further ones stay words."""

_DIGITS = re.compile(r"\d{1,18}(\.\d{1,12})?|\.\d{1,12}")


@dataclass(frozen=True, slots=True)
class NumberWords:
    """The number words of a language and how they combine (short scale, tens before ones)."""

    ones: Mapping[str, int]
    tens: Mapping[str, int]
    hundred: str
    scales: Mapping[str, int]
    join: str
    point: str
    minus: tuple[str, ...]
    articles: tuple[str, ...]
    half: tuple[tuple[str, ...], ...]

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> NumberWords:
        """From the ``numbers`` section of a source."""
        return cls(
            ones=data["ones"],
            tens=data["tens"],
            hundred=data["hundred"],
            scales=data["scales"],
            join=data["join"],
            point=data["point"],
            minus=tuple(data["minus"]),
            articles=tuple(data["articles"]),
            half=tuple(tuple(phrase.split()) for phrase in data["half"]),
        )

    def fold(self, text: str) -> tuple[str, tuple[Fraction, ...]]:
        """Replace each number of a normalised sentence by its index: ``twelve times 3.5`` → ``0 times 1``, (12, 7/2).

        Templates then need not know numbers at all, only indices; so any size and any fraction may be said.
        """
        tokens = text.split()
        folded: list[str] = []
        values: list[Fraction] = []
        at = 0
        while at < len(tokens):
            value, end = _Reading(self, tokens, at).number(signed=not _is_operand(folded))
            if value is None or len(values) == MAX_NUMBERS:
                folded.append(tokens[at] if not tokens[at].isdigit() else f"{tokens[at]}?")
                at += 1
            else:
                folded.append(str(len(values)))
                values.append(value)
                at = end
        return " ".join(folded), tuple(values)

    def words(self, number: int) -> str:
        """An integer from 0 to 999 in words."""
        if number >= 100:
            rest = f" {self.join} {self.words(number % 100)}" if number % 100 else ""
            return f"{self._small(number // 100)} {self.hundred}{rest}"
        return self._small(number)

    def _small(self, number: int) -> str:
        by_value = {value: word for word, value in (*self.ones.items(), *self.tens.items())}
        if number in by_value:
            return by_value[number]
        return f"{by_value[number - number % 10]} {by_value[number % 10]}"


def _is_operand(folded: Sequence[str]) -> bool:
    return bool(folded) and (folded[-1].isdigit() or folded[-1] == ")")


class _Reading:
    """One attempt to read a number at a place."""

    def __init__(self, words: NumberWords, tokens: Sequence[str], at: int) -> None:
        self._w = words
        self._tokens = tokens
        self._at = at
        self._total = 0
        self._part: int | None = None
        self._may_join = False

    def number(self, signed: bool) -> tuple[Fraction | None, int]:
        """The number and the index behind it, or None and the start."""
        start, sign = self._at, 1
        if signed and self._peek() in self._w.minus:
            self._at += 1
            sign = -1
        value = self._digits()
        if value is None:
            value = self._spoken()
        if value is None:
            return None, start
        return sign * (value + self._half()), self._at

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _digits(self) -> Fraction | None:
        if not _DIGITS.fullmatch(self._peek()):
            return None
        value = Fraction(self._peek())
        self._at += 1
        while self._peek() in self._w.scales:
            value *= self._w.scales[self._peek()]
            self._at += 1
        return value

    def _spoken(self) -> Fraction | None:
        if self._peek() in self._w.articles and self._peek(1) in (self._w.hundred, *self._w.scales):
            self._part = 1
            self._at += 1
        while self._word():
            self._at += 1
        decimals = self._decimals()
        if self._part is None and not self._total and decimals is None:
            return None
        return Fraction(self._total + (self._part or 0)) + (decimals or 0)

    def _word(self) -> bool:
        """Take one more word into the number, if it fits."""
        word = self._peek()
        if word in self._w.ones:
            return self._add(self._w.ones[word], 10 if self._w.ones[word] < 10 else 100)
        if word in self._w.tens:
            return self._add(self._w.tens[word], 100)
        if word == self._w.hundred and self._part is not None and 0 < self._part < 100:
            self._part, self._may_join = self._part * 100, True
            return True
        if word in self._w.scales and self._part:
            self._total, self._part, self._may_join = self._total + self._part * self._w.scales[word], None, True
            return True
        follows = self._peek(1)
        return word == self._w.join and self._may_join and (follows in self._w.ones or follows in self._w.tens)

    def _add(self, value: int, gap: int) -> bool:
        """Add ones (``gap`` 10) or tens (100) where the digits before leave a gap for them."""
        if self._part is None:
            self._part = value
        elif value and self._part and self._part % gap == 0 and (self._part % 100 != 10):
            self._part += value
        else:
            return False
        self._may_join = False
        return True

    def _decimals(self) -> Fraction | None:
        if self._peek() != self._w.point or self._w.ones.get(self._peek(1), 10) > 9:
            return None
        self._at += 1
        digits = ""
        while self._w.ones.get(self._peek(), 10) < 10 and len(digits) < 12:
            digits += str(self._w.ones[self._peek()])
            self._at += 1
        return Fraction(f"0.{digits}")

    def _half(self) -> Fraction:
        for phrase in self._w.half:
            if tuple(self._tokens[self._at : self._at + len(phrase)]) == phrase:
                self._at += len(phrase)
                return Fraction(1, 2)
        return Fraction(0)
