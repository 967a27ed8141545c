"""The arithmetic of benchmarks: a wrong percentile is worse than no measurement."""

from __future__ import annotations

import math

import pytest
from bench.playhead import Playhead
from bench.result import Result, Table, load, save
from bench.scoreboard import number, render
from bench.stats import Bar, Figure, figure, percentile, share, single, summarise
from hypothesis import given
from hypothesis import strategies as st

RATE = 24_000


@given(st.lists(st.integers(-1_000, 1_000), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values: list[int], part: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, part)
    assert found in values
    assert sum(value <= found for value in values) >= part * len(values) - 1e-6
    below = [value for value in ordered if value < found]
    assert len(below) < part * len(values)


def test_percentiles_of_a_hundred() -> None:
    s = summarise(range(1, 101))
    assert s is not None
    assert (s.p50, s.p95, s.p99, s.max, s.count) == (50, 95, 99, 100, 100)


def test_nothing_has_no_percentile_and_meets_no_bar() -> None:
    assert summarise([]) is None
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)
    assert figure("x", "ms", [[]], (Bar("p50", 10.0),)).met is False
    assert single("x", "ms", [], (Bar("value", 10.0),)).met is False
    assert Figure("x", "%", value=share(0, 0), bars=(Bar("value", 2.0),)).met is False


def test_all_bars_must_be_met() -> None:
    bars = (Bar("p50", 2.0), Bar("max", 2.5))
    assert figure("x", "ms", [[1.0, 2.0, 3.0]], bars).met is False
    assert figure("x", "ms", [[1.0, 2.0, 2.5]], bars).met is True
    assert figure("x", "ms", [[1.0]]).met is None
    assert single("n", "sessions", [150], (Bar("value", 150.0, at_least=True),)).met is True
    assert single("n", "sessions", [149], (Bar("value", 150.0, at_least=True),)).met is False


def test_the_spread_is_the_median_of_each_repetition() -> None:
    item = figure("x", "ms", [[1.0, 2.0, 9.0], [4.0], []])
    assert item.spread == (2.0, 4.0)
    assert item.summary is not None and item.summary.count == 4


def test_a_result_survives_its_file_and_its_page(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    result = Result("duck", "Duck", machine={"date": "d", "processor": "p", "memory": "m", "kernel": "k", "python": "3"})
    result.machine |= {"packages": "q", "load before": "0.1 0.1 0.1"}
    result.figures = [figure("onset", "ms", [[1.0, 200.0]], (Bar("p95", 120.0),)), Figure("missed", "%", value=math.nan)]
    result.tables = [Table("by kind", ("a", "b"), (("1", "2|3"),))]
    assert load(save(result, folder)).figures[0] == result.figures[0]
    page = render([load(folder / "duck.json"), Result("peers", "Peers", skipped="no recordings")])
    assert "**not met**" in page and "p95 ≤ 120" in page and "p95 200 ms" in page and "2\\|3" in page
    assert "Not measured: no recordings." in page


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (math.nan, "–"), (0.0, "0"), (1234.5, "1234"), (12.34, "12.3"), (0.123, "0.12")]
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


# --- the client's playhead ------------------------------------------------------------------------------------------------


def frames(head: Playhead, times: list[float], generation: int = 1) -> None:
    for count, moment in enumerate(times):
        head.receive(generation, count * 480, 480, moment)


def test_frames_in_time_leave_no_gap() -> None:
    head = Playhead(RATE, buffer=0.0)
    frames(head, [0.0, 0.01, 0.02, 0.05])
    assert head.dry == [] and head.played(0.05) == 1_200 and head.played(1.0) == 1_920


def test_a_late_frame_is_a_gap_as_long_as_the_silence() -> None:
    head = Playhead(RATE, buffer=0.0)
    frames(head, [0.0, 0.07])
    [gap] = head.dry
    assert gap.at == 480 and gap.seconds == pytest.approx(0.05)
    assert head.played(0.08) == 480 + 240, "playback goes on from where the gap was"


def test_a_pause_is_no_gap_and_moves_no_sample() -> None:
    head = Playhead(RATE, buffer=0.0)
    frames(head, [0.0, 0.0])
    assert head.pause(0.01) == 240
    head.receive(1, 960, 480, 5.0)
    assert head.played(6.0) == 240
    head.resume(7.0)
    assert head.dry == [] and head.played(7.01) == 480


def test_a_newer_generation_begins_anew_and_an_older_one_is_dropped() -> None:
    head = Playhead(RATE, buffer=0.0)
    frames(head, [0.0])
    assert head.receive(2, 0, 480, 1.0) is True
    assert head.receive(1, 480, 480, 1.0) is False
    assert head.generation == 2 and head.received == 480 and head.dry == []


def test_a_hole_in_the_offsets_is_noted() -> None:
    head = Playhead(RATE, buffer=0.0)
    head.receive(1, 0, 480, 0.0)
    head.receive(1, 960, 480, 0.0)
    assert head.misplaced == 1


def test_a_dropped_reply_plays_no_further() -> None:
    head = Playhead(RATE, buffer=0.0)
    frames(head, [0.0, 0.0])
    head.drop(1, 0.01)
    assert head.played(9.0) == 240


def test_a_start_buffer_bridges_what_is_late_by_less() -> None:
    head = Playhead(RATE, buffer=0.04)
    frames(head, [0.0, 0.05])
    assert head.dry == [] and head.played(0.03) == 0 and head.played(0.05) == 240
    head.receive(1, 960, 480, 0.09)
    [gap] = head.dry
    assert gap.seconds == pytest.approx(0.01) and head.played(0.1) == 960, "it waits for its buffer anew"
