from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import EngineMissing, Unavailable, WorkerLost
from vivavoce.workers.crashes import FORGIVEN_AFTER, Crashes
from vivavoce.workers.options import WorkerOptions

OPTIONS = WorkerOptions("w", (), restart_delay=0.2, restart_delay_max=3.0, poison_limit=3)
LOST = WorkerLost("it died")


def test_the_delay_doubles_up_to_its_limit_and_is_forgiven() -> None:
    crashes, delays = Crashes(OPTIONS), []
    for second in range(6):
        crashes.crashed(LOST, second * 5.0)
        delays.append(crashes.wait(second * 5.0))
    assert delays == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.0, 3.0])
    crashes.crashed(LOST, 25.0 + FORGIVEN_AFTER + 1)
    assert crashes.wait(25.0 + FORGIVEN_AFTER + 1) == pytest.approx(0.2)


def test_crashes_in_a_row_poison_until_a_job_is_finished() -> None:
    crashes = Crashes(OPTIONS)
    for _ in range(3):
        assert crashes.refusal(0.0) is None
        crashes.crashed(LOST, 0.0)
    refusal = crashes.refusal(0.0)
    assert isinstance(refusal, Unavailable)
    assert refusal.retry_after == pytest.approx(0.8)
    assert "it died" in refusal.message
    assert not crashes.starts_by_itself()
    assert crashes.refusal(0.9) is None, "a probe is let through"
    assert crashes.poisoned, "one by one"
    crashes.finished()
    assert not crashes.poisoned


def test_finished_jobs_between_keep_the_group_open_but_not_the_delay_short() -> None:
    crashes = Crashes(OPTIONS)
    for _ in range(5):
        crashes.crashed(LOST, 0.0)
        crashes.finished()
    assert crashes.refusal(0.0) is None
    assert crashes.wait(0.0) == 3.0


def test_a_missing_engine_refuses_with_its_own_error_until_it_is_tried_again() -> None:
    crashes = Crashes(OPTIONS)
    crashes.load_failed(EngineMissing("pull it"), 10.0)
    first, second = crashes.refusal(10.0), crashes.refusal(11.0)
    assert isinstance(first, EngineMissing)
    assert first.message == "pull it"
    assert first is not second
    assert crashes.refusal(13.1) is None
    crashes.loaded()
    assert crashes.starts_by_itself()


@given(st.lists(st.tuples(st.sampled_from(["crash", "finish", "miss", "load"]), st.floats(0, 100))))
def test_no_wait_is_longer_than_the_limit(events: list[tuple[str, float]]) -> None:
    crashes, now = Crashes(OPTIONS), 0.0
    for event, pause in events:
        now += pause
        if event == "crash":
            crashes.crashed(LOST, now)
        elif event == "miss":
            crashes.load_failed(EngineMissing("m"), now)
        else:
            crashes.finished() if event == "finish" else crashes.loaded()
        assert 0 <= crashes.wait(now) <= 3.0 + 1e-9
        assert crashes.refusal(now + 3.001) is None
