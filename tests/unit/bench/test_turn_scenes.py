"""The two sets of scenes share nothing, or the held-out figures mean nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bench.spoken_turns import DEVELOPMENT, HELD_OUT, SHORT_DEVELOPMENT, SHORT_HELD_OUT, Turns
from bench.turn_scenes import SHORT, development, held_out, timed
from hypothesis import given
from hypothesis import strategies as st


def sayings(turns: Turns, short: tuple[str, ...]) -> Iterator[str]:
    for group in turns.values():
        for stretches in group:
            yield from stretches
    yield from short


def test_no_stretch_of_one_set_is_in_the_other() -> None:
    ours, theirs = set(sayings(DEVELOPMENT, SHORT_DEVELOPMENT)), set(sayings(HELD_OUT, SHORT_HELD_OUT))
    assert len(ours) > 40 and len(theirs) > 60 and not ours & theirs
    assert DEVELOPMENT.keys() == HELD_OUT.keys(), "both hold the same kinds of turns"


def test_every_scene_ends_with_its_speech(speech: object) -> None:
    names: set[str] = set()
    for made in (development, held_out):
        scenes = list(made())
        assert not names & {scene.name for scene in scenes}, "no recording is in both sets"
        names |= {scene.name for scene in scenes}
        for scene in scenes:
            assert scene.words and scene.end < len(scene.track)
            assert all(0 <= word.start < word.end for word in scene.words)
            assert scene.words[-1].start < scene.end
            assert (scene.pauses == 0) >= (scene.group == SHORT)


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=6), st.lists(st.text("abc", min_size=1), min_size=1, max_size=9))
def test_words_lie_within_the_stretches_and_in_order(lengths: list[int], words: list[str]) -> None:
    stretches, at = [], 0
    for length in lengths:
        stretches.append((at, at + length))
        at += length + 700
    found = timed(words, stretches)
    assert [word.text for word in found] == words
    assert all(one.start <= other.start for one, other in itertools.pairwise(found))
    assert all(any(a <= word.start <= b for a, b in stretches) for word in found)
