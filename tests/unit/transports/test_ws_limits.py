"""Budgets and the outbox: pure parts, random use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.audio import AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import LimitExceeded, Overloaded
from vivavoce.transports.limits import Bucket, Budgets, SlidingWindow
from vivavoce.transports.options import SocketLimits
from vivavoce.transports.outbox import Close, Outbox

steps = st.lists(st.floats(0, 5), max_size=200)


@given(steps, st.integers(1, 10))
def test_a_window_never_holds_more_than_its_limit(gaps: list[float], limit: int) -> None:
    window, now, admitted = SlidingWindow(limit, 10.0), 0.0, []
    for gap in gaps:
        now += gap
        fits = sum(now - then < 10.0 for then in admitted) < limit
        assert window.admit(now) == fits
        if fits:
            admitted.append(now)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 5_000)), max_size=200))
def test_a_bucket_holds_its_average_but_for_one_burst_and_one_event(events: list[tuple[float, int]]) -> None:
    bucket, now, taken = Bucket(1_000, 3_000), 0.0, 0
    for gap, amount in events:
        now += gap
        if bucket.admit(now, amount):
            taken += amount
    assert taken <= 3_000 + now * 1_000 + 5_000


def test_a_bucket_recovers() -> None:
    bucket = Bucket(10, 10)
    assert bucket.admit(0, 100)
    assert not bucket.admit(5, 1)
    assert bucket.admit(9.2, 1)


def test_the_largest_message_passes_on_a_fresh_connection() -> None:
    budgets = Budgets(SocketLimits())
    budgets.set_rate(16_000)
    assert budgets.audio(0, 1024 * 1024)
    with pytest.raises(LimitExceeded):
        budgets.audio(0, 640)
    assert not budgets.audio(0, 640)
    assert budgets.audio_dropped == 1_280
    assert budgets.audio(10, 640)


def test_real_time_audio_is_never_refused_even_in_bursts_after_a_stall() -> None:
    budgets = Budgets(SocketLimits())
    budgets.set_rate(48_000)
    for second in range(600):
        size = 0 if second % 10 < 8 else 48_000 * 2 * 5  # eight silent seconds, then all of it in two
        assert size == 0 or budgets.audio(float(second), size)


operations = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.booleans()),
        st.tuples(st.just("audio"), st.integers(1, 5)),
        st.tuples(st.just("drop"), st.integers(1, 5)),
        st.tuples(st.just("pop"), st.just(0)),
    ),
    max_size=80,
)


@given(operations)
def test_an_outbox_keeps_order_bounds_and_no_stale_audio(steps: list[tuple[str, int]]) -> None:
    outbox, sent, texts, stale, put = Outbox(20, 200), [], 0, 0, {}
    for name, value in steps:
        if name == "pop":
            item = outbox.pop()
            if item is not None:
                assert isinstance(item, str) or item[0] > stale
                sent.append(item)
        elif name == "drop":
            stale = max(stale, value)
            outbox.drop_audio(value)
        else:
            try:
                if name == "text":
                    outbox.put(f"{texts:04}", hurry=bool(value))
                    texts += 1
                else:
                    number = put.get(value, 0)
                    put[value] = number + 1
                    outbox.put_audio(value, number.to_bytes(10, "big"))
            except Overloaded:
                assert len(outbox) == 20 or outbox.size > 190
        assert len(outbox) <= 20
        assert 0 <= outbox.size <= 200
    while (item := outbox.pop()) is not None:
        sent.append(item)
    assert outbox.size == 0
    heard = [item for item in sent if isinstance(item, str)]
    assert heard == [f"{n:04}" for n in range(texts)], "JSON messages never overtake each other and none is lost"
    for generation in range(1, 6):
        frames = [item[1] for item in sent if isinstance(item, tuple) and item[0] == generation]
        assert frames == sorted(frames)


def test_hurry_passes_audio_and_the_end_is_the_end() -> None:
    outbox = Outbox(10, 1_000)
    outbox.put("a")
    outbox.put_audio(1, b"xx")
    outbox.put("b")
    outbox.put("c", hurry=True)
    assert [outbox.pop() for _ in range(4)] == ["a", "b", "c", (1, b"xx")]
    outbox.put_audio(1, b"yy")
    outbox.put("d")
    outbox.end(Close(1000, "over"), "bye")
    outbox.put("late")
    outbox.end(Close(1001, "again"), "bye again")
    assert [outbox.pop() for _ in range(4)] == ["d", "bye", Close(1000, "over"), None]


def _audio(generation: int, offset: int, samples: int) -> ReplyAudio:
    return ReplyAudio(Stamp(1, 1, generation), AudioChunk(bytes(2 * samples), AudioFormat(1_000), offset))
