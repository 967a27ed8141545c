"""Text and words from tokens. No library needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.speech import Word
from vivavoce.engines.sherpa.reading import TAIL, Piece, Reading, glued, join, words


def test_words_begin_where_tokens_say_so() -> None:
    piece = Piece("hello you", [" hel", "lo", " you"], [0.0, 0.2, 0.5], start=1.0)
    assert words(piece) == [Word("hello", 1.0, 1.28), Word("you", 1.5, 1.58)]


def test_a_word_ends_at_the_latest_where_the_next_begins() -> None:
    first, second = words(Piece("a b", [" a", " b"], [0.0, 0.04]))
    assert first.end == second.start == 0.04


def test_words_without_spaces_are_characters() -> None:
    assert [word.text for word in words(Piece("你好", ["你", "好"], [0.0, 0.3]))] == ["你", "好"]


def test_confidence_is_the_mean_probability_of_the_tokens() -> None:
    (word,) = words(Piece("ab", [" a", "b"], [0.0, 0.1], [float(np.log(0.5)), float(np.log(0.5))]))
    assert word.confidence == pytest.approx(0.5)
    reading = Reading()
    reading.add(Piece("ab", [" a", "b"], [0.0, 0.1], [0.0, 0.0]))
    assert reading.confidence == 1.0


@pytest.mark.parametrize("piece", [Piece(""), Piece("a", ["a"], []), Piece("a", [], [0.1]), Piece("a b", ["a", "b"], [0.1])])
def test_no_words_where_times_are_unknown(piece: Piece) -> None:
    assert words(piece) == []
    reading = Reading()
    reading.add(piece)
    assert (reading.text, reading.confidence) == (piece.text, None)


@given(st.lists(st.tuples(st.sampled_from([" a", "b", " ", "▁c", "你"]), st.integers(0, 5)), max_size=20))
def test_words_are_in_order_and_have_a_length(tokens: list[tuple[str, int]]) -> None:
    times = np.cumsum([step for _, step in tokens]) * 0.04
    found = words(Piece("", [token for token, _ in tokens], list(times)))
    assert "".join(word.text for word in found) == "".join(token.strip(" ▁") for token, _ in tokens)
    for word in found:
        assert 0 <= word.end - word.start <= (times[-1] - times[0]) + TAIL + 0.001
    assert [word.start for word in found] == sorted(word.start for word in found)


# --- pieces put together


@pytest.mark.parametrize(
    ("text", "piece", "whole"),
    [
        ("", Piece(" hello "), "hello"),
        ("hello", Piece("you"), "hello you"),
        ("wor", Piece("ld", glued=True), "world"),
        ("你", Piece("好"), "你好"),
        ("hello", Piece(""), "hello"),
        ("ok", Piece("好"), "ok好"),
    ],
)
def test_join(text: str, piece: Piece, whole: str) -> None:
    assert join(text, piece) == whole


def test_a_piece_goes_on_in_a_word_only_in_models_that_mark_words() -> None:
    assert glued(["ld", " and"], spaced=True)
    assert not glued([" world"], spaced=True)
    assert not glued(["▁world"], spaced=True)
    assert not glued(["ld"], spaced=False)
    assert not glued([], spaced=True)


@given(st.lists(st.text("ab cé你", max_size=6), max_size=8), st.booleans())
def test_what_was_put_aside_does_not_change(texts: list[str], goes_on: bool) -> None:
    whole = ""
    for text in texts:
        longer = join(whole, Piece(text, glued=goes_on))
        assert longer.startswith(whole)
        whole = longer
