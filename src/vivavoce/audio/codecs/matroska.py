"""WebM and Matroska, as recorders in browsers stream it: elements of unknown size, no index, one cluster after the other.

Sources: RFC 8794 (EBML), RFC 9559 (Matroska). Segments and clusters are walked through without keeping count of where they
end: every element inside says itself what it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from vivavoce.audio.codecs.feed import Feed
from vivavoce.audio.codecs.sound import Elsewhere, PacketDecoder, Sound
from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

_EBML, _SEGMENT, _TRACKS, _CLUSTER = 0x1A45_DFA3, 0x1853_8067, 0x1654_AE6B, 0x1F43_B675
_GROUP, _SIMPLE_BLOCK, _BLOCK, _PADDING = 0xA0, 0xA3, 0xA1, 0x75A2
_TRACK, _NUMBER, _TYPE, _CODEC, _PRIVATE, _CODINGS = 0xAE, 0xD7, 0x83, 0x86, 0x63A2, 0x6D80
_ENCRYPTION = 0x5035
_VIDEO, _AUDIO = 1, 2
_TRANSPARENT = (_SEGMENT, _CLUSTER)
_CLUSTER_MARK = _CLUSTER.to_bytes(4, "big")
_KNOWN = frozenset(
    {_EBML, _SEGMENT, _TRACKS, _CLUSTER, _GROUP, _SIMPLE_BLOCK}
    # Void, CRC-32; seek head, information, cues, chapters, attachments, tags; time stamp, previous size, position, silence.
    | {0xEC, 0xBF, 0x114D_9B74, 0x1549_A966, 0x1C53_BB6B, 0x1043_A770, 0x1941_A469, 0x1254_C367, 0xE7, 0xAB, 0xA7, 0x5854}
)
"""Elements that may stand in a file, a segment or a cluster. Anything else is damage."""

MAX_TRACKS = 64
_MAX_ELEMENT = 1 << 20
"""Bytes of an element that is read whole: the tracks, or a block of sound."""

_DECODERS = {
    b"A_OPUS": "libopus",
    b"A_VORBIS": "vorbis",
    b"A_FLAC": "flac",
    b"A_MPEG/L3": "mp3float",
    b"A_AAC": "aac",
}


@dataclass(frozen=True, slots=True)
class _Track:
    number: int
    decoder: str
    private: bytes


class MatroskaSource:
    """The first audio track of a WebM or Matroska stream. Implements ``sound.Source``."""

    def __init__(self) -> None:
        self._feed = Feed()
        self._track: _Track | None = None
        self._decoder: PacketDecoder | None = None
        self._ready: deque[Sound] = deque()
        self._end: int | None = None
        self._broken = self._lost = self._flushed = False

    @property
    def truncated(self) -> bool:
        early = self._end is not None and self._feed.position - self._feed.missing < self._end
        failed = self._decoder is not None and self._decoder.failed > 0
        return early or failed or self._broken or len(self._feed) > 0 or self._feed.missing > 0

    def feed(self, data: bytes) -> None:
        self._feed.add(data)

    def finish(self) -> None:
        self._feed.ended = True

    def read(self) -> Sound | None:
        while not self._ready:
            if not self._step():
                return self._last()
        return self._ready.popleft()

    def close(self) -> None:
        self._decoder = None
        self._ready.clear()

    def _last(self) -> Sound | None:
        if not self._feed.ended:
            return None
        if self._decoder is None:
            raise InvalidAudio("this WebM stream ends before it says what is in it")
        if not self._flushed:
            self._flushed = True
            self._ready.extend(self._decoder.decode(None))
        return self._ready.popleft() if self._ready else None

    def _step(self) -> bool:
        """Take one element; False if it is not here."""
        if self._lost:
            return self._resume()
        head = _head(self._feed.peek(12))
        if head is None or self._feed.missing:
            return False
        name, size, width = head
        if name not in _KNOWN:
            self._broken = self._lost = True
            self._feed.skip(1)
            return True
        if name in _TRANSPARENT:
            self._feed.skip(width)
            if name == _SEGMENT and size is not None:
                self._end = self._feed.position + size
            return True
        if size is None:
            raise InvalidAudio(f"broken WebM stream: an element {name:#x} has no size")
        if name in (_TRACKS, _GROUP, _SIMPLE_BLOCK):
            if len(self._feed) < width + min(size, 8):
                return False  # its track number may not be here yet
            if self._wanted(name, width):
                return self._whole(name, size, width)
        self._feed.skip(width + size)
        return True

    def _resume(self) -> bool:
        """After damage: go on at the next cluster; False if it is not here. What is in between is not looked at."""
        found = self._feed.find(_CLUSTER_MARK)
        self._feed.skip(found if found >= 0 else max(0, len(self._feed) - len(_CLUSTER_MARK) + 1))
        self._lost = found < 0
        return not self._lost

    def _wanted(self, name: int, width: int) -> bool:
        """Whether an element is of interest; blocks of other tracks are passed over without being kept."""
        if name == _TRACKS:
            return self._track is None
        if self._track is None:
            raise InvalidAudio("broken WebM stream: its first sound comes before it says what is in it")
        return name == _GROUP or _vint(self._feed.peek(8, width))[0] in (self._track.number, -1)

    def _whole(self, name: int, size: int, width: int) -> bool:
        if size > _MAX_ELEMENT:
            if name == _GROUP:  # a frame of video
                self._feed.skip(width + size)
                return True
            raise InvalidAudio(f"broken WebM stream: an element {name:#x} has {size} bytes")
        if len(self._feed) < width + size:
            return False
        self._feed.skip(width)
        body = self._feed.take(size) or b""
        if name == _TRACKS:
            self._track = _audio_track(body)
            self._decoder = PacketDecoder(self._track.decoder, self._track.private)
        elif name == _SIMPLE_BLOCK:
            self._block(body, 0)
        else:
            parts = dict(_elements(body))
            self._block(parts.get(_BLOCK, b""), int.from_bytes(parts.get(_PADDING, b""), "big", signed=True))
        return True

    def _block(self, body: bytes, padding: int) -> None:
        """Decode the frames of a block and cut ``padding`` nanoseconds from its end."""
        number, width = _vint(body)
        if self._track is None or self._decoder is None or number != self._track.number or len(body) < width + 3:
            return
        sounds = [sound for frame in _frames(body[width:]) for sound in self._decoder.decode(frame)]
        if padding > 0 and sounds:
            last = sounds[-1]
            cut = min(last.samples, round(padding * last.rate / 1e9))
            sounds[-1] = Sound(last.pcm[: len(last.pcm) - cut * SAMPLE_WIDTH], last.rate)
        self._ready.extend(sound for sound in sounds if sound.pcm)


def _audio_track(body: bytes) -> _Track:
    """The first track of sound. Raises InvalidAudio where there is none that can be read, Elsewhere for a rare codec."""
    video = False
    for count, (name, entry) in enumerate(_elements(body)):
        if count >= MAX_TRACKS:
            raise InvalidAudio(f"this WebM stream has more than {MAX_TRACKS} tracks")
        parts = dict(_elements(entry)) if name == _TRACK else {}
        kind = int.from_bytes(parts.get(_TYPE, b""), "big")
        video = video or kind == _VIDEO
        if kind != _AUDIO:
            continue
        codings = parts.get(_CODINGS)
        if codings is not None:
            if any(_ENCRYPTION in dict(_elements(coding)) for _, coding in _elements(codings)):
                raise InvalidAudio("this WebM stream is encrypted", code="unsupported_audio")
            raise Elsewhere("matroska")
        codec = parts.get(_CODEC, b"").rstrip(b"\0")
        decoder = _DECODERS.get(codec)
        if decoder is None:
            raise Elsewhere("matroska")
        return _Track(int.from_bytes(parts.get(_NUMBER, b""), "big"), decoder, parts.get(_PRIVATE, b""))
    raise InvalidAudio("this WebM stream has video but no sound" if video else "this WebM stream has no sound in it")


def _elements(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a master element that is here as a whole; it ends where something is broken."""
    at = 0
    while at < len(body):
        name, size, width = _head(body[at : at + 12]) or (0, 0, 1)
        if name <= 0 or size is None:
            return
        yield name, body[at + width : at + width + size]
        at += width + size


