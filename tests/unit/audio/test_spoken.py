"""From clauses to chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.spoken import Said, SpokenStream, to_pcm
from vivavoce.contracts.errors import EngineFailed

RATE = 1_000


def tone(seconds: float, before: float = 0.0, after: float = 0.0) -> np.ndarray:
    silence = (np.zeros(round(before * RATE)), np.full(round(seconds * RATE), 0.5), np.zeros(round(after * RATE)))
    return np.concatenate(silence).astype(np.float32)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 900), st.booleans()), max_size=6), st.integers(0, 9))
def test_spans_tile_the_text_whatever_comes(clauses: list[tuple[int, int, bool]], rest: int) -> None:
    text = "x" * (sum(size for size, _, _ in clauses) + rest)

    def said() -> Iterator[Said]:
        end = 0
        for size, samples, marked in clauses:
            end += size
            yield Said(tone(samples / RATE), end, ((samples // 3, end),) if marked else (), pause=0.1)

    at = 0
    for piece in SpokenStream(RATE).tell(text, said()):
        assert piece.text_start == at <= piece.text_end
        assert 0 < len(piece.pcm) <= 2 * RATE // 10
        at = piece.text_end
    assert at == len(text)


def test_silence_is_cut_and_the_pause_owed_is_put_in_front() -> None:
    stream = SpokenStream(RATE)
    first = b"".join(p.pcm for p in stream.tell("ab", [Said(tone(0.2, 0.5, 0.5), 2, pause=0.3)]))
    second = b"".join(p.pcm for p in stream.tell("cd", [Said(tone(0.2, 0.5, 0.5), 2)]))
    third = b"".join(p.pcm for p in stream.tell("ef", [Said(tone(0.2), 2)]))
    assert len(first) // 2 == 200 + 2 * 20
    assert len(second) // 2 == 300 + 200 + 2 * 20
    assert len(third) // 2 == 200


def test_marks_move_with_the_cut_and_the_pause() -> None:
    stream = SpokenStream(RATE)
    list(stream.tell("a", [Said(tone(0.1), 1, pause=0.2)]))
    marks = ((400, 0), (600, 5), (600, 5), (800, 10))
    pieces = list(stream.tell("0123456789", [Said(tone(0.4, 0.4, 0.4), 10, marks, exact=True)]))
    assert all(piece.exact for piece in pieces)
    at, said = 0, []
    for piece in pieces:
        at += len(piece.pcm) // 2
        said.append((at, piece.text_end))
    pause_and_margin = 200 + 20
    for moment, text_end in said[:-1]:
        assert text_end == pytest.approx(max(0, moment - pause_and_margin) / 40, abs=1)


def test_a_clause_is_asked_for_only_when_the_one_before_is_handed_on() -> None:
    asked = []

    def said() -> Iterator[Said]:
        for end in (1, 2):
            asked.append(end)
            yield Said(tone(0.3), end)

    pieces = SpokenStream(RATE).tell("ab", said())
    next(pieces)
    assert asked == [1]
    pieces.close()  # type: ignore[attr-defined]
    assert asked == [1]


def test_a_clause_without_a_sound_has_a_moment() -> None:
    pieces = list(SpokenStream(RATE).tell("abc", [Said(tone(0, 0.5), 2), Said(tone(0), 3)]))
    assert [(piece.text_start, piece.text_end, len(piece.pcm)) for piece in pieces] == [(0, 2, 20), (2, 3, 20)]


def test_no_memory_is_an_error_that_may_pass() -> None:
    def said() -> Iterator[Said]:
        raise MemoryError
        yield  # pragma: no cover

    with pytest.raises(EngineFailed) as caught:
        list(SpokenStream(RATE).tell("a", said()))
    assert caught.value.retryable


def test_samples_out_of_range_are_limited() -> None:
    pcm = np.frombuffer(to_pcm(np.array([0.0, 1.0, -1.0, 7.0, -7.0, np.nan, np.inf])), "<i2")
    assert pcm.tolist() == [0, 32_767, -32_767, 32_767, -32_767, 0, 32_767]
