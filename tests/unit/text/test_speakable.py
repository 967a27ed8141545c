from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.text.english_numbers import cardinal, ordinal, year
from vivavoce.text.speakable import speakable

PIECES = [
    "Hello", " ", "*", "**", "_", "`", "```", "[", "](", "https://a.org/b?c", ")", "#", "\n", "- ", "1. ", "|",
    "---", "😀", "<b>",
    "&amp;", "$5.50", "10:30", "2026-11-20", "50%", "3.14", "Dr. ", "e.g. ", "x@y.com", "½", "5-10 km", "你好",
    "\u200b", "\x00",
    "1st", "v1.2.3", "/", "@", "\ud800", "<!--", "..", "3/4", "+44 20 7946 0958", "99999999999999999999999",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=300)


@settings(max_examples=400)
@given(TEXTS, st.sampled_from(["en", "de", "xx"]))
def test_positions_lead_back_to_the_source(source: str, language: str) -> None:
    spoken = speakable(source, language)
    ends = [spoken.source_end(at) for at in range(len(spoken.text) + 2)]
    assert ends == sorted(ends)
    assert spoken.source_end(len(spoken.text)) == len(source)
    assert ends[0] == (0 if spoken.text else len(source))
    at = from_source = 0
    for span in spoken.spans:
        assert at <= span.start <= span.end <= len(spoken.text)
        assert from_source <= span.source_start <= span.source_end <= len(source)
        at, from_source = span.end, span.source_end


@given(TEXTS)
def test_what_is_spoken_is_tidy(source: str) -> None:
    text = speakable(source).text
    assert text == text.strip()
    assert "  " not in text and "\n" not in text
    assert not any(character in text for character in "*`|[]<>\x00\u200b😀\ud800")


def test_time_is_linear_enough_for_hostile_text() -> None:
    """No clock: a pattern that tries everything everywhere would not come back from these."""
    for piece in (
        "[",
        "](",
        "*",
        "_",
        "<a ",
        "<!--",
        "a@",
        "1,",
        "+1",
        " ",
        "\n",
        "1/",
        "- ",
        "|-",
        "a.",
        "http://",
        "\\",
        "&#1",
    ):
        source = piece * (100_000 // len(piece))
        assert speakable(source).source_end(10**9) == len(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("**Hello**, *big* __world__!", "Hello, big world!"),
        ("# Title\n\nText", "Title. Text"),
        ("- one\n- two", "one. two"),
        ("See [the *docs*](https://a.b/c_(d)).", "See the docs."),
        ("![a cat](cat.png) sits", "a cat sits"),
        ("Try `foo_bar` or snake_case.", "Try foo bar or snake case."),
        ("Go to https://www.example.com/x?y=1.", "Go to example dot com."),
        ("Or example.org/path, too.", "Or example dot org, too."),
        ("Write to joe.doe@mail.org!", "Write to joe dot doe at mail dot org!"),
        ("| a | b |\n|---|---|\n| c | d |", "a, b c, d"),
        ("```py\nx = 1\n```\nDone.", "Here is some code. Done."),
        ("> quoted\n> text", "quoted text"),
        ("Nice 🎉👍🏽 one ❤️", "Nice one"),
        ("<b>Bold</b><br>R&amp;D &lt; 5 <!-- no -->", "Bold R and D five"),
        ("As said [1], it is[^2] so.", "As said, it is so."),
        ("***", ""),
        ("---\n", ""),
        ("```\n```", ""),
        ("😀", ""),
        ("...", ""),
        ("", ""),
    ],
)
def test_markup(source: str, text: str) -> None:
    assert speakable(source).text == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("I have 3 cats and 1,234 dogs", "I have three cats and one thousand two hundred and thirty-four dogs"),
        ("3.14 and -5", "three point one four and minus five"),
        ("the 1st, 22nd and 103rd", "the first, twenty-second and one hundred and third"),
        ("in 1984, 2005 and 2026", "in nineteen eighty-four, two thousand and five and twenty twenty-six"),
        ("the 1990s", "the nineteen nineties"),
        ("$5, $1, $5.50, €20 and £2.5 million", "five dollars, one dollar, five dollars and fifty cents, "
         "twenty euros and "
         "two point five million pounds"),
        ("$0.99 or 15 €", "ninety-nine cents or fifteen euros"),
        ("50% of it", "fifty percent of it"),
        ("at 10:30, 9:05 am and 7:00", "at ten thirty, nine oh five AM and seven o'clock"),
        ("at 5 p.m.", "at five PM."),
        ("on 2026-11-20", "on November twentieth, twenty twenty-six"),
        ("on March 3 and 4 May 2021", "on March third and May fourth, twenty twenty-one"),
        ("5-10 km or 3–4", "five to ten kilometres or three to four"),
        ("1 km, 2 kg, 25°C, 100 km/h", "one kilometre, two kilograms, twenty-five degrees Celsius, "
         "one hundred kilometres per hour"),
        ("3/4 or 1 1/2 or ½", "three quarters or one and a half or one half"),
        ("call 555-123-4567", "call five five five, one two three, four five six seven"),
        ("code 0042", "code zero zero four two"),
        ("Dr. Who, e.g. Mrs. X & co, etc.", "Doctor Who, for example Missus X and co, et cetera."),
        ("Main St. near St. Paul", "Main Street near Saint Paul"),
        ("No. 5, #1, C# and C++", "number five, number one, C sharp and C plus plus"),
        ("NASA, mp3, COVID-19", "NASA, mp3, COVID-nineteen"),
        ("No. That is it.", "No. That is it."),
        ("May I come?", "May I come?"),
        ("2 + 2 = 4", "two plus two equals four"),
        ("5 - 3, 3 * 4 and 16:9", "five minus three, three times four and sixteen to nine"),
        ("24/7", "twenty-four seven"),
        ("v1.2.3", "version one point two point three"),
    ],
)  # fmt: skip
def test_english(source: str, text: str) -> None:
    assert speakable(source).text == text