def _head(data: bytes) -> tuple[int, int | None, int] | None:
    """Name, size (None: unknown) and width of an element's head; None while it is not here, name 0 if it is none."""
    if not data:
        return None
    width = 9 - data[0].bit_length()
    if width > 4:
        return 0, 0, 1
    if len(data) <= width:
        return None
    size, more = _vint(data[width:])
    if more == 0:
        return None if len(data) < 12 else (0, 0, 1)
    if size == (1 << 7 * more) - 1:
        return int.from_bytes(data[:width], "big"), None, width + more
    return int.from_bytes(data[:width], "big"), size, width + more


def _vint(data: bytes) -> tuple[int, int]:
    """A variable-size integer and its width; (−1, 0) while it is not here or if it is none."""
    if not data or not data[0]:
        return -1, 0
    width = 9 - data[0].bit_length()
    if len(data) < width:
        return -1, 0
    return int.from_bytes(data[:width], "big") & ((1 << 7 * width) - 1), width


def _frames(body: bytes) -> list[bytes]:
    """The frames of a block, from behind its track number: time code, flags, perhaps lacing (RFC 9559, section 10)."""
    lacing, data = body[2] >> 1 & 3, body[3:]
    if lacing == 0 or not data:
        return [data]
    count, at = data[0] + 1, 1
    if lacing == 2:
        size = (len(data) - 1) // count
        return [data[at + n * size : at + (n + 1) * size] for n in range(count)]
    sizes: list[int] = []
    for n in range(count - 1):
        if lacing == 1:
            size = 0
            while at < len(data) and data[at] == 255:
                size, at = size + 255, at + 1
            size, at = size + (data[at] if at < len(data) else 0), at + 1
        else:
            value, width = _vint(data[at : at + 8])
            size = value if n == 0 else sizes[-1] + value - ((1 << 7 * width - 1) - 1)
            at += width
        if size < 0:
            return []
        sizes.append(size)
    ends = [at]
    for size in sizes:
        ends.append(ends[-1] + size)
    return [data[start:end] for start, end in zip(ends, [*ends[1:], len(data)], strict=True)]
