"""Wake word streams over a worker group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import (
    InternalError,
    InvalidAudio,
    Overloaded,
    ProtocolViolation,
    UnknownName,
    VivavoceError,
    WorkerLost,
)
from vivavoce.contracts.ports import WakeWordListening
from vivavoce.contracts.speech import Capabilities, WakeWord
from vivavoce.workers.access import EngineAccess
from vivavoce.workers.wire import Kind, dump_json, read_credit, read_json

WINDOW = 64_000
"""Bytes (2 s) of audio on the way to a detector."""
PIECE = 32_000
"""Bytes (1 s) sent at once at most."""
BACKLOG = 60 * HEARING.rate * HEARING.frame_width
"""Bytes (60 s) of audio not yet listened to, above which a stream is given up as lost."""
NO_DEADLINE = 365 * 86_400.0
"""Seconds: a stream lasts as long as its session, which may be silent for hours. A worker that hangs is found by its
heartbeat."""


class WorkerWakeWordDetector:
    """WakeWordDetector over a worker group."""

    def __init__(self, access: EngineAccess) -> None:
        self._access = access

    @property
    def capabilities(self) -> Capabilities:
        """See EngineAccess."""
        return self._access.capabilities

    def open(
        self, words: Sequence[str], on_wake: Callable[[WakeWord], None], on_error: Callable[[Exception], None]
    ) -> WakeWordListening:
        """Begin a stream. Raises UnknownName (once the engine was loaded), Overloaded, Unavailable or its load error."""
        known = self.capabilities.words
        for word in words:
            if known and word not in known:
                raise UnknownName(f"no wake word {word!r} here; there is {', '.join(known)}", code="unknown_wake_word")
        return WorkerWakeWordListening(self._access, words, on_wake, on_error)


class WorkerWakeWordListening:
    """One stream. Behind a gap in the offsets the detector begins anew."""

    def __init__(
        self,
        access: EngineAccess,
        words: Sequence[str],
        on_wake: Callable[[WakeWord], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._on_wake = on_wake
        self._on_error = on_error
        self._waiting: list[bytes | int] = []
        """Audio, or the offset a reset goes on at, in order."""
        self._unheard = 0
        self._credit = WINDOW
        self._end = 0
        self._resets = 0
        """Words that ended here or before belong to a past that is forgotten."""
        self._closed = False
        self._lost = False
        self._job = access.open(self, {"words": list(words)}, NO_DEADLINE)
        access.group.submit(self._job)

    # --- WakeWordListening

    def send(self, chunk: AudioChunk) -> None:
        """Raises InvalidAudio for anything but HEARING. Never waits; far behind, the stream is given up (``on_error``)."""
        pcm = chunk.pcm
        if len(pcm) & 1 or (chunk.format is not HEARING and chunk.format != HEARING):
            raise InvalidAudio(f"wake words are heard in 16 kHz mono 16-bit PCM, not {len(pcm)} bytes of {chunk.format}")
        if self._closed or self._lost or not pcm:
            return
        if chunk.offset != self._end:
            self._waiting.append(chunk.offset)
            self._resets = min(self._resets, chunk.offset)
        self._end = chunk.end
        self._waiting.extend(pcm[start : start + PIECE] for start in range(0, len(pcm), PIECE))
        self._unheard += len(pcm)
        if self._unheard > BACKLOG:
            self._lose(Overloaded("the wake word detector is a minute behind; open another stream"))
            return
        self._job.pump_later()

    def reset(self) -> None:
        """Forget what was heard; a word recognised in it and not yet told is not told."""
        if self._closed or self._lost:
            return
        self._resets = self._end
        self._waiting.append(self._end)
        self._job.pump_later()

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
        self._waiting.clear()
        self._job.cancel()

    # --- Consumer

    def pump(self) -> None:
        """Send what the window allows, small pieces as one."""
        if not self._job.open:
            return
        pieces: list[bytes] = []
        sent = 0
        for item in self._waiting:
            if isinstance(item, int):
                self._flush(pieces)
                self._job.write(Kind.RESET, dump_json({"at": item}))
            elif len(item) > self._credit:
                break
            else:
                self._credit -= len(item)
                pieces.append(item)
            sent += 1
        self._flush(pieces)
        del self._waiting[:sent]

    def _flush(self, pieces: list[bytes]) -> None:
        if pieces:
            self._job.write(Kind.AUDIO, b"".join(pieces))
            pieces.clear()

    def received(self, kind: int, payload: bytes) -> None:
        """Credit and words."""
        if kind == Kind.CREDIT:
            amount = read_credit(payload)
            self._credit = min(WINDOW, self._credit + amount)
            self._unheard -= amount
            if self._waiting:
                self._job.pump_later()
        elif kind == Kind.RESULT:
            value = read_json(payload)
            try:
                word = WakeWord(str(value["word"]), int(value["at"]))
            except (KeyError, TypeError, ValueError) as error:
                raise ProtocolViolation("this is no wake word", cause=error) from error
            self._wake(word)
        else:
            raise ProtocolViolation(f"a wake word detector does not send frames of kind {kind}")

    def _wake(self, word: WakeWord) -> None:
        if self._closed or self._lost or word.at <= self._resets:
            return
        try:
            self._on_wake(word)
        except Exception as error:  # noqa: BLE001 - one session's mistake must not end the worker of all
            self._lose(InternalError(f"a wake word listener raised {error!r}", cause=error))

    def ended(self, error: VivavoceError | None) -> None:
        """The worker gave the stream up."""
        self._lose(error or WorkerLost("the wake word detector closed the stream"))

    def _lose(self, error: VivavoceError) -> None:
        """The stream is over; its owner hears of it once, behind this tick, unless it closes the stream itself."""
        if not self._lost and not self._closed:
            self._lost = True
            self._waiting.clear()
            self._job.cancel()
            asyncio.get_running_loop().call_soon(self._report, error)

    def _report(self, error: VivavoceError) -> None:
        if not self._closed:
            self._on_error(error)
