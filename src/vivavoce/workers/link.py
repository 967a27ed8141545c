"""The parent's end of a worker's socket: frames in as they come, frames out once per loop tick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from vivavoce.contracts.errors import ProtocolViolation, VivavoceError
from vivavoce.workers.wire import MAX_PAYLOAD, Decoder, Frame, Kind, pack

MAX_UNSENT = 64 << 20
"""Bytes a worker leaves unread before it counts as stuck. Every job and stream has a smaller bound of its own."""
RECEIVE = 1 << 16


class Pump(Protocol):
    """Something that has more to write when the tick's frames go out."""

    def pump(self) -> None: ...


class Link(asyncio.BufferedProtocol):
    """Frames over a stream transport.

    A write per frame would cost more than what is done with it, so everything of one loop tick goes out in one. Voice
    activity records may wait ``gather`` seconds for others, or until something else is written.
    """

    def __init__(self, on_frame: Callable[[Frame], None], on_lost: Callable[[Exception | None], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._on_lost = on_lost
        self._decoder = Decoder()
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = memoryview(bytearray(RECEIVE))
        self._frames: list[bytes] = []
        self._voice: list[bytes] = []
        self._pumps: dict[Pump, None] = {}
        self._scheduled = False
        self._gathering = False
        self._violation: ProtocolViolation | None = None
        self.writes = 0
        self.gather = 0.0
        self.voice_record = 0
        """Bytes of one voice activity record, known once the detector is loaded."""

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ready."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's transports are not of that class

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came: hand on the frames they complete."""
        try:
            for frame in self._decoder.feed(bytes(self._buffer[:nbytes])):
                self._on_frame(frame)
        except ProtocolViolation as error:
            self._give_up(error)
        except (VivavoceError, LookupError, TypeError, ValueError) as error:
            self._give_up(ProtocolViolation(f"a frame from the worker makes no sense: {error!r}", cause=error))

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker is gone, or was found to talk nonsense."""
        self._transport = None
        self._frames.clear()
        self._voice.clear()
        self._pumps.clear()
        self._on_lost(self._violation or exc)

    # --- our side

    @property
    def open(self) -> bool:
        """Whether frames can be written."""
        return self._transport is not None

    @property
    def unsent(self) -> int:
        """Bytes the other side has not taken yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def write(self, frame: bytes) -> None:
        """Send a frame with this tick's."""
        self._frames.append(frame)
        if not self._scheduled:
            self._schedule()

    def write_voice(self, head: bytes, pcm: bytes) -> None:
        """Send one voice activity record, with this tick's or within ``gather`` seconds."""
        self._voice.append(head)
        self._voice.append(pcm)
        if not self._scheduled and not self._gathering:
            if self.gather:
                self._gathering = True
                self._loop.call_later(self.gather, self._flush)
            else:
                self._schedule()

    def pump(self, source: Pump) -> None:
        """Ask ``source`` for its frames when this tick's go out."""
        self._pumps[source] = None
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._flush)

    def seal_voice(self) -> None:
        """What is written from now on comes behind the voice activity records so far."""
        if self._voice:
            data = b"".join(self._voice)
            self._voice.clear()
            size = len(data) if len(data) <= MAX_PAYLOAD else self._record_limit(len(data))
            for start in range(0, len(data), size):
                self._frames.append(pack(Kind.VOICE, 0, data[start : start + size]))

    def _record_limit(self, total: int) -> int:
        return MAX_PAYLOAD // self.voice_record * self.voice_record if self.voice_record else total

    def _flush(self) -> None:
        self._scheduled = self._gathering = False
        pumps, self._pumps = self._pumps, {}
        for source in pumps:
            source.pump()
        self.seal_voice()
        frames, self._frames = self._frames, []
        if self._transport is None or not frames:
            return
        self.writes += 1
        self._transport.write(b"".join(frames))
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._give_up(ProtocolViolation(f"the worker left {MAX_UNSENT >> 20} MB unread"))

    def _give_up(self, error: ProtocolViolation) -> None:
        self._violation = error
        self.abort()

    def flush(self) -> None:
        """Send now what waits for the end of the tick."""
        self._flush()

    def abort(self) -> None:
        """Close at once, unsent frames are lost. Idempotent."""
        if self._transport is not None:
            self._transport.abort()
