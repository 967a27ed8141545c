"""Ogg pages, written one packet a page, and read packet by packet.

Sources: RFC 3533 (Ogg), RFC 7845 (Ogg Opus). Pages are written here and not by a general muxer, because that one holds a
page back to mark the last one as such; an Opus stream always has a packet left when it ends, its look-ahead.
"""

from __future__ import annotations

import struct
import zlib

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
