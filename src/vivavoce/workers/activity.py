"""Voice activity streams over a worker group: the hot path, a few microseconds a chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import InternalError, InvalidAudio, Overloaded, VivavoceError
from vivavoce.contracts.ports import VoiceActivity
from vivavoce.contracts.speech import Capabilities, SpeechProbability
from vivavoce.workers.access import EngineAccess
from vivavoce.workers.link import Link
from vivavoce.workers.process import WorkerProcess
from vivavoce.workers.wire import Kind, pack, pack_voice

MAX_UNJUDGED = 60 * HEARING.rate * HEARING.frame_width
"""Bytes (60 s) of audio not yet judged, above which a stream is given up as lost."""


class WorkerVoiceActivityDetector:
    """VoiceActivityDetector over a worker group."""

    def __init__(self, access: EngineAccess) -> None:
        self._access = access

    @property
    def capabilities(self) -> Capabilities:
        """See EngineAccess."""
        return self._access.capabilities

    def open(self, on_result: Callable[[SpeechProbability], None], on_error: Callable[[Exception], None]) -> VoiceActivity:
        """Begin a stream. Raises Overloaded, Unavailable or the engine's load error."""
        return WorkerVoiceActivity(self._access, on_result, on_error)


class WorkerVoiceActivity:
    """One stream. Audio is cut into the detector's frames here; behind a gap in the offsets a new frame begins."""

    def __init__(
        self,
        access: EngineAccess,
        on_result: Callable[[SpeechProbability], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._on_result = on_result
        self._on_error = on_error
        self._rest = b""
        self._end = -1  # sample behind the last one that was handed over
        self._owed = 0  # frames that are not judged yet
        self._frame_bytes = 0
        self._number = 0
        self._link: Link | None = None
        self._process: WorkerProcess | None = None
        self._lost = False
        self._closed = False
        self._unwatch: Callable[[], None] | None = None
        self._unwatch = access.group.watch(self, access.engine)

    # --- VoiceActivity

    def send(self, chunk: AudioChunk) -> None:
        """Raises InvalidAudio for anything but HEARING. Never waits; far behind, the stream is given up (``on_error``)."""
        pcm = chunk.pcm
        if len(pcm) & 1 or (chunk.format is not HEARING and chunk.format != HEARING):
            raise InvalidAudio(f"voice activity hears 16 kHz mono 16-bit PCM, not {len(pcm)} bytes of {chunk.format}")
        if self._closed or self._lost:
            return
        if chunk.offset != self._end:
            self._rest = b""
        self._end = chunk.offset + len(pcm) // 2
        self._rest += pcm
        if len(self._rest) >= self._frame_bytes:
            self._cut()

    def reset(self) -> None:
        """Forget what was heard, also the part of a frame that is waiting."""
        self._rest = b""
        if self._link is not None:
            self._link.seal_voice()
            self._link.write(pack(Kind.RESET, self._number))

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
        self._leave()

    def _cut(self) -> None:
        """Hand over all complete frames."""
        rest, size, link = self._rest, self._frame_bytes, self._link
        if link is not None:
            start = self._end - len(rest) // 2
            position = 0
            while position + size <= len(rest):
                frame = rest[position : position + size]
                position += size
                link.write_voice(pack_voice(self._number, start + position // 2), frame)
                self._owed += size
            self._rest = rest[position:]
        if self._owed + len(self._rest) > MAX_UNJUDGED:
            self.lost(Overloaded("the voice activity detector is a minute behind; open another stream"))

    def _leave(self) -> None:
        self._rest = b""
        self._link = None
        process, self._process = self._process, None
        if process is not None:
            process.detach(self._number)
        elif self._unwatch is not None:
            self._unwatch()

    # --- Stream

    def attached(self, process: WorkerProcess, link: Link, number: int, frame_samples: int) -> None:
        """A process takes the stream, and what was heard so far."""
        self._process, self._link, self._number = process, link, number
        self._frame_bytes = 2 * frame_samples
        if self._end >= 0:
            self._cut()

    def judged(self, end: int, probability: float, level: float) -> None:
        """Hand on one judgement."""
        self._owed -= self._frame_bytes
        try:
            self._on_result(SpeechProbability(end, probability, level))
        except Exception as error:  # noqa: BLE001 - one session's mistake must not end the detector of all
            self.lost(InternalError(f"a voice activity listener raised {error!r}", cause=error))

    def lost(self, error: VivavoceError) -> None:
        """The stream is over; its owner hears of it once, behind this tick, unless it closes the stream itself."""
        if not self._lost and not self._closed:
            self._lost = True
            self._leave()
            asyncio.get_running_loop().call_soon(self._report, error)

    def _report(self, error: VivavoceError) -> None:
        if not self._closed:
            self._on_error(error)
