"""Which container bytes are, from the bytes: names and content types are often wrong, and clients often send none."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.audio.codecs.frames import LENGTHS, Kind
from vivavoce.contracts.errors import InvalidAudio

ENOUGH = 8_192
"""Bytes after which a stream without a known beginning is no audio. The longest frame (ADTS) has 8 191."""
MAX_ID3 = 1 << 24
MAX_TAGS = 8
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"moof")

KNOWN = "WAV, MP3, Ogg (Opus, Vorbis, FLAC), WebM, FLAC, MP4/M4A, AAC, AMR or AIFF"


@dataclass(frozen=True, slots=True)
class Container:
    """``name``: wav, ogg, webm, mp3, aac, or what FFmpeg calls the demuxer. ``start``: bytes before it, of a tag."""

    name: str
    start: int = 0


def recognise(head: bytes | bytearray, *, whole: bool) -> Container | None:
    """The container that begins with ``head``; None while more bytes are needed (never, once the stream is here ``whole``).

    Raises InvalidAudio for what is none.
    """
    start = _behind_tags(head, whole=whole)
    if start is None:
        return None
    begin = bytes(head[start : start + 2 * ENOUGH + 16])  # the last place, its frame and the head of the next
    name = _by_magic(begin) or _by_frames(begin, whole=whole)
    if name:
        return Container(name, start)
    if not whole and (name is None or len(begin) < ENOUGH):
        return None
    if not begin:
        raise InvalidAudio("the audio is empty: there are no bytes in it")
    raise InvalidAudio(f"this is no audio, or none of a known kind; send {KNOWN}", code="unsupported_audio")


def _by_magic(head: bytes | bytearray) -> str | None:
    if len(head) >= 12:
        kind = head[8:12]
        if head.startswith(b"RIFF") and kind == b"WAVE":
            return "wav"
        if head.startswith(b"RF64") and kind == b"WAVE":
            return "wav-other"
        if head.startswith(b"FORM") and kind in (b"AIFF", b"AIFC"):
            return "aiff"
        if head[4:8] in _BOXES:
            return "mov"
    for magic, name in ((b"OggS", "ogg"), (b"fLaC", "flac"), (b"\x1a\x45\xdf\xa3", "webm"), (b"#!AMR", "amr")):
        if head.startswith(magic):
            return name
    return None


def _by_frames(head: bytes, *, whole: bool) -> str | None:
    """MP3 or ADTS: a place in the beginning with a frame that another one follows, or that ends where the bytes end.

    "" if there is none. None: the first place that looks like a frame cannot be judged before more bytes are here; a later
    one may not overtake it, or the way the bytes are cut would decide.
    """
    kinds: tuple[Kind, ...] = ("mp3", "aac")
    at = head.find(b"\xff")
    while 0 <= at < ENOUGH:
        for kind in kinds:
            length = LENGTHS[kind](head[at : at + 8])
            if length == 0:
                continue
            follows = LENGTHS[kind](head[at + length : at + length + 8]) if length else None
            if follows or (whole and at == 0 and len(head) == length):
                return kind
            if follows is None and not whole:
                return None
        at = head.find(b"\xff", at + 1)
    return ""


def _behind_tags(head: bytes | bytearray, *, whole: bool) -> int | None:
    """Where ID3v2 tags in front end, None while they are not here: mostly MP3, but AAC and FLAC are tagged so too."""
    start = tags = 0
    while head[start : start + 3] == b"ID3":
        tag = head[start : start + 10]
        if len(tag) < 10:
            if whole:
                raise InvalidAudio("this audio is cut short: there is nothing but the beginning of a tag")
            return None
        tags += 1
        size = 10 + sum((byte & 0x7F) << 7 * (3 - n) for n, byte in enumerate(tag[6:])) + (10 if tag[5] & 0x10 else 0)
        start += size
        if start > MAX_ID3 or tags > MAX_TAGS:
            raise InvalidAudio(f"the tag in front of this audio has {size} bytes; {MAX_ID3} at most, in {MAX_TAGS} tags")
        if len(head) < start:
            if whole:
                raise InvalidAudio("this audio is cut short: it ends within the tag in front of it")
            return None
    return start