def test_other_languages_keep_their_digits() -> None:
    assert speakable("**Um** 10:30 sind es 25 °C & 3,5 km auf example.de 🎉", "de").text == (
        "Um 10:30 sind es 25 °C & 3,5 km auf example Punkt de"
    )
    assert speakable("Voir https://exemple.fr/x", "fr-CA").text == "Voir exemple point fr"


@pytest.mark.parametrize(
    ("spoken", "heard"),
    [("", ""), ("It", "It"), ("It cos", "It"), ("It costs", "It **costs**"), ("It costs five dollars", "It **costs**"),
     ("It costs five dollars and fifty cents", "It **costs** $5.50,"), ("It costs five dollars and fifty cents, Sir",
     None)],
)  # fmt: skip
def test_the_source_is_heard_in_whole_words(spoken: str, heard: str | None) -> None:
    source = "It **costs** $5.50, *Sir* 🎩"
    result = speakable(source)
    assert result.text.startswith(spoken)
    assert source[: result.source_end(len(spoken))] == (source if heard is None else heard)


def test_numbers() -> None:
    assert [cardinal(n) for n in (0, 13, 100, 1_000, 1_005, 2_000_000)] == [
        "zero", "thirteen", "one hundred", "one thousand", "one thousand and five", "two million",
    ]  # fmt: skip
    assert [ordinal(n) for n in (1, 5, 12, 20, 31, 100)] == [
        "first", "fifth", "twelfth", "twentieth", "thirty-first", "one hundredth",
    ]  # fmt: skip
    assert [year(n) for n in (1066, 1900, 2000, 1907)] == [
        "ten sixty-six", "nineteen hundred", "two thousand", "nineteen oh seven",
    ]  # fmt: skip


@given(st.integers(0, 10**18 - 2))
def test_cardinals_differ(number: int) -> None:
    assert cardinal(number) != cardinal(number + 1)
