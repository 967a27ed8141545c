"""Speech to text over a worker group."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict

from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import InvalidAudio, Overloaded, ProtocolViolation, VivavoceError
from vivavoce.contracts.ports import Transcription
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions
from vivavoce.flow.queue import BoundedQueue, WhenFull
from vivavoce.flow.tasks import Signal
from vivavoce.workers.access import EngineAccess, end_queue
from vivavoce.workers.messages import transcript_from_json
from vivavoce.workers.wire import Kind, read_credit, read_json

WINDOW = 64_000
"""Bytes (2 s) of audio on the way to a recogniser."""
BACKLOG = 60 * 32_000
"""Bytes (60 s) of audio not yet read by the recogniser, above which ``send`` raises Overloaded."""
HIGH_WATER = 2 * 32_000
"""Bytes (2 s) of unread audio above which ``drain`` waits."""
MAX_PARTIALS = 8
"""Unread partial transcripts; older ones give way."""


class WorkerSpeechToText:
    """SpeechToText over a worker group."""

    def __init__(self, access: EngineAccess) -> None:
        self._access = access

    @property
    def capabilities(self) -> Capabilities:
        """See EngineAccess."""
        return self._access.capabilities

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Begin an utterance. Raises Overloaded, Unavailable or the engine's load error."""
        return WorkerTranscription(self._access, options)


class WorkerTranscription:
    """One utterance. Audio waits here until the recogniser has room; unread partials give way to newer ones."""

    def __init__(self, access: EngineAccess, options: TranscriptionOptions) -> None:
        self._backlog = bytearray()
        self._credit = WINDOW
        self._finished = False
        self._said_finish = False
        self._results: BoundedQueue[Transcript] = BoundedQueue(MAX_PARTIALS, WhenFull.DROP_OLDEST)
        self._drained = Signal()
        self._job = access.open(self, {"options": asdict(options)})
        access.group.submit(self._job)

    # --- Transcription

    def send(self, chunk: AudioChunk) -> None:
        """Raises InvalidAudio for anything but HEARING, Overloaded above the backlog, ProtocolViolation after finish."""
        if self._job.ended:
            return
        if self._finished:
            raise ProtocolViolation("this utterance is finished; open another")
        pcm = chunk.pcm
        if chunk.format != HEARING or len(pcm) % 2:
            raise InvalidAudio(f"recognisers hear 16 kHz mono 16-bit PCM, not {len(pcm)} bytes of {chunk.format}")
        if self._unread + len(pcm) > BACKLOG:
            raise Overloaded(f"the recogniser is {self._unread // 32_000} s behind; wait with drain, or send less")
        self._backlog += pcm
        self._job.touch()
        self._job.pump_later()

    async def drain(self) -> None:
        """Wait until at most 2 s of audio are unread. Returns at once when the utterance is over."""
        while self._unread > HIGH_WATER and not self._job.ended:
            await self._drained.wait()

    def finish(self) -> None:
        """Idempotent."""
        if not self._finished:
            self._finished = True
            self._job.touch()
            self._job.pump_later()

    def cancel(self) -> None:
        """Idempotent."""
        self._job.cancel()
        self._results.clear()
        self._results.close()
        self._drained.notify()

    def __aiter__(self) -> AsyncIterator[Transcript]:
        return self._results

    @property
    def _unread(self) -> int:
        return len(self._backlog) + WINDOW - self._credit

    # --- Consumer

    def pump(self) -> None:
        """Send what the window allows."""
        if not self._job.open:
            return
        size = min(self._credit, len(self._backlog))
        if size:
            self._job.write(Kind.AUDIO, bytes(self._backlog[:size]))
            del self._backlog[:size]
            self._credit -= size
        if self._finished and not self._backlog and not self._said_finish:
            self._said_finish = True
            self._job.write(Kind.FINISH)

    def received(self, kind: int, payload: bytes) -> None:
        """Credit and transcripts."""
        if kind == Kind.CREDIT:
            self._credit = min(WINDOW, self._credit + read_credit(payload))
            if self._backlog:
                self._job.pump_later()
            if self._unread <= HIGH_WATER:
                self._drained.notify()
        elif kind == Kind.RESULT:
            self._results.offer(transcript_from_json(read_json(payload)))
        else:
            raise ProtocolViolation(f"a recogniser does not send frames of kind {kind}")

    def ended(self, error: VivavoceError | None) -> None:
        """Close the iteration."""
        self._backlog.clear()
        end_queue(self._results, error)
        self._drained.notify()
