"""English numbers in words."""

from __future__ import annotations

_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
_FRACTIONS = {2: "half", 4: "quarter"}

MOST_DIGITS = 18
"""Longer numbers are read digit by digit."""


def cardinal(number: int) -> str:
    """``number`` (0 up to ``MOST_DIGITS`` digits) in words: "one hundred and five"."""
    if number < 1000:
        return _below_thousand(number)
    parts: list[str] = []
    scale, rest = 0, number
    while rest:
        rest, part = divmod(rest, 1000)
        if part and scale:
            parts.append(f"{_below_thousand(part)} {_SCALES[scale]}")
        elif part:
            parts.append(f"and {cardinal(part)}" if part < 100 else cardinal(part))
        scale += 1
    return " ".join(reversed(parts))


def _below_thousand(number: int) -> str:
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]
    hundreds, rest = divmod(number, 100)
    return f"{_ONES[hundreds]} hundred" + (f" and {_below_thousand(rest)}" if rest else "")


def ordinal(number: int) -> str:
    """``number`` as an ordinal: "twenty-first"."""
    words = cardinal(number)
    at = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[at:]
    if last in _ORDINALS:
        return words[:at] + _ORDINALS[last]
    return words[:at] + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def year(number: int) -> str:
    """A year of four digits: "nineteen eighty-four", "two thousand and five", "twenty twenty-six"."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if not rest:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(text: str) -> str:
    """The digits in ``text`` one by one."""
    return " ".join(_ONES[int(character)] for character in text if character.isdecimal())


def decimal(text: str) -> str:
    """Digits with an optional fraction, "3.14" or "1,000.5": "three point one four"."""
    whole, _, fraction = text.replace(",", "").partition(".")
    one_by_one = len(whole) > MOST_DIGITS or (len(whole) > 1 and int(whole[0]) == 0)
    words = digits(whole) if one_by_one else cardinal(int(whole or "0"))
    return f"{words} point {digits(fraction)}" if fraction else words


def fraction(numerator: int, denominator: int) -> str:
    """A fraction below 100/100: "three quarters"; "seven over two hundred" beyond."""
    if not 2 <= denominator <= 20 or numerator > 99:
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    part = _FRACTIONS.get(denominator) or ordinal(denominator)
    if numerator == 1:
        return f"one {part}"
    return f"{cardinal(numerator)} {'halves' if part == 'half' else part + 's'}"
