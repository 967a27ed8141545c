"""G.711 against the decision values of the recommendation's tables, and against ffmpeg's independent tables."""

from __future__ import annotations

import bisect
import itertools

import numpy as np
import pytest

from tests.unit.audio.players import ffmpeg
from vivavoce.audio.codecs import g711
from vivavoce.contracts.errors import InvalidAudio

EVERY_SAMPLE = np.arange(-32_768, 32_768, dtype=np.int32).astype("<i2").tobytes()
EVERY_BYTE = bytes(range(256))


def ulaw_steps() -> tuple[list[int], list[int]]:
    """Decision values x_1 … x_127 and values y_0 … y_127 (G.711 table 2a, 14 bits), straight from its notes.

    x: 16 steps of 2 (the first of 1), then of 4, 8, … 256; y_0 = 0, y_n the middle between its decision values.
    """
    decisions = [1]
    for segment in range(8):
        decisions += [decisions[-1] + (2 << segment) * (n + 1) for n in range(15 if segment == 0 else 16)]
    values = [0] + [(low + high) // 2 for low, high in itertools.pairwise(decisions)]
    return decisions[:127], values


def alaw_steps() -> tuple[list[int], list[int]]:
    """Decision values x_1 … x_127 and values y_1 … y_128 (G.711 table 1a, 13 bits: 12 and a sign)."""
    decisions = [2 * n for n in range(33)]
    for segment in range(2, 8):
        decisions += [decisions[-1] + (2 << (segment - 1)) * (n + 1) for n in range(16)]
    values = [(low + high) // 2 for low, high in itertools.pairwise(decisions)]
    return decisions[1:128], values


def test_ulaw_follows_the_table() -> None:
    decisions, values = ulaw_steps()
    assert (decisions[-1], values[-1]) == (7_903, 8_031), "the last row of the recommendation's table"
    decoded = np.frombuffer(g711.decode_ulaw(EVERY_BYTE), "<i2").tolist()
    for number in range(128):
        assert decoded[0xFF - number] == 4 * values[number]
        assert decoded[0x7F - number] == -4 * values[number]
    encoded = g711.encode_ulaw(EVERY_SAMPLE)
    for value in range(-32_768, 32_768, 7):
        number = bisect.bisect_right(decisions, abs(value) >> 2)
        assert encoded[value + 32_768] == (0x7F if value < 0 else 0xFF) - number, value


def test_alaw_follows_the_table() -> None:
    decisions, values = alaw_steps()
    assert (decisions[-1], values[-1]) == (3_968, 4_032), "the last row of the recommendation's table"
    decoded = np.frombuffer(g711.decode_alaw(EVERY_BYTE), "<i2").tolist()
    for number in range(128):
        assert decoded[(0x80 | number) ^ 0x55] == 8 * values[number]
        assert decoded[number ^ 0x55] == -8 * values[number]
    encoded = g711.encode_alaw(EVERY_SAMPLE)
    for value in range(-32_768, 32_768, 7):
        magnitude = (value if value >= 0 else ~value) >> 3
        number = bisect.bisect_right(decisions, magnitude)
        assert encoded[value + 32_768] == ((0x80 if value >= 0 else 0) | number) ^ 0x55, value


@pytest.mark.parametrize(
    ("value", "ulaw", "alaw"),
    [(0, 0xFF, 0xD5), (-1, 0x7F, 0x55), (32_767, 0x80, 0xAA), (-32_768, 0x00, 0x2A), (8, 0xFE, 0xD5), (1_000, 0xCE, 0xFA)],
)
def test_known_values(value: int, ulaw: int, alaw: int) -> None:
    pcm = value.to_bytes(2, "little", signed=True)
    assert (g711.encode_ulaw(pcm)[0], g711.encode_alaw(pcm)[0]) == (ulaw, alaw)


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_every_byte_comes_back_and_no_sample_moves_far(law: str) -> None:
    encode, decode = getattr(g711, f"encode_{law}"), getattr(g711, f"decode_{law}")
    again = encode(decode(EVERY_BYTE))
    if law == "ulaw":  # it has two zeros; the negative one comes back as the positive one
        assert again[0x7F] == 0xFF
        again = again[:0x7F] + b"\x7f" + again[0x80:]
    assert again == EVERY_BYTE
    values = np.frombuffer(EVERY_SAMPLE, "<i2").astype(int)
    error = np.abs(np.frombuffer(decode(encode(EVERY_SAMPLE)), "<i2").astype(int) - values)
    assert (error <= np.maximum(16, np.abs(values) / 16 / 2 * 1.07 + 4)).all()
    assert encode(b"") == decode(b"") == b""


@pytest.mark.parametrize(("law", "name"), [("ulaw", "mulaw"), ("alaw", "alaw")])
def test_ffmpeg_hears_the_same(law: str, name: str) -> None:
    theirs = ffmpeg(["-f", name, "-ar", "8000", "-i", "pipe:0", "-f", "s16le", "pipe:1"], EVERY_BYTE)
    assert getattr(g711, f"decode_{law}")(EVERY_BYTE) == theirs


def test_half_a_sample_is_refused() -> None:
    for encode in (g711.encode_ulaw, g711.encode_alaw):
        with pytest.raises(InvalidAudio):
            encode(b"abc")
