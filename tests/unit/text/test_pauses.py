from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.text.pauses import bounded_pieces, growing_pieces, opening_pieces, pause_after


@given(st.text(alphabet="ab ,.!?\n。，", max_size=200), st.integers(1, 50))
def test_pieces_tile_the_text_within_the_limit(text: str, limit: int) -> None:
    at = 0
    for offset, piece in bounded_pieces(text, limit):
        assert offset == at
        assert 0 < len(piece) <= limit
        at += len(piece)
        assert text[offset:at] == piece
    assert at == len(text)


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        ("One two. Three four, five six.", 20, ["One two. ", "Three four, five six."[:12], "five six."]),
        ("One two three, four five", 16, ["One two three, ", "four five"]),
        ("one two three four", 10, ["one two ", "three four"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("今天天气很好。我们走吧", 8, ["今天天气很好。", "我们走吧"]),
        ("A. bcdefghijklmn opq", 16, ["A. ", "bcdefghijklmn ", "opq"]),
        ("short", 80, ["short"]),
        ("", 80, []),
    ],
)
def test_cuts_fall_where_a_speaker_would_breathe(text: str, limit: int, pieces: list[str]) -> None:
    assert [piece for _, piece in bounded_pieces(text, limit)] == pieces


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("Yes.", 3),
        ('He said: "Yes!" ', 3),
        ("好。", 3),
        ("first;", 2),
        ("Hello,", 1),
        ("Hello (so to speak),  ", 1),
        ("and", 0),
        ("", 0),
    ],
)
def test_the_pause_grows_with_the_mark(text: str, order: int) -> None:
    levels = [0.0, pause_after(","), pause_after(";"), pause_after(".")]
    assert levels == sorted(set(levels))
    assert pause_after(text) == levels[order]


@given(st.text(max_size=400), st.integers(4, 30), st.integers(30, 100))
def test_opening_pieces_are_the_text_and_begin_short(text: str, first: int, limit: int) -> None:
    pieces = list(opening_pieces(text, first, limit))
    assert "".join(piece for _, piece in pieces) == text
    assert [offset for offset, _ in pieces] == [
        sum(len(piece) for _, piece in pieces[:index]) for index in range(len(pieces))
    ]
    assert all(0 < len(piece) <= limit for _, piece in pieces)
    assert len(text) <= limit // 2 or len(pieces[0][1]) <= first


@given(st.text(max_size=400), st.integers(4, 30), st.integers(30, 100), st.floats(1.1, 3.0))
def test_growing_pieces_grow_no_faster_than_they_may(text: str, first: int, limit: int, growth: float) -> None:
    pieces = list(growing_pieces(text, first, limit, growth))
    assert "".join(piece for _, piece in pieces) == text
    assert [offset for offset, _ in pieces] == [
        sum(len(piece) for _, piece in pieces[:index]) for index in range(len(pieces))
    ]
    assert all(0 < len(piece) <= limit for _, piece in pieces)
    if len(text) > limit // 2:
        sizes = [first / growth, *(len(piece) for _, piece in pieces)]
        for before, size in itertools.pairwise(sizes):
            assert size <= max(first, before * growth) + 1
