"""What a page's two sides come to: a wrong onset is a wrong figure."""

from __future__ import annotations

import numpy as np
import pytest
from bench.ear import exchanges, stretches, utterances

QUIET, LOUD = 1e-8, 1e-2
"""Mean squares of a room (-80 dBFS) and of a voice (-20)."""


def line(seconds: float, *loud: tuple[float, float], quiet: float = 0.0, level: float = 1.0) -> np.ndarray:
    """A value for each millisecond."""
    values = np.full(round(seconds * 1000), quiet)
    for start, end in loud:
        values[round(start * 1000) : round(end * 1000)] = level
    return values


def microphone(seconds: float, *loud: tuple[float, float]) -> np.ndarray:
    return line(seconds, *loud, quiet=QUIET, level=LOUD)


def test_an_utterance_is_found_to_the_step_and_a_pause_within_a_word_divides_none() -> None:
    found = utterances(microphone(6.0, (1.0, 1.4), (1.7, 2.5), (4.0, 5.0)))
    assert found == [pytest.approx((1.0, 2.5)), pytest.approx((4.0, 5.0))]
    assert utterances(microphone(3.0, (1.0, 1.05))) == [], "a click is none"
    assert utterances(microphone(3.0)) == utterances(np.zeros(0)) == []


def test_a_soft_beginning_thirty_decibels_down_belongs_to_the_word() -> None:
    values = microphone(3.0, (1.0, 2.0))
    values[960:1000] = 2e-5  # -47 dBFS
    assert utterances(values) == [pytest.approx((0.96, 2.0), abs=0.005)]


def test_sound_is_one_stretch_over_the_pauses_of_a_voice() -> None:
    output = line(5.0, (1.0, 1.5), (1.9, 2.2), (3.0, 3.001), level=0.5)
    assert stretches(output) == [pytest.approx((1.0, 2.2)), pytest.approx((3.0, 3.001))]
    assert len(stretches(output, 0.1)) == 3


def test_a_reply_is_hushed_and_stopped_and_the_next_one_answers() -> None:
    output = line(9.0, (2.5, 5.06), (7.0, 8.0), level=0.5)
    [question, over] = exchanges(microphone(9.0, (1.0, 2.0), (5.0, 6.5)), output)
    assert (question.stopped, question.answered, question.early) == (None, pytest.approx(2.5), False)
    assert (over.onset, over.hushed, over.stopped) == pytest.approx((5.0, 5.06, 5.06))
    assert over.answered == pytest.approx(7.0)


def test_a_reply_that_is_heard_once_more_has_not_stopped() -> None:
    output = line(9.0, (2.5, 5.05), (5.4, 5.5), level=0.5)
    over = exchanges(microphone(9.0, (1.0, 2.0), (5.0, 6.5)), output)[1]
    assert (over.hushed, over.stopped) == pytest.approx((5.05, 5.5))
    assert not over.early, "it is no new sound"


def test_what_is_no_answer_is_none() -> None:
    said = microphone(20.0, (1.0, 2.0), (3.0, 4.0), (12.0, 13.0))
    first, second, third = exchanges(said, line(20.0, (1.5, 1.9), (4.5, 5.0), (18.5, 19.0), level=0.5))
    assert (first.early, first.answered) == (True, None), "it began within the utterance"
    assert (second.early, second.answered) == (False, pytest.approx(4.5))
    assert third.answered is None, "that late it answers nothing"
