"""From whatever samples come in to mono s16le, and on to what is heard."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from vivavoce.audio.resample import resample
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import InvalidAudio

Encoding = Literal["u8", "s16", "s24", "s32", "f32", "f64"]
"""How a sample is written, always little-endian."""

WIDTHS: dict[Encoding, int] = {"u8": 1, "s16": 2, "s24": 3, "s32": 4, "f32": 4, "f64": 8}
"""Bytes per sample."""

MAX_CHANNELS = 32

_BLOCK = 65_536


def to_mono16(data: bytes, encoding: Encoding, channels: int = 1) -> bytes:
    """Interleaved samples as mono s16le: the mean of the channels, limited to the range of 16 bits.

    Floats count from −1 to 1; what is not a number becomes silence. Raises InvalidAudio for parts of a sample instant and
    for an absurd number of channels.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidAudio(f"{channels} channels are not supported; send 1 to {MAX_CHANNELS}")
    width = WIDTHS[encoding] * channels
    if len(data) % width:
        raise InvalidAudio(f"{len(data)} bytes are no whole number of sample instants of {width} bytes")
    if encoding == "s16" and channels == 1:
        return data
    # In blocks, because floats take up to eight times the memory of what they come from.
    step = width * _BLOCK
    return b"".join(_mono(data[start : start + step], encoding, channels) for start in range(0, len(data), step))


def to_hearing(pcm: bytes, rate: int) -> bytes:
    """A whole recording, mono s16le at ``rate``, as HEARING PCM. Raises InvalidAudio for an absurd rate."""
    return resample(pcm, rate, HEARING.rate)


def _mono(data: bytes, encoding: Encoding, channels: int) -> bytes:
    samples = _floats(data, encoding).reshape(-1, channels).mean(axis=1)
    narrow: npt.NDArray[np.int16] = np.clip(np.rint(samples), -32_768, 32_767).astype("<i2")
    return narrow.tobytes()


def _floats(data: bytes, encoding: Encoding) -> npt.NDArray[np.float64]:
    """Samples on the scale of 16 bits."""
    if encoding == "u8":
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128.0) * 256.0
    if encoding == "s16":
        return np.frombuffer(data, "<i2").astype(np.float64)
    if encoding == "s24":
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0] / 65_536.0
    if encoding == "s32":
        return np.frombuffer(data, "<i4") / 65_536.0
    with np.errstate(invalid="ignore"):  # a signalling NaN is silence like the others, and no warning
        floats = np.frombuffer(data, "<f4" if encoding == "f32" else "<f8").astype(np.float64)
    return np.clip(np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0) * 32_768.0
