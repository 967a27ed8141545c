"""From the bytes of a speech answer to even PCM at the wanted rate, without input or output."""

from __future__ import annotations

import struct

from vivavoce.audio.resample import MAX_RATE, MIN_RATE, Resampler
from vivavoce.contracts.errors import ProviderFailed

MAX_HEADER = 65_536
"""Bytes in which the samples of a WAV file must begin."""


class SpeechBytes:
    """Takes pieces cut anywhere. An answer that begins with RIFF is a WAV file and says its rate itself, else it is PCM."""

    def __init__(self, name: str, rate: int, wanted: int) -> None:
        self._name = name
        self._rate = rate
        self._wanted = wanted
        self._pending = b""
        self._resampler: Resampler | None = None

    def feed(self, piece: bytes) -> bytes:
        """Samples that are ready. Raises ProviderFailed for what is no speech."""
        self._pending += piece
        if self._resampler is None and not self._begin():
            return b""
        assert self._resampler is not None
        even = len(self._pending) & ~1
        ready, self._pending = self._pending[:even], self._pending[even:]
        return self._resampler.process(ready)

    def finish(self) -> bytes:
        """The rest; half a sample at the very end is dropped."""
        if self._resampler is None:
            if self._pending.startswith(b"RIFF"[: len(self._pending)]) and len(self._pending) >= 4:
                raise ProviderFailed(f"{self._name} sent a WAV file without samples")
            self._resampler = Resampler(self._rate, self._wanted)
        ready = self._resampler.process(self._pending[: len(self._pending) & ~1])
        self._pending = b""
        return ready + self._resampler.flush()

    def _begin(self) -> bool:
        if len(self._pending) < 4 and self._pending == b"RIFF"[: len(self._pending)]:
            return False
        if self._pending.startswith(b"RIFF"):
            found = _wav_start(self._pending, self._name)
            if found is None:
                if len(self._pending) > MAX_HEADER:
                    raise ProviderFailed(f"{self._name} sent a WAV file without samples", retryable=False)
                return False
            self._rate, start = found
            self._pending = self._pending[start:]
        elif self._pending.startswith((b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"{")):
            raise ProviderFailed(f"{self._name} sent compressed sound; only PCM and WAV are read", retryable=False)
        self._resampler = Resampler(self._rate, self._wanted)
        return True


def _wav_start(data: bytes, name: str) -> tuple[int, int] | None:
    """(rate, where the samples begin), or None while the header is not complete."""
    at, rate = 12, 0
    while at + 8 <= len(data):
        chunk, size = struct.unpack_from("<4sI", data, at)
        if chunk == b"data":
            if not rate:
                raise ProviderFailed(f"{name} sent a WAV file without a format", retryable=False)
            return rate, at + 8
        if chunk == b"fmt ":
            if at + 24 > len(data):
                return None
            coding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at + 8)
            if (channels, bits) != (1, 16) or coding not in (1, 0xFFFE) or not MIN_RATE <= rate <= MAX_RATE:
                raise ProviderFailed(
                    f"{name} sent a WAV file of {channels} channels, {bits} bits, {rate} Hz; only mono 16-bit PCM is read",
                    retryable=False,
                )
        at += 8 + size + size % 2
    return None
