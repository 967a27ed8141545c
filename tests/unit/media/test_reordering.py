"""Packets that overtake each other, are lost, come twice or late: in order, none twice, none held for ever."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.media.reordering import LEAST, MOST, WINDOW, Reordering


def through(numbers: list[int], start: int = 0) -> tuple[list[int], Reordering[int]]:
    """What comes out of packets that are called by their place."""
    order: Reordering[int] = Reordering()
    return [place for number in numbers for place in order.add((start + number) & 0xFFFF, number)], order


def delayed(count: int, most: float, seed: int) -> list[int]:
    """Places in the order they arrive in, when each is up to ``most`` packets late."""
    chance = random.Random(seed)
    arrivals = [(place + most * chance.random(), place) for place in range(count)]
    return [place for _, place in sorted(arrivals)]


@given(st.lists(st.integers(0, 90), max_size=300), st.integers(0, 0xFFFF))
def test_whatever_comes_it_goes_on_in_order_and_nothing_twice(numbers: list[int], start: int) -> None:
    order: Reordering[int] = Reordering()
    out: list[int] = []
    for number in numbers:
        out += order.add((start + number) & 0xFFFF, number)
        assert len(order._held) <= MOST
        assert LEAST <= order.patience <= MOST
    assert out == sorted(set(out))


@given(st.lists(st.integers(0, 0xFFFF), max_size=100))
def test_nonsense_is_survived_and_everything_is_bounded(numbers: list[int]) -> None:
    order: Reordering[int] = Reordering()
    for number in numbers:
        order.add(number, number)
        assert len(order._held) <= MOST


@given(st.integers(0, 0xFFFF), st.integers(1, 400))
def test_what_comes_in_order_is_not_held_back(start: int, count: int) -> None:
    order: Reordering[int] = Reordering()
    for place in range(count):
        assert order.add((start + place) & 0xFFFF, place) == [place]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0, MOST - 2), st.integers(0, 0xFFFF))
def test_a_network_it_has_learned_loses_nothing(seed: int, most: float, start: int) -> None:
    arrivals = delayed(3 * WINDOW, most, seed)
    out, _ = through(arrivals, start)
    assert out == sorted(set(out))
    behind = [place for place in range(WINDOW, 3 * WINDOW - MOST) if place not in set(out)]
    # A packet later than any before it is still lost; that becomes rare.
    assert len(behind) <= 0.02 * WINDOW


@given(st.sets(st.integers(1, 190), max_size=60))
def test_lost_packets_hold_up_nothing_for_longer_than_patience(lost: set[int]) -> None:
    order: Reordering[int] = Reordering()
    out: list[int] = []
    for place in range(200 + MOST):
        if place in lost:
            continue
        out += order.add(place, place)
        waiting = place - out[-1]
        gap = max((len(run) for run in runs(lost)), default=0)
        assert waiting <= LEAST + gap
    assert out == [place for place in range(200 + MOST) if place not in lost]
    assert order.patience == LEAST, "loss is no lateness"


def runs(places: set[int]) -> list[list[int]]:
    found: list[list[int]] = []
    for place in sorted(places):
        if found and found[-1][-1] == place - 1:
            found[-1].append(place)
        else:
            found.append([place])
    return found


def test_a_late_packet_teaches_patience_and_quiet_unteaches_it() -> None:
    order: Reordering[int] = Reordering()
    for place in (0, 1, 3, 4, 5, 6, 2):  # 2 is overtaken by four
        order.add(place, place)
    assert (order.late, order.patience) == (1, 5)
    assert [place for number in (8, 9, 10, 11, 7) for place in order.add(number, number)] == [7, 8, 9, 10, 11]
    for place in range(12, 12 + 3 * WINDOW):
        order.add(place, place)
    assert order.patience == LEAST


def test_duplicates_teach_nothing() -> None:
    out, order = through([0, 1, 1, 0, 2, 2, 1])
    assert (out, order.late, order.patience) == ([0, 1, 2], 0, LEAST)


@pytest.mark.parametrize("jump", [30_000, 65_000])
def test_a_sender_that_begins_anew_is_followed(jump: int) -> None:
    order: Reordering[str] = Reordering()
    order.add(jump, "a")
    order.add(jump + 2, "c")
    assert order.add(100, "new") == ["c", "new"]
    assert order.add(101, "next") == ["next"]
