from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.text.matching import join_segments, normalised, primary_language
from vivavoce.text.prompts import default_instructions


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What's the time?", "whats the time"),
        ("mm-hm", "MM HM"),
        ("ﬁne", "fine"),
        ("Straße", "STRASSE"),
        ("a\u200bb…", "ab"),
    ],
)
def test_the_same_was_said(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("one", "other"), [("five", "nine"), ("5+3", "53"), ("café", "cafe"), ("a", "")])
def test_something_else_was_said(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(st.text())
def test_spacing_and_case_never_matter(text: str) -> None:
    assert normalised(f" {text}. ") == normalised(text)
    assert normalised(" ".join(text.split())) == normalised("".join(text.split()))


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_both_ways_of_normalising_agree(text: str) -> None:
    assert normalised(text + "é")[:-1] == normalised(text)


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (["turn on", "the lights"], "turn on the lights"),
        ([" a ", "", "  ", "b"], "a b"),
        (["yes", ", please"], "yes, please"),
        (["今天", "天气"], "今天天气"),
        (["Wait.", "No"], "Wait. No"),
        ([], ""),
    ],
)
def test_join_segments(parts: list[str], joined: str) -> None:
    assert join_segments(parts) == joined


@given(st.lists(st.text(max_size=20), max_size=6))
def test_joining_loses_no_word(parts: list[str]) -> None:
    assert normalised(join_segments(parts)) == normalised(" ".join(parts))


def test_primary_language() -> None:
    assert [primary_language(tag) for tag in ("en", "en-GB", "zh_Hant", "DE-at", "")] == ["en", "en", "zh", "de", ""]


def test_instructions_name_the_language() -> None:
    assert "Speak English." in default_instructions("en-US")
    assert "German" in default_instructions("de")
    assert "tlh" in default_instructions("tlh")
    assert len(default_instructions("fr")) < 1200
