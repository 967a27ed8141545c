"""SubRip captions from word times."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.contracts.errors import Unavailable
from vivavoce.contracts.speech import Transcript, Word
from vivavoce.text.subtitles import LONGEST, WIDEST, captions, captions_of, subrip, webvtt

TIME = r"(\d\d+):([0-5]\d):([0-5]\d),(\d{3})"


def subrip_of(transcript: Transcript) -> str:
    return subrip(captions_of(transcript))


def test_webvtt_escapes_markup_and_starts_with_its_name() -> None:
    shown = webvtt(captions((Word("a<b", 0.0, 0.5), Word("&", 0.5, 61.25))))
    assert shown.startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert "a&lt;b" in shown
    assert "00:01:01.250" in shown
    assert webvtt([]) == "WEBVTT\n"


def test_a_pause_divides() -> None:
    words = (Word("what", 0.0, 0.2), Word("time", 0.25, 0.5), Word("now", 3661.5, 3662.0004))
    assert subrip_of(Transcript("what time now", True, words=words)) == (
        "1\n00:00:00,000 --> 00:00:00,500\nwhat time\n\n2\n01:01:01,500 --> 01:01:02,000\nnow\n"
    )


def test_silence_has_no_captions() -> None:
    assert subrip_of(Transcript("", True)) == ""


def test_text_without_times_is_refused() -> None:
    with pytest.raises(Unavailable, match="no word times"):
        subrip_of(Transcript("hello", True))


_steps = st.lists(
    st.tuples(st.text("abcdefgh'", min_size=1, max_size=12), st.floats(0, 3), st.floats(0.01, 1)), min_size=1, max_size=60
)


@settings(deadline=None)
@given(_steps)
def test_captions_keep_every_word_in_order_and_stay_readable(steps: list[tuple[str, float, float]]) -> None:
    words, now = [], 0.0
    for text, gap, length in steps:
        words.append(Word(text, now + gap, now + gap + length))
        now = words[-1].end
    blocks = subrip_of(Transcript(" ".join(word.text for word in words), True, words=tuple(words))).strip("\n").split("\n\n")
    texts = []
    before = 0
    for number, block in enumerate(blocks, start=1):
        count, times, text = block.split("\n")
        assert count == str(number)
        start, end = (_milliseconds(part) for part in times.split(" --> "))
        assert before <= start <= end
        assert end - start <= LONGEST * 1000 + 1
        assert len(text) <= WIDEST
        before = end
        texts.append(text)
    assert " ".join(texts) == " ".join(word.text for word in words)


def _milliseconds(text: str) -> int:
    found = re.fullmatch(TIME, text)
    assert found
    hours, minutes, seconds, rest = map(int, found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
