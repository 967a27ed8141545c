"""What stands in for lost packets: as long as what was lost, a voice that goes on and fades, and no clicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.concealment import COMPARED, GONE, LONGEST_PERIOD, SEAM, Concealment

RATE = 16_000
PACKET = RATE // 50


def voice(seconds: float, hertz: float) -> np.ndarray:
    """Ten harmonics: as periodic as a vowel."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * n * time + n) / n for n in range(1, 11))
    return np.round(6_000 * wave).astype(np.int16)


def through(samples: np.ndarray, lost: set[int]) -> np.ndarray:
    """The stream in packets of 20 ms, without the ``lost`` ones."""
    hiding = Concealment(RATE)
    made = [
        hiding.lost(PACKET) if number in lost else hiding.heard(samples[at : at + PACKET].tobytes())
        for number, at in enumerate(range(0, len(samples), PACKET))
    ]
    return np.frombuffer(b"".join(made), "<i2")


sounds = st.binary(min_size=2, max_size=1_200).map(lambda b: b[: len(b) // 2 * 2])
packets = st.lists(st.one_of(sounds, st.integers(0, 3_000)))


@given(packets)
def test_it_is_as_long_as_the_stream_and_never_fails(stream: list[bytes | int]) -> None:
    hiding = Concealment(RATE)
    for part in stream:
        if isinstance(part, int):
            assert len(hiding.lost(part)) == 2 * part
        else:
            assert len(hiding.heard(part)) == len(part)


@given(st.lists(sounds, max_size=8))
def test_what_comes_whole_is_left_as_it_is(pieces: list[bytes]) -> None:
    hiding = Concealment(RATE)
    assert [hiding.heard(piece) for piece in pieces] == pieces


@given(st.integers(0, 900), st.integers(0, 900))
def test_it_does_not_matter_in_how_many_parts_a_gap_is_told(one: int, other: int) -> None:
    said = voice(0.2, 140.0).tobytes()
    whole, parts = Concealment(RATE), Concealment(RATE)
    assert whole.heard(said) == parts.heard(said)
    assert whole.lost(one + other) == parts.lost(one) + parts.lost(other)
    assert whole.heard(said) == parts.heard(said)


@pytest.mark.parametrize("hertz", [80.0, 114.3, 200.0, 371.0])
@pytest.mark.parametrize("gone", [{20}, {20, 21}])
def test_a_vowel_goes_on(hertz: float, gone: set[int]) -> None:
    said = voice(1.0, hertz)
    made = through(said, gone).astype(float)
    at = 20 * PACKET
    # For 10 ms as loud, and in step; a recogniser hears the same vowel.
    first = slice(at, at + RATE // 100)
    truth = said.astype(float)
    alike = np.corrcoef(made[first], truth[first])[0, 1]
    assert alike > 0.9
    assert np.abs(made[first]).max() == pytest.approx(np.abs(truth[first]).max(), rel=0.2)
    # Nothing jumps more than the voice does, into the gap and out of it.
    around = slice(at - PACKET, at + (len(gone) + 1) * PACKET)
    assert np.abs(np.diff(made[around])).max() < 1.3 * np.abs(np.diff(truth)).max()
    # Behind the seam it is what came.
    end = at + len(gone) * PACKET + round(SEAM * RATE)
    np.testing.assert_array_equal(made[end:], truth[end:])


def test_a_long_gap_is_silent_at_its_end() -> None:
    hiding = Concealment(RATE)
    hiding.heard(voice(0.3, 120.0).tobytes())
    made = np.frombuffer(hiding.lost(RATE // 5), "<i2")
    gone = round(GONE * RATE)
    assert np.abs(made[: gone // 3]).max() > 3_000
    assert not made[gone:].any()


def test_without_a_past_there_is_silence() -> None:
    hiding = Concealment(RATE)
    hiding.heard(voice(0.3, 120.0)[: round((COMPARED + LONGEST_PERIOD) * RATE) - 1].tobytes())
    assert hiding.lost(PACKET) == bytes(2 * PACKET)
