"""Ogg pages, written one packet a page, and read packet by packet.

Sources: RFC 3533 (Ogg), RFC 7845 (Ogg Opus). Pages are written here and not by a general muxer, because that one holds a
page back to mark the last one as such; an Opus stream always has a packet left when it ends, its look-ahead.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from vivavoce.audio.codecs.feed import Feed
from vivavoce.contracts.errors import InvalidAudio

BEGIN, END, CONTINUED = 2, 4, 1
"""Header type flags: first page of the stream, last page, begins with the rest of a packet."""
HEADER_SIZE = 27
_SERIAL = 0x56_6F_63_65
"""Always the same, so that equal sound is equal bytes; it only has to differ between streams multiplexed in one file."""


class PageWriter:
    """One logical stream."""

    def __init__(self) -> None:
        self._sequence = 0

    def page(self, packet: bytes, granule: int, flags: int = 0) -> bytes:
        """A page with one whole packet of at most 65 024 bytes; ``granule`` is the position behind it."""
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        if len(lacing) > 255:
            raise ValueError(f"a packet of {len(packet)} bytes does not fit a page")
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, _SERIAL, self._sequence, 0, len(lacing))
        self._sequence += 1
        page = head + lacing + packet
        return page[:22] + struct.pack("<I", checksum(page)) + page[26:]


def checksum(page: bytes) -> int:
    """CRC-32 of Ogg; the page's own checksum field must be zero.

    The polynomial is that of zlib, but with the bits the other way round and without the two inversions.
    """
    value = ~zlib.crc32(page.translate(_REVERSED), 0xFFFF_FFFF) & 0xFFFF_FFFF
    return int(f"{value:032b}"[::-1], 2)


_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
"""Each byte with its bits the other way round."""


class Page(NamedTuple):
    """A page: the packets that end on it (the first may only end here, if ``CONTINUED``), and the beginning of one more."""

    flags: int
    granule: int
    serial: int
    sequence: int
    packets: tuple[bytes, ...]
    rest: bytes


_MAX_VAIN = 1 << 20
"""Bytes looked through for nothing beyond those of the stream: damaged pages cost their own bytes, forged ones far more."""


class PageReader:
    """Pages out of bytes. What is no page, or a page with a wrong checksum, is passed over; ``damaged`` remembers it."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._vain = 0
        self.damaged = False

    def next(self) -> Page | None:
        """The next whole page, None while it is not here.

        Raises InvalidAudio for far more bytes in pages with wrong checksums than there were bytes: each place that looks
        like a header may claim the same 64 KB behind it.
        """
        feed = self._feed
        while True:
            head = feed.peek(HEADER_SIZE)
            if not b"OggS".startswith(head[:4]):
                self.damaged = True
                found = feed.find(b"OggS")
                feed.skip(found if found >= 0 else max(1, len(feed) - 3))
                continue
            if len(head) < HEADER_SIZE:
                return None
            lacing = feed.peek(head[26], HEADER_SIZE)
            size = HEADER_SIZE + head[26] + sum(lacing)
            if len(lacing) < head[26] or len(feed) < size:
                if not feed.ended:
                    return None
                self.damaged = True  # it claims more than there is; whole pages may follow
                feed.skip(4)
                continue
            page = feed.peek(size)
            if checksum(page[:22] + bytes(4) + page[26:]) != struct.unpack_from("<I", page, 22)[0]:
                self.damaged = True
                self._vain += size
                if self._vain > _MAX_VAIN + feed.position:
                    raise InvalidAudio(f"broken Ogg file: {self._vain} bytes in pages with wrong checksums")
                feed.skip(4)
                continue
            feed.skip(size)
            return _page(page, lacing)


def _page(page: bytes, lacing: bytes) -> Page:
    _, _, flags, granule, serial, sequence, _, count = struct.unpack_from("<4sBBqIIIB", page)
    packets, start = [], HEADER_SIZE + count
    at = start
    for value in lacing:
        at += value
        if value < 255:
            packets.append(page[start:at])
            start = at
    return Page(flags, granule, serial, sequence, tuple(packets), page[start:at])
