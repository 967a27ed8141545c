"""The graded wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.sessions.endpointing import (
    MAX_PATIENCE,
    MIN_PATIENCE,
    TELLING_WAIT,
    Evidence,
    PauseLearner,
    likelihood,
    patience,
    telling,
    wait,
)
from vivavoce.sessions.options import EndpointingOptions

DEFAULT = EndpointingOptions()
probability = st.none() | st.floats(0, 1)
evidences = st.builds(
    Evidence,
    sound=probability,
    words=probability,
    voiced=st.floats(0, 30),
    usual_pause=st.none() | st.floats(0.05, 3),
    hint=st.sampled_from(("none", "digits", "spelling")),
    caution=st.floats(0, 3),
    telling=st.floats(0, 3),
)


@given(evidences, st.floats(0, 1))
def test_the_wait_stays_within_its_bounds(evidence: Evidence, eagerness: float) -> None:
    options = EndpointingOptions(eagerness=eagerness)
    assert options.min_wait <= wait(evidence, options) <= options.max_wait


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0.1, 10))
def test_the_surer_the_shorter(words: float, one: float, other: float, voiced: float) -> None:
    low, high = sorted((one, other))
    assert wait(Evidence(high, words, voiced), DEFAULT) <= wait(Evidence(low, words, voiced), DEFAULT)
    assert wait(Evidence(words, high, voiced), DEFAULT) <= wait(Evidence(words, low, voiced), DEFAULT)


def test_the_ends_of_the_scale() -> None:
    assert wait(Evidence(0.99, 0.97), DEFAULT) == 0
    assert wait(Evidence(0.01, 0.03), DEFAULT) == DEFAULT.max_wait
    assert 0.3 < wait(Evidence(), DEFAULT) < 0.6, "where nothing is known it is somewhere between"
    assert wait(Evidence(0.99, 0.99), EndpointingOptions(fixed_silence=0.7)) == 0.7


def test_sound_counts_for_little_on_a_short_phrase() -> None:
    short, long = Evidence(0.02, 0.95, voiced=0.5), Evidence(0.02, 0.95, voiced=3.0)
    assert wait(short, DEFAULT) < 0.35 < 0.7 < wait(long, DEFAULT)
    assert likelihood(Evidence(0.99, None, voiced=0.0)) == 0.5


def test_digits_wait_longer_and_slow_speakers_are_given_their_pause() -> None:
    assert wait(Evidence(0.99, 0.97, hint="digits"), DEFAULT) >= 0.7
    unsure = Evidence(0.5, 0.5)
    assert wait(Evidence(0.5, 0.5, usual_pause=0.8), DEFAULT) > wait(unsure, DEFAULT)
    assert wait(Evidence(0.99, 0.97, usual_pause=0.8), DEFAULT) == 0, "a sure end is not waited for"


@given(st.floats(0, 120), st.floats(0, 120), st.integers(0, 40), st.integers(0, 40))
def test_a_telling_is_given_more_time_the_longer_it_is(one: float, other: float, few: int, more: int) -> None:
    (short, long), (few, more) = sorted((one, other)), sorted((few, more))
    assert 0 <= telling(short, few) <= telling(long, more) <= TELLING_WAIT < DEFAULT.max_wait
    assert telling(2.5, 0) == 0, "a question or a command of one breath is no telling"
    assert telling(30.0, 0) == TELLING_WAIT
    sure = Evidence(0.99, 0.97, telling=0.8)
    assert wait(sure, EndpointingOptions(eagerness=1.0)) < wait(sure, DEFAULT) == 0.8


@given(st.floats(0.85, 1), probability, st.floats(0, 30))
def test_questions_and_orders_are_not_waited_for_as_statements_are(words: float, sound: float | None, voiced: float) -> None:
    statement = wait(Evidence(sound, 0.65, voiced), DEFAULT)
    assert wait(Evidence(sound, words, voiced), DEFAULT) <= statement
    assert wait(Evidence(0.99, 0.65, voiced=3.0), DEFAULT) == 0, "where the sound is sure, a statement is over too"


def test_a_doubtful_statement_is_given_half_a_second() -> None:
    assert wait(Evidence(0.8, 0.65), DEFAULT) > 0.3 > 0.1 > wait(Evidence(0.8, 0.85), DEFAULT)
    assert wait(Evidence(0.8, 0.65), EndpointingOptions(eagerness=1.0)) < wait(Evidence(0.8, 0.65), DEFAULT)


def test_eagerness_scales_the_wait() -> None:
    unsure = Evidence(0.5, 0.5)
    patient, eager = (wait(unsure, EndpointingOptions(eagerness=value)) for value in (0.0, 1.0))
    assert eager < wait(unsure, DEFAULT) < patient


@given(probability)
def test_patience_is_bounded_and_falls_with_sureness(words: float | None) -> None:
    assert MIN_PATIENCE <= patience(words) <= MAX_PATIENCE
    assert patience(0.99) == MIN_PATIENCE < patience(0.7) < patience(0.3) == patience(None) == MAX_PATIENCE


def test_pauses_are_learned() -> None:
    learner = PauseLearner()
    assert learner.usual is None
    learner.learn(0.5)
    learner.learn(0.0)
    assert learner.usual == 0.5
    for _ in range(50):
        learner.learn(1.0)
    assert learner.usual == pytest.approx(1.0, abs=0.01)
    before = learner.usual
    learner.learn(0.06)
    assert learner.usual == before, "a stop consonant is no pause"
    learner.learn(0.3)
    assert before is not None and before - 0.15 < learner.usual < before, (
        "a short pause does not make one forget the long ones"
    )
    deaf = PauseLearner(enabled=False)
    deaf.learn(1.0)
    assert deaf.usual is None


def test_a_speaker_who_was_cut_off_is_given_time_for_a_while() -> None:
    learner = PauseLearner()
    sure = Evidence(0.99, 0.97)
    assert wait(sure, DEFAULT) == 0
    learner.learn_cut_off(0.4)
    cautious = [learner.caution]
    for _ in range(10):
        learner.learn_end()
        cautious.append(learner.caution)
    assert cautious[0] >= 0.4 and cautious == sorted(cautious, reverse=True) and cautious[-1] == 0
    assert wait(Evidence(0.99, 0.97, caution=cautious[0]), DEFAULT) == cautious[0]
