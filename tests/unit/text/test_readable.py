"""What a voice can read of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.text.readable import readable


@pytest.mark.parametrize(
    ("text", "language", "read"),
    [
        ("plain, 25 % — text…", "en", "plain, 25 % — text…"),
        ("yes 😀 no", "en", "yes   no"),
        ("a\0b\u202ec", "en", "a b c"),
        ("Größe “zitiert” e\u0301", "de-DE", "Größe “zitiert” e\u0301"),
        ("你好 only мир", "en_US", "   only    "),
        ("只有 this мир", "zh", "只有 this мир"),
        ("мир world", "ru", "мир world"),
        ("ngày mới", "vi", "ngày mới"),
        ("20 °C", "en", "20 °C"),
        ("👍🏽 ☎️ ok", "ja", "      ok"),
        ("می\u200cخواهم", "fa", "می\u200cخواهم"),
    ],
)
def test_examples(text: str, language: str, read: str) -> None:
    assert readable(text, language) == read


@given(st.text(), st.sampled_from(["en", "de", "zh", "ru", "fa", "", "xx-YY"]))
def test_one_character_for_one_and_nothing_new(text: str, language: str) -> None:
    read = readable(text, language)
    assert len(read) == len(text)
    assert all(new in (old, " ") for new, old in zip(read, text, strict=True))
    assert readable(read, language) == read
