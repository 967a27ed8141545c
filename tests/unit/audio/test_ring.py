"""The ring against a model: the whole stream in a plain list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.audio.ring import SampleRing
from vivavoce.contracts.errors import InvalidAudio

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.one_of(st.integers(0, 700), st.integers(0, 40_000)), st.just(0)),
        st.tuples(st.just("read"), st.integers(-500, 60_000), st.integers(-100, 20_000)),
        st.tuples(st.just("clear"), st.integers(0, 3), st.integers(0, 1_000)),
    ),
    max_size=30,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([0.0001, 0.01, 0.1, 0.33, 1.0]), st.integers(0, 10**7), STEPS)
def test_it_answers_like_the_whole_stream_cut_to_its_seconds(
    seconds: float, offset: int, steps: list[tuple[str, int, int]]
) -> None:
    ring = SampleRing(seconds, 16_000, offset)
    capacity = round(seconds * 16_000)
    begin, stream = offset, b""
    random = np.random.default_rng(1)
    for step, first, second in steps:
        end = begin + len(stream) // 2
        oldest = max(begin, end - capacity)
        if step == "append":
            pcm = random.integers(-30_000, 30_000, first).astype("<i2").tobytes()
            ring.append(pcm)
            stream += pcm
        elif step == "read":
            start, stop = begin + first, begin + first + second
            expected = stream[2 * (max(start, oldest) - begin) : 2 * (max(stop, begin) - begin)] if stop > oldest else b""
            assert ring.read(start, stop) == expected
            assert ring.lost(start) == max(0, oldest - start)
        elif first == 0:
            begin, stream = begin + len(stream) // 2 + second, b""
            ring.clear(begin)
        end = begin + len(stream) // 2
        assert (ring.start, ring.end) == (max(begin, end - capacity), end)
        assert len(ring) == end - ring.start
        assert ring.last(seconds) == stream[2 * (ring.start - begin) :]
        held = sum(map(len, ring._blocks)) + len(ring._tail)
        assert held <= 2 * capacity + 2 * 3_200


def test_half_a_sample_changes_nothing() -> None:
    ring = SampleRing(1, 16_000)
    ring.append(b"ab")
    with pytest.raises(InvalidAudio):
        ring.append(b"abc")
    assert (ring.read(0, 10), ring.end) == (b"ab", 1)
    with pytest.raises(ValueError, match="room"):
        SampleRing(0, 16_000)
