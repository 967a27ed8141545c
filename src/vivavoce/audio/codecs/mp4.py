"""MP4 and QuickTime files, looked over before FFmpeg reads them.

A demuxer makes an index with an entry for every sample a file *says* it has, before it reads the first one: a kilobyte can
ask for gigabytes. What a file claims is therefore held against limits here. Source: ISO/IEC 14496-12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vivavoce.contracts.errors import InvalidAudio

MAX_SAMPLES = 2_000_000
"""Entries of the index over all tracks, about 50 MB. Four hours of AAC at 48 kHz have 675 000."""
MAX_EDITS = 32
"""Entries of an edit list. Each may repeat the whole index; a recorder writes one or two."""
MAX_BOXES = 100_000
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex")
_ENCRYPTED = (b"enca", b"encv", b"drms")


@dataclass(slots=True)
class _Findings:
    samples: int = 0
    boxes: int = 0
    index: bool = False
    truncated: bool = False


def check(data: bytearray) -> bool:
    """Whether the file is cut short. Raises InvalidAudio for one without an index, an encrypted one, and absurd claims."""
    findings = _Findings()
    _walk(data, 0, len(data), findings, depth=0)
    if not findings.index:
        raise InvalidAudio("this MP4 file has no index (moov): it is cut short, or a part of a longer stream")
    return findings.truncated


def _walk(data: bytearray, start: int, end: int, findings: _Findings, depth: int) -> None:
    for name, body, stop in _boxes(data, start, end):
        findings.boxes += 1
        if findings.boxes > MAX_BOXES:
            raise InvalidAudio(f"this MP4 file has more than {MAX_BOXES} parts")
        findings.index = findings.index or name == b"moov"
        if stop > end:
            findings.truncated = True
            if name == b"moov":
                raise InvalidAudio("this MP4 file is cut short within its index (moov)")
        if name == b"cmov":
            raise InvalidAudio("MP4 files with a compressed index are not supported", code="unsupported_audio")
        if name == b"stsd" and bytes(data[body + 12 : body + 16]) in _ENCRYPTED:
            raise InvalidAudio("this MP4 file is encrypted", code="unsupported_audio")
        _count(name, data, body, findings)
        if name in _PARENTS and depth < 8:
            _walk(data, body, min(stop, end), findings, depth + 1)


def _count(name: bytes, data: bytearray, body: int, findings: _Findings) -> None:
    """Add what a box claims, and hold it against the limits."""
    if name in (b"stsz", b"stz2"):
        findings.samples += _number(data, body + 8)
    elif name == b"trun":
        findings.samples += _number(data, body + 4)
    elif name == b"elst" and _number(data, body + 4) > MAX_EDITS:
        raise InvalidAudio(f"this MP4 file has an edit list of more than {MAX_EDITS} entries")
    if findings.samples > MAX_SAMPLES:
        raise InvalidAudio(f"this MP4 file claims more than {MAX_SAMPLES} samples")


def _number(data: bytearray, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _boxes(data: bytearray, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin of the body and stated end of each box."""
    at = start
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1 and at + 16 <= end:
            size, body = struct.unpack_from(">Q", data, at + 8)[0], at + 16
        elif size == 0:
            size = end - at
        if size < body - at:
            return
        yield name, body, at + size
        at += size
