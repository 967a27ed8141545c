"""The last seconds of a stream, addressed by absolute sample offset."""

from __future__ import annotations

from collections import deque

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

_BLOCK = 3_200
"""Bytes per block (100 ms at 16 kHz): the grain in which memory is taken and given back."""


class SampleRing:
    """Keeps the last ``seconds`` of mono s16le, for pre-roll and for looking back at a turn.

    Memory grows with what was appended, up to the bound plus one block (8 s at 16 kHz: 256 KB), and is given back by
    ``clear``.
    """

    __slots__ = ("_blocks", "_capacity", "_first", "_tail", "end", "rate")

    def __init__(self, seconds: float, rate: int, offset: int = 0) -> None:
        self._capacity = round(seconds * rate)
        if self._capacity < 1:
            raise ValueError("a ring needs room for one sample at least")
        self.rate = rate
        self._blocks: deque[bytes] = deque()
        self._tail = bytearray()
        self._first = offset
        """Sample offset of the first byte still in memory."""
        self.end = offset
        """Sample offset just behind the last sample."""

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def start(self) -> int:
        """Sample offset of the oldest sample there is."""
        return max(self._first, self.end - self._capacity)

    @property
    def capacity(self) -> int:
        """Most samples kept."""
        return self._capacity

    def append(self, pcm: bytes) -> None:
        """Append samples; the oldest give way. Raises InvalidAudio on half a sample."""
        if len(pcm) % SAMPLE_WIDTH:
            raise InvalidAudio(f"{len(pcm)} bytes are no whole number of 16-bit samples; send an even number of bytes")
        self._tail += pcm
        self.end += len(pcm) // SAMPLE_WIDTH
        if len(self._tail) >= _BLOCK:
            self._settle()

    def read(self, start: int, end: int) -> bytes:
        """The samples from ``start`` to ``end``, clamped to what there is; ``lost(start)`` tells how many are gone."""
        start, end = max(start, self.start), min(end, self.end)
        if start >= end:
            return b""
        first, last = (start - self._first) * SAMPLE_WIDTH, (end - self._first) * SAMPLE_WIDTH
        skipped = first // _BLOCK
        pieces = [self._blocks[i] for i in range(skipped, min(-(-last // _BLOCK), len(self._blocks)))]
        if last > len(self._blocks) * _BLOCK:
            pieces.append(bytes(self._tail))
        base = min(skipped, len(self._blocks)) * _BLOCK
        return b"".join(pieces)[first - base : last - base]

    def last(self, seconds: float) -> bytes:
        """The last ``seconds``, or what there is of them."""
        return self.read(self.end - round(seconds * self.rate), self.end)

    def lost(self, start: int) -> int:
        """How many samples from ``start`` on are no longer there."""
        return max(0, min(self.start, self.end) - start)

    def clear(self, offset: int | None = None) -> None:
        """Forget all samples and give their memory back; go on at ``offset`` (default: where the stream stands)."""
        self._blocks.clear()
        self._tail = bytearray()
        self.end = self._first = self.end if offset is None else offset

    def _settle(self) -> None:
        """Turn the full part of the tail into blocks and drop blocks that are wholly too old."""
        full = len(self._tail) // _BLOCK
        with memoryview(self._tail) as tail:
            self._blocks.extend(bytes(tail[i * _BLOCK : (i + 1) * _BLOCK]) for i in range(full))
        del self._tail[: full * _BLOCK]
        samples = _BLOCK // SAMPLE_WIDTH
        while self._blocks and self._first + samples <= self.end - self._capacity:
            self._blocks.popleft()
            self._first += samples
