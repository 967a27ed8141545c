from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.text.segmentation import Segmenter

PIECES = [
    "a", "The ", "word ", ".", " ", "\n", "?", "!", ",", ";", ":", "—", "…", "...", "Dr", "U.S.", "3.14", "`", "```",
    "~~~", "[",
    "](", "]", ")", "(", '"', "”", "e.g.", "。", "，", "你", " and ", "1. ", "- ", "www.a.com", "5", "😀", "Mr. ", "etc. ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=150).map("".join) | st.text(max_size=400)


def segments(text: str, language: str = "en", step: int = 0, **options: int) -> list[str]:
    segmenter = Segmenter(language, **options)
    pieces = [text[i : i + step] for i in range(0, len(text), step)] if step else [text]
    return [segment for piece in pieces for segment in segmenter.push(piece)] + segmenter.finish()


def sentences(text: str, language: str = "en") -> list[str]:
    """Only sentence ends: the first segment may be as long as any."""
    return [segment.strip() for segment in segments(f"Hello to you.\n{text}", language)[1:]]


@settings(max_examples=300)
@given(TEXTS, st.sampled_from(["en", "de", "ja"]), st.integers(1, 9), st.sampled_from([10, 60, 300]))
def test_lossless_and_independent_of_chunking(text: str, language: str, step: int, longest: int) -> None:
    whole = segments(text, language, max_length=longest)
    assert "".join(whole) == text
    assert segments(text, language, step, max_length=longest) == whole
    assert all(whole)


@given(st.text(alphabet="ab ,.!?;\"') \n", max_size=2000), st.integers(10, 100))
def test_bounded(text: str, longest: int) -> None:
    for segment in segments(text, max_length=longest, first_max=longest):
        assert len(segment) <= longest + 16 + 33  # a run of marks, then closers and spaces


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Smith met Mr. Jones. They spoke.", ["Dr. Smith met Mr. Jones.", "They spoke."]),
        ("It costs 3.14 dollars. Version 1.2.3 is out.", ["It costs 3.14 dollars.", "Version 1.2.3 is out."]),
        ("He lives in the U.S. She does not.", ["He lives in the U.S.", "She does not."]),
        ("The U.S. Army came. J. R. Tolkien wrote.", ["The U.S. Army came.", "J. R. Tolkien wrote."]),
        ("Use fruit, e.g. Apples. Or pears, etc. Then mix.", ["Use fruit, e.g. Apples.", "Or pears, etc.", "Then mix."]),
        ('"Really?" he asked. "Yes." She left.', ['"Really?" he asked.', '"Yes."', "She left."]),
        ("Wait... what? No way!", ["Wait... what?", "No way!"]),
        ("Well… maybe. Fine.", ["Well… maybe.", "Fine."]),
        (
            "See https://a.b/c.html?d=e.f now. Mail a.b@c.org. Bye.",
            ["See https://a.b/c.html?d=e.f now.", "Mail a.b@c.org.", "Bye."],
        ),
        ("1. Mix it.\n2. Bake it.\n- Eat it", ["1. Mix it.", "2. Bake it.", "- Eat it"]),
        ("It was 2024. The war ended at 5 p.m. We left.", ["It was 2024.", "The war ended at 5 p.m.", "We left."]),
        ("See No. 5 and fig. 3. That is all.", ["See No. 5 and fig. 3.", "That is all."]),
        ("(It is late.) Go home.", ["(It is late.)", "Go home."]),
        ("Call `a. B` and [x. Y](http://z). Done.", ["Call `a. B` and [x. Y](http://z).", "Done."]),
        ("Look:\n```py\nx = 1. \n\nY = 2\n```\nDone.", ["Look:", "```py\nx = 1. \n\nY = 2\n```", "Done."]),
    ],
)
def test_english_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "Wir kommen am 3. Mai. Das ist gut.", ["Wir kommen am 3. Mai.", "Das ist gut."]),
        ("de", "Das kostet ca. 5 Euro bzw. Sechs. Gut.", ["Das kostet ca. 5 Euro bzw. Sechs.", "Gut."]),
        ("es", "¿Qué tal? ¡Muy bien! El Sr. López llegó.", ["¿Qué tal?", "¡Muy bien!", "El Sr. López llegó."]),
        ("fr", "M. Dupont est là. Bonjour !", ["M. Dupont est là.", "Bonjour !"]),
        ("zh", "你好。今天很好！「好的。」他说", ["你好。", "今天很好！", "「好的。」", "他说"]),
    ],
)
def test_other_languages(language: str, text: str, expected: list[str]) -> None:
    assert sentences(text, language) == expected


def test_the_first_segment_is_a_clause_as_soon_as_it_is_certain() -> None:
    segmenter = Segmenter()
    assert segmenter.push("Sure, I can help you") == []
    assert segmenter.push(",") == ["Sure, I can help you,"]
    assert segmenter.push(" or, if you like, wait") == []
    assert segmenter.push(". ") == []
    assert segmenter.push("So") == []  # the word may still be an abbreviation's neighbour
    assert segmenter.push(" it") == [" or, if you like, wait. "]
    assert segmenter.finish() == ["So it"]


def test_a_number_with_a_comma_is_no_clause() -> None:
    segmenter = Segmenter()
    assert segmenter.push("It has about 1,") == []
    assert segmenter.push("000 people, I") == ["It has about 1,000 people,"]


def test_a_long_beginning_is_divided_at_a_joint() -> None:
    text = "It is raining outside and the wind is blowing strongly from the north and the trees bend"
    first = segments(text)[0]
    assert first == "It is raining outside "
    assert len(segments("x" * 200)[0]) <= 60


def test_over_long_sentences_are_cut_at_a_clause() -> None:
    clause = "there is one more thing that you have to know about it, "
    found = segments("Well, here it is, " + clause * 12, max_length=150)
    assert all(segment.rstrip().endswith(",") for segment in found)
    assert max(map(len, found)) <= 150


def test_finish_begins_anew() -> None:
    segmenter = Segmenter()
    segmenter.push("Something is here, and")
    segmenter.finish()
    assert segmenter.push("Something is here, and") == ["Something is here,"]
    assert segmenter.finish() == [" and"]
    assert segmenter.finish() == []


def test_unclosed_code_is_bounded() -> None:
    found = segments("```" + "x" * 20_000)
    assert "".join(found) == "```" + "x" * 20_000
    assert max(map(len, found)) <= 8_000
