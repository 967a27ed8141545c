"""Volume and fades on s16le samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio


def amplify(pcm: bytes, factor: float) -> bytes:
    """Samples times ``factor`` (from 0), limited to the range of 16 bits. Raises InvalidAudio on half a sample."""
    return pcm if factor == 1.0 else _scaled(pcm, np.float32(max(0.0, factor)))


def fade(pcm: bytes, begin: float, end: float) -> bytes:
    """Samples under a volume that goes in a straight line from ``begin`` to ``end``, so that a stop or start does not click.

    The next sample behind the piece would have the volume ``end``. Raises InvalidAudio on half a sample.
    """
    count = len(pcm) // SAMPLE_WIDTH
    return _scaled(pcm, np.linspace(begin, end, count, endpoint=False, dtype=np.float32))


def mix(one: bytes, other: bytes) -> bytes:
    """The sum of two pieces, limited to the range of 16 bits; the shorter one is continued with silence."""
    length = max(len(one), len(other))
    total = _samples(one.ljust(length, b"\0")).astype(np.int32) + _samples(other.ljust(length, b"\0"))
    return _narrowed(total)


def _scaled(pcm: bytes, factor: np.float32 | npt.NDArray[np.float32]) -> bytes:
    return _narrowed(np.rint(_samples(pcm) * factor))


def _narrowed(samples: npt.NDArray[np.float32] | npt.NDArray[np.int32]) -> bytes:
    narrow: npt.NDArray[np.int16] = np.clip(samples, -32_768, 32_767).astype("<i2")
    return narrow.tobytes()


def _samples(pcm: bytes) -> npt.NDArray[np.int16]:
    if len(pcm) % SAMPLE_WIDTH:
        raise InvalidAudio(f"{len(pcm)} bytes are no whole number of 16-bit samples; send an even number of bytes")
    return np.frombuffer(pcm, "<i2")
