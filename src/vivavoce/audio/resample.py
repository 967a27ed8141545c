"""Streaming resampling of mono s16le."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
import soxr

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

Lag = Literal["low", "any"]

MIN_RATE, MAX_RATE = 4_000, 192_000

_Floats = npt.NDArray[np.float32]
_Samples = npt.NDArray[np.int16]

_ATTENUATION = 60.0
"""dB in the stop band: below the noise of a quiet room behind a microphone."""
_TRANSITION = 0.15
"""Width of the transition band as a part of the lower Nyquist frequency; it ends there, so nothing folds back."""
_BLOCK = 4_096
_FEW_PHASES = 8


class Resampler:
    """Changes the sample rate of one stream, piece by piece.

    ``lag="low"`` is for live microphones: a short polyphase filter that holds back at most 3 ms (1.5 ms from 48 to 16 kHz),
    flat to 85 % of the lower Nyquist frequency, 60 dB down from there. ``lag="any"`` is for audio that comes faster than
    real time: soxr HQ, flat to 91 % and 100 dB down, a third of the work, but 37–115 ms behind.

    Length law: after ``flush`` the samples given out are those taken in times target / source, rounded half up. Equal
    rates pass through untouched.
    """

    def __init__(self, source_rate: int, target_rate: int, *, lag: Lag = "low") -> None:
        for rate in (source_rate, target_rate):
            if not MIN_RATE <= rate <= MAX_RATE:
                raise InvalidAudio(f"a sample rate of {rate} Hz is out of range; use {MIN_RATE} to {MAX_RATE} Hz")
        self.source_rate = source_rate
        self.target_rate = target_rate
        self._lag: Lag = lag
        self._core = _core(source_rate, target_rate, lag)
        self._taken = 0
        self._given = 0

    def process(self, pcm: bytes) -> bytes:
        """Take samples, give those that are ready. Raises InvalidAudio on half a sample."""
        if len(pcm) % SAMPLE_WIDTH:
            raise InvalidAudio(f"{len(pcm)} bytes are no whole number of 16-bit samples; send an even number of bytes")
        if self._core is None or not pcm:
            return pcm
        self._taken += len(pcm) // SAMPLE_WIDTH
        ready = self._core.process(np.frombuffer(pcm, "<i2"))
        self._given += len(ready)
        return ready.tobytes()

    def flush(self) -> bytes:
        """End the stream: what was held back. The resampler then begins a new stream."""
        if self._core is None:
            return b""
        due = (2 * self._taken * self.target_rate + self.source_rate) // (2 * self.source_rate) - self._given
        rest = self._core.finish() if self._taken else np.zeros(0, np.int16)
        self._core = _core(self.source_rate, self.target_rate, self._lag)
        self._taken = self._given = 0
        # Either core may differ from the law by one sample at the very end.
        return rest[:due].tobytes() + bytes(SAMPLE_WIDTH * max(0, due - len(rest)))


def resample(pcm: bytes, source_rate: int, target_rate: int) -> bytes:
    """A whole recording at another rate, at best quality. Raises InvalidAudio on half a sample or an absurd rate."""
    resampler = Resampler(source_rate, target_rate, lag="any")
    return resampler.process(pcm) + resampler.flush()


class _Core(Protocol):
    def process(self, samples: _Samples) -> _Samples: ...

    def finish(self) -> _Samples: ...


def _core(source: int, target: int, lag: Lag) -> _Core | None:
    if source == target:
        return None
    return _Polyphase(source, target) if lag == "low" else _Soxr(source, target)


class _Soxr:
    def __init__(self, source: int, target: int) -> None:
        self._stream = soxr.ResampleStream(source, target, 1, dtype="int16", quality="HQ")

    def process(self, samples: _Samples) -> _Samples:
        ready: _Samples = self._stream.resample_chunk(samples)
        return ready

    def finish(self) -> _Samples:
        ready: _Samples = self._stream.resample_chunk(np.zeros(0, np.int16), last=True)
        return ready


class _Polyphase:
    """Kaiser-windowed sinc, one row of taps for each phase of the rational ratio ``up / down``.

    Output sample n lies at input time n·down/up and sees ``taps`` input samples around it.
    """

    def __init__(self, source: int, target: int) -> None:
        common = math.gcd(source, target)
        self._up, self._down = target // common, source // common
        self._filters = _filters(source, target)
        self._taps = self._filters.shape[1]
        self._next = 0
        # Input from sample ``origin`` on; the stream begins in silence.
        self._origin = 1 - self._taps // 2
        self._input: _Floats = np.zeros(self._taps // 2 - 1, np.float32)

    def process(self, samples: _Samples) -> _Samples:
        if len(samples) <= _BLOCK:
            return self._process(samples)
        return np.concatenate([self._process(samples[i : i + _BLOCK]) for i in range(0, len(samples), _BLOCK)])

    def finish(self) -> _Samples:
        return self._process(np.zeros(self._taps // 2 + 1, np.int16))

    def _process(self, samples: _Samples) -> _Samples:
        data = np.concatenate((self._input, samples), dtype=np.float32)
        # The last window that is complete begins at data[len - taps]; n·down // up is the sample in its middle.
        last_middle = self._origin + len(data) - self._taps // 2 - 1
        end = max(self._next, -(-(last_middle + 1) * self._up // self._down))
        ready = self._filter(data, end)
        self._next = end
        keep = end * self._down // self._up - self._taps // 2 + 1 - self._origin
        self._input = data[keep:].copy()
        self._origin += keep
        return ready

    def _filter(self, data: _Floats, end: int) -> _Samples:
        count = end - self._next
        if count <= 0:
            return np.zeros(0, np.int16)
        shift = self._taps // 2 - 1 + self._origin
        result = np.empty(count, np.float32)
        if self._up <= _FEW_PHASES:
            for i in range(min(self._up, count)):
                place = (self._next + i) * self._down
                rows = _windows(data, self._taps, place // self._up - shift, self._down, -(-(count - i) // self._up))
                np.einsum("ij,j->i", rows, self._filters[place % self._up], out=result[i :: self._up])
        else:
            places = np.arange(self._next, end) * self._down
            rows = _windows(data, self._taps, 0, 1, len(data) - self._taps + 1)[places // self._up - shift]
            np.einsum("ij,ij->i", rows, self._filters[places % self._up], out=result)
        return np.clip(np.rint(result), -32_768, 32_767).astype("<i2")


def _windows(data: _Floats, taps: int, start: int, step: int, count: int) -> _Floats:
    """A view on ``count`` windows of ``taps`` samples, ``step`` apart; cheaper than numpy's own helper."""
    return np.ndarray((count, taps), np.float32, data, start * data.itemsize, (step * data.itemsize, data.itemsize))


@lru_cache(maxsize=32)
def _filters(source: int, target: int) -> _Floats:
    """Taps by phase: float32 of shape (up, taps), each row with a sum of one.

    Kaiser's formulas for length and shape: J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window
    function", 1974.
    """
    up = target // math.gcd(source, target)
    nyquist = min(source, target) / 2
    width = _TRANSITION * nyquist
    half = math.ceil((_ATTENUATION - 8.0) / (2.285 * 2 * math.pi * width / source) / 2)
    cutoff = 2 * (nyquist - width / 2) / source
    moments = np.arange(1 - half, half + 1) - np.arange(up)[:, None] / up
    window = np.i0(0.1102 * (_ATTENUATION - 8.7) * np.sqrt(np.clip(1 - (moments / half) ** 2, 0, None)))
    taps = np.sinc(cutoff * moments) * window
    normalised: _Floats = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised
