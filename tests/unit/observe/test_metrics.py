"""Folding events into numbers, and the lag of the loop."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ResponseCompleted,
    SessionFailed,
    SettingsChanged,
    TranscriptUpdated,
    TurnDiscarded,
    Waterfall,
)
from vivavoce.observe.loop_lag import LoopLag
from vivavoce.observe.metrics import MAX_NAMES, Metrics, Reservoir, percentile

STAMP = Stamp(1, 1, 1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.floats(0.001, 1))
def test_a_percentile_is_the_nearest_rank(values: list[float], part: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, part)
    assert found is not None
    assert sum(value <= found for value in ordered) >= part * len(ordered) - 1e-9
    assert sum(value < found for value in ordered) < math.ceil(part * len(ordered) - 1e-9)


def test_a_reservoir_keeps_the_latest_and_counts_all() -> None:
    reservoir = Reservoir(100)
    for value in range(1, 1_001):
        reservoir.add(float(value))
    assert reservoir.snapshot() == {"count": 1_000, "p50": 950.0, "p95": 995.0, "p99": 999.0, "max": 1_000.0}
    assert Reservoir().snapshot() == {"count": 0, "p50": None, "p95": None, "p99": None, "max": None}


def test_events_are_counted_by_what_became_of_them() -> None:
    metrics = Metrics()
    for event in (
        ReplyStarted(STAMP), ReplyPaused(STAMP), ReplyResumed(STAMP, 5, "backchannel"), ReplyPaused(STAMP),
        ReplyInterrupted(STAMP, 9, "He", "speech"), TurnDiscarded(STAMP, "noise"), TranscriptUpdated(STAMP, "hi", True),
        TranscriptUpdated(STAMP, "h", False), SessionFailed(STAMP, "worker_lost", "lost", True),
        SettingsChanged("mode", "auto"),
        ResponseCompleted(STAMP, "He", True, Waterfall(transcript=0.1, first_token=0.3, speculated=True, revisions=2)),
    ):  # fmt: skip
        metrics(event)
    snapshot = metrics.snapshot()
    assert snapshot["counts"] == {
        "failures.worker_lost": 1, "replies": 1, "replies_interrupted.speech": 1, "replies_paused": 2,
        "replies_resumed.backchannel": 1, "revisions": 2, "transcripts_final": 1, "transcripts_interim": 1, "turns": 1,
        "turns_discarded.noise": 1, "turns_speculated": 1,
    }  # fmt: skip
    assert math.isclose(snapshot["latencies"]["turn.llm"]["p50"], 0.2)
    assert "turn.first_audio" not in snapshot["latencies"]


def test_names_are_bounded() -> None:
    metrics = Metrics()
    for number in range(MAX_NAMES * 2):
        metrics.count(f"name {number}")
        metrics.observe(f"name {number}", 1.0)
    snapshot = metrics.snapshot()
    assert len(snapshot["counts"]) == len(snapshot["latencies"]) == MAX_NAMES + 1
    assert snapshot["counts"]["other"] == snapshot["latencies"]["other"]["count"] == MAX_NAMES


class LateClock:
    """A clock whose timers come late by a given amount."""

    def __init__(self) -> None:
        self.time = 0.0
        self.timers: list[tuple[float, object]] = []

    def now(self) -> float:
        return self.time

    def call_later(self, seconds: float, callback: object) -> object:
        entry = (self.time + seconds, callback)
        self.timers.append(entry)
        return lambda: self.timers.remove(entry) if entry in self.timers else None

    def fire(self, late: float) -> None:
        due, callback = self.timers.pop(0)
        self.time = due + late
        callback()  # type: ignore[operator]


def test_lag_is_what_a_timer_waits_too_long() -> None:
    clock, lags = LateClock(), []
    probe = LoopLag(clock, lags.append, every=0.25)  # type: ignore[arg-type]
    probe.start()
    probe.start()
    for late in (0.0, 0.04, 0.0):
        clock.fire(late)
    assert [round(lag, 6) for lag in lags] == [0.0, 0.04, 0.0]
    probe.stop()
    probe.stop()
    assert not clock.timers
