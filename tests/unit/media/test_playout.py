"""Playout: whole frames, exact pauses, and a playhead that follows the ear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import Overloaded
from vivavoce.media.playout import CAPACITY, LATE, Pace, Played, Playout

RATE, FRAME = 1_000, 20
SILENCE = bytes(2 * FRAME)


def samples(first: int, count: int) -> bytes:
    """Samples that tell their own number; none is silent."""
    return b"".join((1 + number % 30_000).to_bytes(2, "little") for number in range(first, first + count))


def numbers(pcm: bytes) -> list[int]:
    """The numbers of the samples that are not silent."""
    found = (int.from_bytes(pcm[at : at + 2], "little") for at in range(0, len(pcm), 2))
    return [number - 1 for number in found if number]


ORDERS = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 70)),
    st.tuples(st.just("take"), st.integers(1, 4)),
    st.tuples(st.sampled_from(("pause", "resume")), st.just(0)),
)


@given(st.lists(ORDERS, max_size=40))
def test_every_sample_is_handed_out_once_and_in_order(orders: list[tuple[str, int]]) -> None:
    playout = Playout(RATE, FRAME, 0.04)
    put, paused, out = 0, False, bytearray()
    for order, amount in orders:
        match order:
            case "put":
                playout.put(1, put, samples(put, amount))
                put += amount
            case "take":
                for _ in range(amount):
                    frame = playout.take()
                    assert len(frame) == 2 * FRAME
                    assert frame == SILENCE or not paused
                    out += frame
            case "pause":
                playout.pause(1)
                paused = True
            case "resume":
                playout.resume(1)
                paused = False
    playout.resume(1)
    while not playout.settled:
        out += playout.take()
    assert numbers(bytes(out)) == list(range(put))
    assert playout.played == Played(1, put) or put == 0
    assert playout.waiting == 0


@given(st.integers(0, 10), st.integers(1, 200))
def test_what_was_handed_out_is_heard_so_much_later(delay: int, count: int) -> None:
    playout = Playout(RATE, FRAME, delay * FRAME / RATE)
    playout.put(1, 0, samples(0, count))
    handed = [0]
    while not playout.settled:
        taken = len(numbers(playout.take()))
        handed.append(handed[-1] + taken)
        assert playout.played.samples == (handed[-1 - delay] if len(handed) > delay else 0)
    assert len(handed) - 1 == -(-count // FRAME) + delay


def test_silence_and_a_pause_let_the_ear_finish_what_is_on_its_way() -> None:
    playout = Playout(RATE, FRAME, 0.06)
    playout.put(1, 0, samples(0, 100))
    for _ in range(3):
        playout.take()
    assert playout.played.samples == 0
    playout.pause(1)
    for _ in range(3):
        assert playout.take() == SILENCE
    assert playout.played == Played(1, 60) and not playout.settled
    playout.resume(1)
    assert numbers(playout.take()) == list(range(60, 80))


def test_a_cleared_generation_is_silent_at_once_and_for_good() -> None:
    playout = Playout(RATE, FRAME, 0.0)
    playout.put(1, 0, samples(0, 100))
    playout.put(2, 0, samples(500, 10))
    playout.take()
    playout.pause(1)
    playout.clear(1)
    assert numbers(playout.take()) == list(range(500, 510)), "the next one does not inherit the pause"
    playout.put(1, 100, samples(100, 10))
    playout.put(2, 10, samples(510, 10))
    assert numbers(playout.take()) == list(range(510, 520))


def test_a_later_pause_of_an_older_generation_holds_nobody() -> None:
    playout = Playout(RATE, FRAME, 0.0)
    playout.put(2, 0, samples(0, 20))
    playout.pause(1)
    assert numbers(playout.take()) == list(range(20))


def test_more_than_fits_is_refused() -> None:
    playout = Playout(RATE, FRAME, 0.0)
    whole = round(CAPACITY * RATE)
    playout.put(1, 0, bytes(2 * whole))
    with pytest.raises(Overloaded):
        playout.put(1, whole, bytes(2))
    playout.take()
    playout.put(1, whole, bytes(2 * FRAME))


@given(st.lists(st.floats(0, LATE * 0.9), min_size=1, max_size=60))
def test_a_pace_with_hiccups_keeps_its_rate(late: list[float]) -> None:
    """Whoever comes late by less than the bound is let through at once until the frames are caught up."""
    pace, now, due = Pace(0.02), 5.0, 5.0
    for hiccup in late:
        now += pace.wait(now)
        assert now >= due - 1e-9
        due += 0.02
        now = max(now, due - 0.02 + hiccup) if hiccup > 0.02 else now
    assert now < due + LATE


def test_a_pace_that_stood_still_does_not_rush() -> None:
    pace = Pace(0.02)
    assert pace.wait(0.0) == 0.0
    assert pace.wait(60.0) == 0.0
    assert pace.wait(60.0) == pytest.approx(0.02)
