"""Exact sums: read an expression with folded numbers, calculate it with fractions, write the result."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from vivavoce.text.commands.source import CommandSource

MAX_DIGITS = 15
"""Digits of an integer that are said in full; beyond, powers of ten."""
MAX_MAGNITUDE = 300
"""Decimal exponent beyond which nothing is calculated."""
MAX_DEPTH = 24
_PREFIX = 6
_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 3, "^": 7}
_POWERS = {"squared": 2, "cubed": 3}


class DivisionByZeroError(ArithmeticError):
    """Something is divided by zero."""


class TooLargeError(ArithmeticError):
    """The result has more than ``MAX_MAGNITUDE`` digits."""


class NotRealError(ArithmeticError):
    """The result is no real number, as the square root of -1."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number and whether it is exact."""

    value: Fraction
    exact: bool = True


def evaluate(text: str, values: Sequence[Fraction], source: CommandSource) -> Amount | None:
    """Calculate a normalised sentence with folded numbers ("what is 0 times 1"), or None if it is no sum.

    Usual precedence, by precedence climbing (Pratt, "Top down operator precedence", 1973). A lone number is no sum.
    Raises DivisionByZeroError, TooLargeError, NotRealError.
    """
    tokens = _tokens(_stripped(text, source), source.operators)
    if tokens is None or not 2 <= len(tokens) <= 64 or not any(token.isdigit() for token in tokens):
        return None
    if all(token.isdigit() or token in "()" for token in tokens):
        return None
    parser = _Parser(tokens, values)
    try:
        result = parser.expression(0, 0)
    except SyntaxError:
        return None
    return result if parser.done else None


def _stripped(text: str, source: CommandSource) -> str:
    changed = True
    while changed:
        changed = False
        for phrase in (*source.lead, *source.skip):
            if text.startswith(phrase + " "):
                text, changed = text[len(phrase) + 1 :], True
        for phrase in (*source.trail, *source.skip):
            if text.endswith(" " + phrase):
                text, changed = text[: -len(phrase) - 1], True
    return text


def _tokens(text: str, operators: Mapping[str, Sequence[str]]) -> list[str] | None:
    """Symbols and indices, or None where a word is neither."""
    phrases = sorted(
        ((tuple(phrase.split()), symbol) for symbol, words in operators.items() for phrase in words),
        key=lambda item: -len(item[0]),
    )
    words = text.split()
    found: list[str] = []
    at = 0
    while at < len(words):
        if re.fullmatch(r"\d+", words[at]):
            found.append(words[at])
            at += 1
            continue
        for phrase, symbol in phrases:
            if tuple(words[at : at + len(phrase)]) == phrase:
                found.append(symbol)
                at += len(phrase)
                break
        else:
            return None
    return found


class _Parser:
    def __init__(self, tokens: Sequence[str], values: Sequence[Fraction]) -> None:
        self._tokens = tokens
        self._values = values
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at == len(self._tokens)

    def _peek(self) -> str:
        return "" if self.done else self._tokens[self._at]

    def expression(self, strength: int, depth: int) -> Amount:
        """An expression whose operators bind at least as strongly as ``strength``."""
        if depth > MAX_DEPTH:
            raise SyntaxError("nested too deeply")
        left = self._operand(depth)
        while True:
            symbol = self._peek()
            if symbol in _POWERS:
                self._at += 1
                left = _power(left, Amount(Fraction(_POWERS[symbol])))
            elif symbol in _STRENGTH and _STRENGTH[symbol] >= strength:
                self._at += 1
                # A power binds to the right, all others to the left.
                right = self.expression(_STRENGTH[symbol] + (symbol != "^"), depth + 1)
                left = _apply(symbol, left, right)
            else:
                return left

    def _operand(self, depth: int) -> Amount:
        token = self._peek()
        self._at += 1
        if token.isdigit() and int(token) < len(self._values):
            return Amount(self._values[int(token)])
        if token == "-":
            inner = self.expression(_PREFIX, depth + 1)
            return Amount(-inner.value, inner.exact)
        if token == "sqrt":
            return _root(self.expression(_PREFIX, depth + 1))
        if token == "(":
            inner = self.expression(0, depth + 1)
            if self._peek() != ")":
                raise SyntaxError("bracket not closed")
            self._at += 1
            return inner
        raise SyntaxError(f"no operand: {token}")


