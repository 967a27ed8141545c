"""What a page's two sides come to: a wrong onset is a wrong figure."""

from __future__ import annotations

import numpy as np
import pytest
from bench.ear import Recording, exchanges, stretches, utterances

QUIET, BREATH = 1e-8, 3e-5
"""Mean squares of a room (-80 dBFS) and of a breath (-45)."""


def line(seconds: float, *loud: tuple[float, float], quiet: float = 0.0, level: float = 1.0) -> np.ndarray:
    """A value for each millisecond."""
    values = np.full(round(seconds * 1000), quiet)
    for start, end in loud:
        values[round(start * 1000) : round(end * 1000)] = level
    return values


def spoken(seconds: float, *said: tuple[float, float], seed: int = 1) -> Recording:
    """Utterances whose level wavers as that of a voice does, after the breath of the one who speaks."""
    chance = np.random.default_rng(seed)
    power = np.full(round(seconds * 1000), QUIET)
    for start, end in said:
        power[round(start * 1000) - 100 : round(start * 1000)] = BREATH
        syllables = np.repeat(10 ** chance.uniform(-5, -1, round((end - start) * 10) + 1), 100)
        power[round(start * 1000) : round(end * 1000)] = syllables[: round(end * 1000) - round(start * 1000)]
    return Recording(power, said)


def test_an_utterance_begins_and_ends_where_the_recording_says() -> None:
    recording = spoken(8.0, (1.0, 2.5), (4.0, 5.5))
    assert utterances(recording, recording.power) == [pytest.approx((1.0, 2.5)), pytest.approx((4.0, 5.5))]
    assert utterances(recording, np.zeros(0)) == utterances(recording, np.full(9_000, QUIET)) == []
    assert utterances(Recording(np.full(1_000, QUIET), ()), recording.power) == []


def test_it_is_found_later_and_louder_and_with_what_the_browser_lost_and_round_after_round() -> None:
    recording = spoken(8.0, (1.0, 2.5), (4.0, 5.5))
    played = np.tile(recording.power, 3)
    heard = 4 * np.concatenate([played[700:3_400], played[3_520:22_000]]) + chance_noise(22_000 - 820)
    found = utterances(recording, heard)
    expected = [(0.3, 1.8), (3.18, 4.68), (8.18, 9.68), (11.18, 12.68), (16.18, 17.68), (19.18, 20.68)]
    assert found == [pytest.approx(one, abs=0.003) for one in expected]


def test_one_that_noise_suppression_ate_or_that_is_not_over_is_not_found() -> None:
    recording = spoken(8.0, (1.0, 2.5), (4.0, 5.5))
    eaten = recording.power.copy()
    eaten[1_000:2_400] = QUIET
    assert utterances(recording, eaten) == [pytest.approx((4.0, 5.5))]
    assert utterances(recording, recording.power[:5_600]) == [pytest.approx((1.0, 2.5))]


def chance_noise(count: int) -> np.ndarray:
    return np.random.default_rng(2).uniform(0, 1e-6, count)


def test_sound_is_one_stretch_over_the_pauses_of_a_voice() -> None:
    output = line(5.0, (1.0, 1.5), (1.9, 2.2), (3.0, 3.001), level=0.5)
    assert stretches(output) == [pytest.approx((1.0, 2.2)), pytest.approx((3.0, 3.001))]
    assert len(stretches(output, 0.1)) == 3


def test_a_reply_is_hushed_and_stopped_and_the_next_one_answers() -> None:
    output = line(9.0, (2.5, 5.06), (7.0, 8.0), level=0.5)
    [question, over] = exchanges([(1.0, 2.0), (5.0, 6.5)], output)
    assert (question.stopped, question.answered, question.early) == (None, pytest.approx(2.5), False)
    assert (over.onset, over.hushed, over.stopped) == pytest.approx((5.0, 5.06, 5.06))
    assert over.answered == pytest.approx(7.0)


def test_a_reply_that_is_heard_once_more_has_not_stopped() -> None:
    output = line(9.0, (2.5, 5.05), (5.4, 5.5), level=0.5)
    over = exchanges([(1.0, 2.0), (5.0, 6.5)], output)[1]
    assert (over.hushed, over.stopped) == pytest.approx((5.05, 5.5))
    assert not over.early, "it is no new sound"


def test_a_reply_that_the_breath_before_a_word_stopped_was_not_stopped_by_the_word() -> None:
    over, behind = exchanges([(5.0, 6.5), (9.0, 9.5)], line(12.0, (2.5, 4.9), (7.0, 8.5), level=0.5))
    assert (over.stopped, over.hastened) == (None, True)
    assert (behind.stopped, behind.hastened) == (None, False), "it was over long before"


def test_what_is_no_answer_is_none() -> None:
    said = [(1.0, 2.0), (3.0, 4.0), (12.0, 13.0)]
    first, second, third = exchanges(said, line(20.0, (1.5, 1.9), (4.5, 5.0), (18.5, 19.0), level=0.5))
    assert (first.early, first.answered) == (True, None), "it began within the utterance"
    assert (second.early, second.answered) == (False, pytest.approx(4.5))
    assert third.answered is None, "that late it answers nothing"
