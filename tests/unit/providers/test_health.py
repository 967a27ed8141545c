"""The breaker, on a clock of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.providers.health import Breaker, BreakerOptions


def test_it_opens_on_failures_in_a_row_and_tries_again_ever_later() -> None:
    breaker = Breaker(BreakerOptions(failures=3, pause=2.0, longest_pause=6.0))
    breaker.failed(0)
    breaker.failed(0)
    breaker.succeeded()
    breaker.failed(0)
    breaker.failed(0)
    assert breaker.admit(0)
    breaker.failed(0)
    assert breaker.state(0) == "open" and not breaker.admit(1.9)
    now = 2.0
    for pause in (4.0, 6.0, 6.0):
        assert breaker.state(now) == "half_open"
        assert breaker.admit(now) and not breaker.admit(now), "one request tries"
        breaker.failed(now)
        assert not breaker.admit(now + pause - 0.1)
        now += pause
    assert breaker.admit(now)
    breaker.succeeded()
    assert breaker.state(now) == "closed" and breaker.admit(now) and breaker.admit(now)


def test_a_probe_that_was_withdrawn_lets_the_next_one_try() -> None:
    breaker = Breaker()
    breaker.failed(0, at_once=True)
    assert breaker.admit(10) and not breaker.admit(10)
    breaker.abandoned()
    assert breaker.admit(10)


def test_the_service_may_ask_for_longer() -> None:
    breaker = Breaker()
    breaker.failed(0, retry_after=300)
    assert not breaker.admit(299) and breaker.admit(300)


def test_stragglers_do_not_prolong_the_pause() -> None:
    breaker = Breaker()
    breaker.failed(0, at_once=True)
    breaker.failed(1.5)
    assert breaker.admit(2.0)


@given(st.lists(st.tuples(st.sampled_from(["admit", "ok", "fail", "leave"]), st.floats(0, 100)), max_size=40))
def test_it_always_lets_something_pass_in_the_end(steps: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    for step, passed in steps:
        now += passed
        match step:
            case "admit":
                breaker.admit(now)
            case "ok":
                breaker.succeeded()
            case "fail":
                breaker.failed(now)
            case "leave":
                breaker.abandoned()
    breaker.abandoned()
    assert breaker.admit(now + 61.0)