def _apply(symbol: str, left: Amount, right: Amount) -> Amount:
    exact = left.exact and right.exact
    if symbol == "^":
        return _power(left, right)
    if symbol == "/":
        if not right.value:
            raise DivisionByZeroError
        return _bounded(left.value / right.value, exact)
    if symbol == "%":
        return _bounded(left.value * right.value / 100, exact)
    value = {"+": left.value + right.value, "-": left.value - right.value, "*": left.value * right.value}[symbol]
    return _bounded(value, exact)


def _bounded(value: Fraction, exact: bool) -> Amount:
    if _magnitude(value) > MAX_MAGNITUDE:
        raise TooLargeError
    if _magnitude(Fraction(value.denominator)) > 2 * MAX_MAGNITUDE:
        return Amount(Fraction(float(value)), False)
    return Amount(value, exact)


def _magnitude(value: Fraction) -> float:
    """Decimal exponent, without making a float of a number that has none."""
    if not value:
        return 0.0
    return (value.numerator.bit_length() - value.denominator.bit_length()) * math.log10(2)


def _power(base: Amount, exponent: Amount) -> Amount:
    if not base.value and exponent.value < 0:
        raise DivisionByZeroError
    if base.value < 0 and exponent.value.denominator != 1:
        raise NotRealError
    # Bounded before it is calculated: numerator and denominator grow with the exponent, whatever their quotient.
    size = max(abs(base.value.numerator).bit_length(), base.value.denominator.bit_length()) * math.log10(2)
    if size * abs(exponent.value) > 2 * MAX_MAGNITUDE and abs(base.value) not in (0, 1):
        raise TooLargeError
    if exponent.value.denominator == 1:
        if abs(base.value) in (0, 1):
            return Amount(base.value ** (int(exponent.value) % 2 if base.value < 0 else min(int(exponent.value), 1)))
        return _bounded(base.value ** int(exponent.value), base.exact and exponent.exact)
    return Amount(Fraction(float(base.value) ** float(exponent.value)), False)


def _root(amount: Amount) -> Amount:
    value = amount.value
    if value < 0:
        raise NotRealError
    numerator, denominator = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if numerator**2 == value.numerator and denominator**2 == value.denominator:
        return Amount(Fraction(numerator, denominator), amount.exact)
    return Amount(Fraction(math.sqrt(value)), False)


def written(amount: Amount, places: int = 4) -> tuple[str, bool]:
    """The number as text, and whether the text is exact.

    Integers up to ``MAX_DIGITS`` digits in full, fractions to ``places`` decimals (or as many significant digits, where
    smaller than one), larger numbers in powers of ten.
    """
    value = amount.value
    if value and not -places <= _magnitude(value) < MAX_DIGITS:
        return _scientific(value), False
    decimals = places
    if 0 < abs(value) < 1:
        decimals = places - math.floor(math.log10(abs(value))) - 1
    rounded = round(value, decimals)
    text = f"{abs(rounded.numerator) // rounded.denominator}"
    rest = abs(rounded) % 1
    if rest:
        text += "." + str(int(rest * 10**decimals)).rjust(decimals, "0").rstrip("0")
    sign = "minus " if rounded < 0 else ""
    return sign + text, amount.exact and rounded == value


def _scientific(value: Fraction) -> str:
    exponent = math.floor(_magnitude(abs(value)))
    while abs(value) >= Fraction(10) ** (exponent + 1):
        exponent += 1
    while abs(value) < Fraction(10) ** exponent:
        exponent -= 1
    if round(abs(value) / Fraction(10) ** exponent, 2) == 10:
        exponent += 1
    lead, _ = written(Amount(value / Fraction(10) ** exponent), 2)
    return f"{lead} times 10 to the power of {exponent}".replace("of -", "of minus ")
