"""Ogg streams: Opus, Vorbis and FLAC, decoded page by page to the sample the granule positions say.

Sources: RFC 3533 (Ogg), RFC 7845 (Opus), the Vorbis I specification, section A.2, and "Ogg mapping of FLAC" (RFC 9639,
section 10.1).
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from vivavoce.audio.codecs.feed import Feed
from vivavoce.audio.codecs.ogg import BEGIN, CONTINUED, END, Page, PageReader
from vivavoce.audio.codecs.sound import Elsewhere, PacketDecoder, Sound
from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

MAX_STREAMS = 64
"""Logical streams of one file side by side."""
MAX_CHAIN = 256
"""Streams one after the other in one file."""
_MAX_PACKET = 1 << 20
_VIDEO = (b"\x80theora", b"BBCD", b"\x01video", b"OVP80")


@dataclass(frozen=True, slots=True)
class _Mapping:
    """How a codec lies in Ogg: its decoder, how many header packets, and what the decoder must be told from them."""

    decoder: str
    headers: Callable[[bytes], int]
    extradata: Callable[[list[bytes]], bytes]


def _laced(headers: list[bytes]) -> bytes:
    """Vorbis: the three headers behind their sizes."""
    sizes = b"".join(bytes([255] * (len(header) // 255) + [len(header) % 255]) for header in headers[:2])
    return b"\x02" + sizes + b"".join(headers)


_MAPPINGS = {
    b"OpusHead": _Mapping("libopus", lambda first: 2, lambda headers: headers[0]),
    b"\x01vorbis": _Mapping("vorbis", lambda first: 3, _laced),
    b"\x7fFLAC": _Mapping("flac", lambda first: 1 + int.from_bytes(first[7:9], "big"), lambda headers: headers[0][17:51]),
}


class OggSource:
    """The first audio stream of an Ogg file, and those chained behind it. Implements ``sound.Source``."""

    def __init__(self) -> None:
        self._feed = Feed()
        self._pages = PageReader(self._feed)
        self._stream: _Stream | None = None
        self._ready: deque[Sound] = deque()
        self._serials: set[int] = set()
        self._chained = 0
        self._video = False
        self._damaged = False

    @property
    def truncated(self) -> bool:
        unfinished = self._stream is not None and not self._stream.over
        return unfinished or self._damaged or self._pages.damaged or len(self._feed) > 0

    def feed(self, data: bytes) -> None:
        self._feed.add(data)

    def finish(self) -> None:
        self._feed.ended = True

    def read(self) -> Sound | None:
        while not self._ready:
            page = self._pages.next()
            if page is None:
                self._end()
                return None
            self._take(page)
        return self._ready.popleft()

    def close(self) -> None:
        self._stream = None
        self._ready.clear()

    def _end(self) -> None:
        if self._feed.ended and self._stream is None:
            raise InvalidAudio("this Ogg file has video but no sound" if self._video else "this Ogg file has no sound in it")

    def _take(self, page: Page) -> None:
        if page.flags & BEGIN:
            self._begin(page)
        elif self._stream is not None and page.serial == self._stream.serial:
            self._ready.extend(self._stream.take(page))
            self._damaged = self._damaged or self._stream.damaged
        elif self._stream is None and self._serials:
            # All streams of a file begin before the first goes on: none of them is one this reader knows.
            if self._video:
                raise InvalidAudio("this Ogg file has video but no sound")
            raise Elsewhere("ogg")

    def _begin(self, page: Page) -> None:
        self._serials.add(page.serial)
        if len(self._serials) > MAX_STREAMS + MAX_CHAIN:
            raise InvalidAudio(f"this Ogg file has more than {MAX_STREAMS} streams")
        if self._stream is not None and not self._stream.over:
            return  # beside the stream that is heard
        first = page.packets[0] if page.packets else b""
        mapping = next((found for magic, found in _MAPPINGS.items() if first.startswith(magic)), None)
        if mapping is None:
            self._video = self._video or first.startswith(_VIDEO)
            return
        self._chained += 1
        if self._chained > MAX_CHAIN:
            raise InvalidAudio(f"this Ogg file is chained of more than {MAX_CHAIN} streams")
        self._stream = _Stream(page.serial, mapping, first)


class _Stream:
    """One logical stream: its packets, and where its sound begins and ends."""

    def __init__(self, serial: int, mapping: _Mapping, first: bytes) -> None:
        self.serial = serial
        self.over = False
        self.damaged = False
        self._mapping = mapping
        self._headers = [first]
        self._due = mapping.headers(first)
        if self._due > 1_000:
            raise InvalidAudio(f"broken Ogg file: it says it has {self._due} headers")
        self._skip = struct.unpack_from("<H", first, 10)[0] if mapping.decoder == "libopus" and len(first) >= 12 else 0
        self._decoder: PacketDecoder | None = None
        self._part = bytearray()
        self._sequence: int | None = None
        self._given = 0
        self._start: int | None = None

    def take(self, page: Page) -> list[Sound]:
        """The sound of a page, cut where its granule position says the stream ends."""
        if self.over:
            return []
        if self._sequence is not None and page.sequence != self._sequence + 1:
            self.damaged = True
            self._part.clear()
        self._sequence = page.sequence
        sounds = [sound for packet in self._packets(page) for sound in self._decode(packet)]
        if page.flags & END:
            self.over = True
            sounds += self._decoder.decode(None) if self._decoder is not None else []
        if self._decoder is not None and self._decoder.failed:
            self.damaged = True
        count = sum(sound.samples for sound in sounds)
        self._given += count
        if page.granule < 0 or not count:
            return sounds
        if self._start is None:
            # A stream cut out of a longer one begins late. One that is over at once may only say where it ends.
            self._start = 0 if self.over else max(0, page.granule - self._skip - self._given)
        if self.over:
            return _shortened(sounds, self._given - (page.granule - self._skip - self._start))
        return sounds

    def _packets(self, page: Page) -> list[bytes]:
        """Whole packets, those begun on earlier pages too."""
        packets = list(page.packets)
        if page.flags & CONTINUED:
            if not self._part:  # the beginning is lost
                return packets[1:] if packets else []
            if packets:
                packets[0] = bytes(self._part) + packets[0]
                self._part.clear()
        elif self._part:
            self.damaged = True
            self._part.clear()
        self._part += page.rest
        if len(self._part) > _MAX_PACKET:
            raise InvalidAudio(f"broken Ogg file: a packet has more than {_MAX_PACKET} bytes")
        return packets

    def _decode(self, packet: bytes) -> list[Sound]:
        if len(self._headers) < self._due:
            self._headers.append(packet)
            return []
        if self._decoder is None:
            self._decoder = PacketDecoder(self._mapping.decoder, self._mapping.extradata(self._headers))
        return self._decoder.decode(packet)


def _shortened(sounds: list[Sound], excess: int) -> list[Sound]:
    """Without the last ``excess`` samples."""
    left = list(sounds)
    while left and excess > 0:
        last = left.pop()
        if last.samples > excess:
            left.append(Sound(last.pcm[: -excess * SAMPLE_WIDTH], last.rate))
        excess -= last.samples
    return left
