"""Frames between the parent and a worker, without I/O.

A frame is ``magic u8 · kind u8 · job u32 · length u32 · payload`` (little-endian). Control payloads are compact JSON,
audio is raw. The stream begins with one HELLO from each side, which carries the version. The same frames travel over a
socket pair, TCP or a message bus, so nothing in them depends on one machine or one Python.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from vivavoce.contracts.errors import ProtocolViolation

VERSION = 1
MAGIC = 0x56
MAX_PAYLOAD = 1 << 20
"""Bytes; 8 s of HEARING PCM are 256 000, a long conversation as JSON some 100 000."""

_HEADER = struct.Struct("<BBII")
_VOICE_IN = struct.Struct("<IQ")
_VOICE_OUT = struct.Struct("<IQff")
_SPAN = struct.Struct("<II?")
_NUMBER = struct.Struct("<I")


class Kind(IntEnum):
    """What a frame is. Unless said otherwise the parent speaks of a job by its number; number 0 is the process itself."""

    HELLO = 1
    """Both: JSON, first frame. The parent's names the engines, the child's its process id."""
    LOADED = 2
    """Child: JSON, one per engine: its capabilities, or the error that kept it from loading."""
    READY = 3
    """Child: every engine was tried."""
    OPEN = 4
    """Parent: JSON, a job begins."""
    AUDIO = 5
    """Parent: raw PCM to be heard. Child: a span (see ``pack_span``) and the PCM that says it."""
    TEXT = 6
    """Parent: UTF-8, a piece to be spoken."""
    FINISH = 7
    """Parent: no more input for this job."""
    CANCEL = 8
    """Parent: the job is withdrawn; END follows."""
    CREDIT = 9
    """Both: u32, so many more bytes (or deltas) may be sent."""
    RESULT = 10
    """Child: JSON, a transcript, delta, score or wake word."""
    END = 11
    """Child: the job's last frame; JSON error, or empty."""
    VOICE = 12
    """Both, job 0: frames, or judgements, of many voice activity streams at once."""
    RESET = 13
    """Parent: a voice activity or wake word stream forgets its past. JSON for the latter: where it goes on."""
    PING = 14
    """Parent."""
    PONG = 15
    """Child: JSON, resident bytes and counts."""
    STOP = 16
    """Parent: end the process."""


_LAST_KIND = max(Kind)


class Frame(NamedTuple):
    """One frame, received."""

    kind: int
    job: int
    payload: bytes


def pack(kind: int, job: int = 0, payload: bytes = b"") -> bytes:
    """One frame as bytes. Raises ProtocolViolation if the payload is too large."""
    _check_size(payload)
    return _HEADER.pack(MAGIC, kind, job, len(payload)) + payload


def _check_size(payload: bytes) -> None:
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolViolation(f"a frame holds {MAX_PAYLOAD} bytes at most, not {len(payload)}; send smaller pieces")


class Decoder:
    """Bytes in, frames out, however the stream is cut. After a ProtocolViolation the stream is lost."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take what was received; return the frames it completes. Raises ProtocolViolation on garbage."""
        if not self._rest:
            frames, used = _parse(data)
            if used < len(data):
                self._rest += memoryview(data)[used:]
            return frames
        self._rest += data
        with memoryview(self._rest) as view:
            frames, used = _parse(view)
        if used:
            del self._rest[:used]
        return frames


def _parse(data: bytes | memoryview) -> tuple[list[Frame], int]:
    frames = []
    position = 0
    last = len(data) - _HEADER.size
    while position <= last:
        magic, kind, job, length = _HEADER.unpack_from(data, position)
        if magic != MAGIC or not 0 < kind <= _LAST_KIND or length > MAX_PAYLOAD:
            raise ProtocolViolation(
                f"this is no frame (magic {magic:#x}, kind {kind}, length {length}): the other side is broken or foreign"
            )
        start = position + _HEADER.size
        if start + length > len(data):
            break
        position = start + length
        frames.append(Frame(kind, job, bytes(data[start:position])))
    return frames, position


def dump_json(value: Any) -> bytes:
    """A JSON payload. Raises ProtocolViolation if it is too large for a frame."""
    payload = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    _check_size(payload)
    return payload


def pack_json(kind: int, job: int, value: Any) -> bytes:
    """A frame with a JSON payload. Raises ProtocolViolation if it is too large."""
    return pack(kind, job, dump_json(value))


def read_json(payload: bytes) -> dict[str, Any]:
    """The JSON object of a payload; an empty payload is an empty object. Raises ProtocolViolation."""
    if not payload:
        return {}
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation("a control frame holds no JSON", cause=error) from error
    if not isinstance(value, dict):
        raise ProtocolViolation("a control frame holds no JSON object")
    return value


def credit(amount: int) -> bytes:
    """The payload of a CREDIT: permission for ``amount`` more."""
    return _NUMBER.pack(amount)


def read_credit(payload: bytes) -> int:
    """The amount of a CREDIT. Raises ProtocolViolation."""
    return int(_unpack(_NUMBER, payload)[0])


def pack_speech(job: int, pcm: bytes, text_start: int, text_end: int, exact: bool) -> bytes:
    """A child's AUDIO frame."""
    return pack(Kind.AUDIO, job, _SPAN.pack(text_start, text_end, exact) + pcm)


def read_speech(payload: bytes) -> tuple[bytes, int, int, bool]:
    """PCM, start and end of the span, and whether it is exact. Raises ProtocolViolation."""
    if len(payload) < _SPAN.size or (len(payload) - _SPAN.size) % 2:
        raise ProtocolViolation("an audio frame is too short or holds half a sample")
    start, end, exact = _SPAN.unpack_from(payload)
    return payload[_SPAN.size :], start, end, exact


VOICE_RECORD = _VOICE_IN.size
"""Bytes before the PCM in each record of a parent's VOICE frame."""
pack_voice = _VOICE_IN.pack
"""``pack_voice(stream, end)``: what stands before the PCM of one frame that ends at sample ``end``."""
pack_judgement = _VOICE_OUT.pack
"""``pack_judgement(stream, end, probability, level)``: one record of a child's VOICE frame."""


def read_voice(payload: bytes, frame_bytes: int) -> Iterator[tuple[int, int, bytes]]:
    """(stream, end, PCM) of a parent's VOICE frame. Raises ProtocolViolation."""
    step = _VOICE_IN.size + frame_bytes
    if len(payload) % step:
        raise ProtocolViolation("a voice frame holds half a record")
    for position in range(0, len(payload), step):
        stream, end = _VOICE_IN.unpack_from(payload, position)
        yield stream, end, payload[position + _VOICE_IN.size : position + step]


def read_judgements(payload: bytes) -> Iterator[tuple[int, int, float, float]]:
    """(stream, end, probability, level) of a child's VOICE frame. Raises ProtocolViolation."""
    if len(payload) % _VOICE_OUT.size:
        raise ProtocolViolation("a voice frame holds half a record")
    return _VOICE_OUT.iter_unpack(payload)


def _unpack(shape: struct.Struct, payload: bytes) -> tuple[Any, ...]:
    if len(payload) != shape.size:
        raise ProtocolViolation(f"a frame of {shape.size} bytes has {len(payload)}")
    return shape.unpack(payload)
