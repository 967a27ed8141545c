"""G.711: µ-law and A-law, one byte a sample at 8 kHz, as telephones speak.

Source: ITU-T Recommendation G.711 (11/88), tables 1 and 2. Both laws are lines of eight segments that double in slope,
with sixteen steps each; the decoder gives the middle of a step. The recommendation counts µ-law in 14 and A-law in 13 bits;
here both are on the scale of 16. Even bits of A-law, and all bits of µ-law, travel inverted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

RATE = 8_000

_Samples = npt.NDArray[np.int16]
_Bytes = npt.NDArray[np.uint8]

_BIAS = 33
"""µ-law, 14 bits: added to the magnitude, so that every segment begins at a power of two."""
_MOST = 8_158
"""µ-law, 14 bits: the last decision value below the virtual one of 8159."""


def encode_ulaw(pcm: bytes) -> bytes:
    """s16le to µ-law. Raises InvalidAudio on half a sample."""
    return _ULAW_OF[_samples(pcm).view(np.uint16)].tobytes()


def decode_ulaw(data: bytes) -> bytes:
    """µ-law to s16le."""
    return _FROM_ULAW[np.frombuffer(data, np.uint8)].tobytes()


def encode_alaw(pcm: bytes) -> bytes:
    """s16le to A-law. Raises InvalidAudio on half a sample."""
    return _ALAW_OF[_samples(pcm).view(np.uint16)].tobytes()


def decode_alaw(data: bytes) -> bytes:
    """A-law to s16le."""
    return _FROM_ALAW[np.frombuffer(data, np.uint8)].tobytes()


def _samples(pcm: bytes) -> _Samples:
    if len(pcm) % SAMPLE_WIDTH:
        raise InvalidAudio(f"{len(pcm)} bytes are no whole number of 16-bit samples; send an even number of bytes")
    return np.frombuffer(pcm, "<i2")


def _all_samples() -> npt.NDArray[np.int32]:
    """Every value of 16 bits, in the order of its bit pattern."""
    return np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _segment(magnitude: npt.NDArray[np.int32], first: int) -> npt.NDArray[np.int32]:
    """How often ``first`` doubles below ``magnitude``."""
    limits = first << np.arange(8)
    return (np.searchsorted(limits, magnitude, side="right") - 1).astype(np.int32)


def _ulaw_table() -> _Bytes:
    values = _all_samples()
    # An arithmetic shift would round negative values away from zero and make the law lopsided.
    magnitude = np.minimum(np.abs(values) >> 2, _MOST) + _BIAS
    segment = _segment(magnitude, 32)
    step = (magnitude >> (segment + 1)) & 0x0F
    sign = np.where(values < 0, 0x80, 0)
    table: _Bytes = (~(sign | segment << 4 | step) & 0xFF).astype(np.uint8)
    return table


def _ulaw_values() -> _Samples:
    code = ~np.arange(256) & 0xFF
    segment, step = code >> 4 & 7, code & 0x0F
    magnitude = ((step << 1) + _BIAS << segment) - _BIAS
    values: _Samples = (np.where(code & 0x80, -magnitude, magnitude) << 2).astype("<i2")
    return values


def _alaw_table() -> _Bytes:
    values = _all_samples()
    positive = values >= 0
    # The two halves of A-law meet between 0 and -1: -1 … -16 is the first negative step, as 0 … 15 is the first positive.
    magnitude = np.where(positive, values, ~values) >> 4
    segment = np.maximum(_segment(np.maximum(magnitude, 1), 16) + 1, 0)
    step = np.where(segment > 0, magnitude >> np.maximum(segment - 1, 0), magnitude) & 0x0F
    table: _Bytes = ((np.where(positive, 0x80, 0) | segment << 4 | step) ^ 0x55).astype(np.uint8)
    return table


def _alaw_values() -> _Samples:
    code = np.arange(256) ^ 0x55
    segment, step = code >> 4 & 7, code & 0x0F
    magnitude = np.where(segment > 0, (2 * step + 33) << np.maximum(segment - 1, 0), 2 * step + 1)
    values: _Samples = (np.where(code & 0x80, magnitude, -magnitude) << 3).astype("<i2")
    return values


_ULAW_OF, _FROM_ULAW = _ulaw_table(), _ulaw_values()
_ALAW_OF, _FROM_ALAW = _alaw_table(), _alaw_values()
