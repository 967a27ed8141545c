"""MP3 and ADTS streams: frames one after the other, each with a header that says how long it is.

Sources: ISO/IEC 11172-3 and 13818-3 (MPEG audio headers), ISO/IEC 14496-3, section 1.A.3.2 (ADTS); the tag that encoders put
into a first, silent frame (Xing, and LAME's extension of it) is no standard, but everybody writes it alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from vivavoce.audio.codecs.feed import Feed
from vivavoce.audio.codecs.sound import PacketDecoder, Sound
from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

Kind = Literal["mp3", "aac"]

_MAX_GARBAGE = 1 << 18
"""Bytes between two frames that are passed over; a stream with more of them is none."""
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")
"""What may follow the last frame."""
_AHEAD = 11
"""Bytes that tell a header or a tag."""
_RATES = (44_100, 48_000, 32_000)
_KILOBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (2 for 2.5 also) and layer."""
_DECODER_DELAY = 529
"""Samples an MP3 decoder is behind its input."""


def mp3_length(head: bytes) -> int | None:
    """Bytes of the MPEG audio frame whose header begins here, 0 if it is none, None if more bytes must be seen."""
    if len(head) < 4:
        return None if b"\xff".startswith(head[:1]) else 0
    version = {3: 1, 2: 2, 0: 3}.get(head[1] >> 3 & 3)
    layer = 4 - (head[1] >> 1 & 3)
    kilobits, rate = head[2] >> 4, head[2] >> 2 & 3
    if head[0] != 0xFF or head[1] < 0xE0 or version is None or layer == 4 or kilobits in (0, 15) or rate == 3:
        return 0
    bits = 1_000 * _KILOBITS[min(version, 2), layer][kilobits - 1]
    hertz = _RATES[rate] >> (version - 1)
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // hertz + padding) * 4
    return (72 if layer == 3 and version > 1 else 144) * bits // hertz + padding


def adts_length(head: bytes) -> int | None:
    """Bytes of the ADTS frame whose header begins here, 0 if it is none, None if more bytes must be seen."""
    if len(head) < 7:
        return None if b"\xff".startswith(head[:1]) else 0
    if head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return size if size > 7 else 0


LENGTHS: dict[Kind, Callable[[bytes], int | None]] = {"mp3": mp3_length, "aac": adts_length}


@dataclass(frozen=True, slots=True)
class _Tag:
    """What the first, silent frame says: samples to cut at the beginning, samples of sound (0: not said), to cut behind."""

    delay: int
    samples: int
    padding: int = 0


class FrameSource:
    """An MP3 or ADTS stream, decoded frame by frame. Implements ``sound.Source``."""

    def __init__(self, kind: Kind) -> None:
        self._length = LENGTHS[kind]
        self._kind = kind
        self._feed = Feed()
        self._decoder = PacketDecoder("mp3float" if kind == "mp3" else "aac")
        self._ready: deque[Sound] = deque()
        self._first = True
        self._garbage = 0
        self._cut = 0
        self._left: int | None = None
        self._padding = 0
        self._short = self._gap = self._tagged = False
        self._flushed = False

    @property
    def truncated(self) -> bool:
        return self._short or self._gap or self._decoder.failed > 0 or bool(self._left)

    def feed(self, data: bytes) -> None:
        if not self._tagged:  # else what follows the last frame
            self._feed.add(data)

    def finish(self) -> None:
        self._feed.ended = True

    def read(self) -> Sound | None:
        while not self._ready:
            frame = self._next()
            if frame is None:
                if not self._feed.ended or self._flushed:
                    return None
                self._flushed = True
                self._give(self._decoder.decode(None))
                continue
            self._decode(frame)
        return self._ready.popleft()

    def close(self) -> None:
        self._ready.clear()

    def _next(self) -> bytes | None:
        """The next whole frame."""
        while len(self._feed):
            length = self._length(self._feed.peek(8))
            if not self._feed.ended and len(self._feed) < _AHEAD + (length or 0) * self._first:
                return None  # what follows decides, not how much of it is here
            if length == 0 or (length is not None and not self._followed(length)):
                if not self._pass_over():
                    return None
                continue
            if length is None or len(self._feed) < length:
                self._short = self._feed.ended
                return None
            self._gap = self._gap or (self._garbage > 0 and not self._first)
            self._garbage = 0
            return self._feed.take(length)
        return None

    def _followed(self, length: int) -> bool:
        """Whether another header, a tag or the end follows; after the first frame its own header is enough."""
        if not self._first:
            return True
        after = self._feed.peek(_AHEAD, length)
        return self._length(after) != 0 or not after or after.startswith(_TAGS)

    def _pass_over(self) -> bool:
        """Skip to the next place where a frame could begin; False at a tag behind the last frame."""
        if self._feed.peek(_AHEAD).startswith(_TAGS):
            self._feed.skip(len(self._feed))
            self._tagged = True
            return False
        found = self._feed.find(b"\xff", 1)
        skipped = found if found > 0 else len(self._feed)
        self._garbage += skipped
        self._feed.skip(skipped)
        if self._garbage > _MAX_GARBAGE:
            raise InvalidAudio(f"broken {self._kind.upper()} stream: {self._garbage} bytes without a frame")
        return True

    def _decode(self, frame: bytes) -> None:
        first, self._first = self._first, False
        if first and self._kind == "mp3":
            tag = _tag(frame)
            if tag is not None:
                self._cut, self._left, self._padding = tag.delay, tag.samples or None, tag.padding
                return
        self._give(self._decoder.decode(frame))

    def _give(self, sounds: list[Sound]) -> None:
        """Without what the tag says is delay or padding."""
        for sound in sounds:
            cut = min(self._cut, sound.samples)
            self._cut -= cut
            pcm = sound.pcm[cut * SAMPLE_WIDTH :]
            if self._left is not None and pcm:
                pcm = self._ended(pcm, self._left)
            if pcm:
                self._ready.append(Sound(pcm, sound.rate))

    def _ended(self, pcm: bytes, left: int) -> bytes:
        """Without the padding behind the last of ``left`` samples; what comes after that is another recording."""
        kept, rest = pcm[: left * SAMPLE_WIDTH], pcm[left * SAMPLE_WIDTH :]
        self._left = left - len(kept) // SAMPLE_WIDTH
        cut = min(self._padding, len(rest) // SAMPLE_WIDTH)
        self._padding -= cut
        return kept + rest[cut * SAMPLE_WIDTH :]


def _tag(frame: bytes) -> _Tag | None:
    """The Xing or VBRI tag of a first frame, if it has one. Without LAME's numbers nothing is cut."""
    first_version, single = frame[1] >> 3 & 3 == 3, frame[3] >> 6 == 3
    at = 4 + ((17 if single else 32) if first_version else (9 if single else 17))
    if frame[36:40] == b"VBRI":
        return _Tag(0, 0)
    if frame[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    frames = int.from_bytes(frame[at + 8 : at + 12], "big") if flags & 1 else 0
    lame = at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    numbers = frame[lame + 21 : lame + 24]
    if len(numbers) < 3 or not any(numbers):
        return _Tag(0, 0)
    delay, padding = numbers[0] << 4 | numbers[1] >> 4, (numbers[1] & 15) << 8 | numbers[2]
    samples = frames * (1_152 if first_version else 576) - delay - padding
    return _Tag(delay + _DECODER_DELAY, max(0, samples), padding if samples > 0 else 0)
