"""The one source of sentences: numbers, templates, grammar."""

from __future__ import annotations

import random
import re
from datetime import datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import require
from tests.unit.commands.grammars import Grammar
from vivavoce.contracts.errors import UnknownName
from vivavoce.engines import pocketsphinx
from vivavoce.engines.commands import CommandAgent
from vivavoce.text.commands import arithmetic, english, languages, load, speech_grammar, units
from vivavoce.text.commands.arithmetic import Amount, evaluate, written

SOURCE = load("en")
NUMBERS = SOURCE.numbers


@given(st.integers(0, 999))
def test_numbers_written_in_words_are_read_back(number: int) -> None:
    assert NUMBERS.fold(NUMBERS.words(number)) == ("0", (Fraction(number),))


@given(st.lists(st.integers(0, 999), min_size=1, max_size=6))
def test_numbers_apart_stay_apart(numbers: list[int]) -> None:
    folded, values = NUMBERS.fold(" times ".join(NUMBERS.words(number) for number in numbers))
    assert values == tuple(map(Fraction, numbers))
    assert folded == " times ".join(map(str, range(len(numbers))))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("twenty-five", 25),
        ("one hundred and five", 105),
        ("a hundred", 100),
        ("two thousand and five", 2005),
        ("one million two hundred thousand three hundred and four", 1_200_304),
        ("three point one four", Fraction("3.14")),
        ("two and a half", Fraction(5, 2)),
        ("minus forty", -40),
        ("1,234,567", 1_234_567),
        ("3.5 million", 3_500_000),
        (".5", Fraction(1, 2)),
    ],
)
def test_numbers_as_people_say_them(text: str, value: Fraction | int) -> None:
    assert NUMBERS.fold(SOURCE.normalise(text)) == ("0", (Fraction(value),))


def test_lists_of_numbers_are_not_run_together() -> None:
    for text, expected in (("five six", 2), ("five and six", 2), ("ten five", 2), ("twenty ten", 2), ("twenty thirty", 2)):
        assert len(NUMBERS.fold(text)[1]) == expected, text


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_that_matters(text: str) -> None:
    once = SOURCE.normalise(text)
    assert once == once.strip() and "  " not in once
    NUMBERS.fold(once)


@given(st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=1000), st.integers(0, 3))
def test_written_numbers_are_near_and_honest(value: Fraction, extra: int) -> None:
    text, exact = written(Amount(value), 2 + extra)
    if "power" in text:
        return
    read = Fraction(text.replace("minus ", "-"))
    assert (read == value) == exact
    assert abs(read - value) <= max(abs(value), 1) * Fraction(1, 100)


@given(st.lists(st.tuples(st.sampled_from("+-*/"), st.integers(1, 99)), min_size=1, max_size=6), st.integers(0, 99))
def test_sums_agree_with_the_language(rest: list[tuple[str, int]], first: int) -> None:
    text = f"{first}" + "".join(f" {symbol} {number}" for symbol, number in rest)
    expected = eval(re.sub(r"(\d+)", r"Fraction(\1)", text))  # the oracle; the calculator itself never evaluates code
    found = evaluate(*NUMBERS.fold(SOURCE.normalise(text)), SOURCE)
    assert found == Amount(expected)


@given(st.text(alphabet="0123456789+-*/^()%. ", max_size=40))
def test_no_expression_is_unbounded(text: str) -> None:
    try:
        found = evaluate(*NUMBERS.fold(SOURCE.normalise(text)), SOURCE)
    except (arithmetic.DivisionByZeroError, arithmetic.TooLargeError, arithmetic.NotRealError, OverflowError):
        return
    assert found is None or len(written(found)[0]) < 60


@given(st.fractions(-1000, 1000, max_denominator=50))
def test_conversions_there_and_back(amount: Fraction) -> None:
    for start, target in (
        ("mile", "metre"),
        ("celsius", "fahrenheit"),
        ("pound", "gram"),
        ("cup", "litre"),
        ("week", "second"),
    ):
        there = units.convert(amount, start, target)
        assert there is not None and units.convert(there, target, start) == amount
    assert units.convert(amount, "mile", "pound") is None


def test_every_listed_unit_can_be_converted() -> None:
    for name in ("length", "mass", "volume_unit", "temperature", "time_unit"):
        names = [value["out"] for value in SOURCE.lists[name]]
        assert all(units.convert(Fraction(1), names[0], other) is not None for other in names)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("00:00", "midnight"),
        ("12:00", "noon"),
        ("10:20", "twenty past ten in the morning"),
        ("09:45", "quarter to ten in the morning"),
        ("11:55", "five to twelve in the morning"),
        ("15:30", "half past three in the afternoon"),
        ("18:00", "six o'clock in the evening"),
        ("23:01", "one minute past eleven at night"),
        ("23:59", "fifty nine minutes past eleven at night"),
        ("00:15", "quarter past twelve in the morning"),
    ],
)
def test_times_of_day(clock: str, expected: str) -> None:
    assert english.clock_time(datetime.fromisoformat(f"2026-01-01T{clock}"), NUMBERS) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "less than a second"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (61, "1 minute and 1 second"),
        (5400, "1 hour and 30 minutes"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert english.duration(seconds) == expected


def test_whatever_the_recogniser_can_hear_the_agent_understands() -> None:
    agent = CommandAgent({})
    grammar = Grammar(speech_grammar(SOURCE))
    chance = random.Random(11)
    sentences = [grammar.sentence(chance) for _ in range(1500)]
    assert not [sentence for sentence in sentences if agent.understand(sentence) is None]
    heard = {request.intent for sentence in sentences if (request := agent.understand(sentence))}
    spoken = {intent.name for intent in SOURCE.intents if intent.spoken}
    assert spoken - heard <= {"timer_set_incomplete"}, "every spoken intent is in the grammar"


def test_the_grammar_has_no_loops_and_no_bare_words() -> None:
    text = speech_grammar(SOURCE)
    assert "*" not in text and "+" not in text
    grammar = Grammar(text)
    chance = random.Random(5)
    assert all(" " in sentence or sentence in ("goodbye",) for sentence in (grammar.sentence(chance) for _ in range(500)))


def test_every_word_of_the_grammar_can_be_pronounced() -> None:
    require(pocketsphinx.decoders.missing is None, "pocketsphinx is not installed: pip install 'vivavoce[builtin]'")
    pocketsphinx.PocketSphinx({}).close()  # raises for a word that is in no dictionary


def test_replies_have_no_marks_a_voice_would_read() -> None:
    for key, reply in SOURCE.replies.items():
        assert not re.search(r"[`*_#<>\[\]\"]", re.sub(r"\{\w+\}", "", reply)), key


def test_languages() -> None:
    assert "en" in languages()
    assert load("en-GB") is load("en") or load("en-GB") == load("en")
    with pytest.raises(UnknownName):
        load("xx")
    with pytest.raises(UnknownName):
        load("../en")
