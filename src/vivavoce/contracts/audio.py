"""What audio is while it travels: PCM, its format, and where in the stream it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

SAMPLE_WIDTH = 2
"""Bytes per sample: everything inside Vivavoce is signed 16-bit little-endian."""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """PCM s16le at ``rate`` samples per second with ``channels`` interleaved channels."""

    rate: int
    channels: int = 1

    @property
    def frame_width(self) -> int:
        """Bytes per sample instant over all channels."""
        return SAMPLE_WIDTH * self.channels

    def samples(self, seconds: float) -> int:
        """Sample instants in ``seconds``, rounded."""
        return round(seconds * self.rate)

    def seconds(self, samples: int) -> float:
        """Duration of ``samples`` sample instants."""
        return samples / self.rate


HEARING = AudioFormat(16_000)
"""The format of everything that is heard: 16 kHz mono. Session time is counted in its samples."""


class AudioChunk(NamedTuple):
    """A piece of a stream: PCM bytes, their format and the sample offset of the first sample in its stream.

    A tuple, as are the others that are made a hundred times a second and session: a frozen dataclass costs three times as
    much to make.
    """

    pcm: bytes
    format: AudioFormat
    offset: int

    @property
    def samples(self) -> int:
        """Sample instants in this chunk."""
        return len(self.pcm) // self.format.frame_width

    @property
    def end(self) -> int:
        """Sample offset just behind the last sample."""
        return self.offset + self.samples


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """Which turn, revision and generation something belongs to.

    ``turn`` counts exchanges of a session from 1, ``revision`` the plausible ends of the user's turn, ``generation`` the
    replies ever begun. Starting over raises a number; whatever carries a smaller one is stale and dropped where it is met.
    """

    turn: int
    revision: int
    generation: int


class ReplyAudio(NamedTuple):
    """A piece of a reply on its way to the ear.

    ``chunk.offset`` counts from the first sample of the generation, so an acknowledgement ``(generation, samples)`` says
    exactly what was heard.
    """

    stamp: Stamp
    chunk: AudioChunk
