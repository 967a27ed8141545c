"""What the server and the media process say to each other about a call, on top of the frames of ``workers.wire``.

Server: OPEN (the offer), AUDIO (a piece of a reply), TEXT (JSON: ``candidate``, ``order``, ``channel`` with ``text``),
FINISH (hang up), CANCEL. Media process: RESULT (JSON: ``answer``, ``candidate``, ``state``, ``channel``, ``played``),
AUDIO (microphone, HEARING), END.
"""

from __future__ import annotations

import struct

from vivavoce.contracts.errors import ProtocolViolation
from vivavoce.workers.options import EngineKind

KIND: EngineKind = "rtc"
"""What a media process calls its engine."""
RATE = 24_000
"""Samples per second of replies; the encoder takes them as they are."""
FRAME = RATE // 50
"""Samples of 20 ms."""

_REPLY = struct.Struct("<II")


def pack_reply(generation: int, offset: int, pcm: bytes) -> bytes:
    """A piece of a reply (PCM at RATE) whose first sample is number ``offset`` of its generation."""
    return _REPLY.pack(generation, offset) + pcm


def read_reply(payload: bytes) -> tuple[int, int, bytes]:
    """Generation, offset, PCM. Raises ProtocolViolation."""
    if len(payload) < _REPLY.size or len(payload) % 2:
        raise ProtocolViolation("a piece of a reply is too short or holds half a sample")
    generation, offset = _REPLY.unpack_from(payload)
    return generation, offset, payload[_REPLY.size :]
