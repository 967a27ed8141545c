"""Text to speech over a worker group."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict

from vivavoce.contracts.audio import AudioChunk, AudioFormat
from vivavoce.contracts.errors import InvalidAudio, InvalidText, Overloaded, ProtocolViolation, VivavoceError
from vivavoce.contracts.ports import Synthesis
from vivavoce.contracts.speech import Capabilities, SpokenAudio, SynthesisOptions
from vivavoce.flow.queue import BoundedQueue, Closed, WhenFull
from vivavoce.workers.access import EngineAccess, end_queue
from vivavoce.workers.wire import Kind, credit, read_speech

WINDOW = 1.0
"""Seconds of synthesised audio nobody has read yet."""
MAX_TEXT = 100_000
"""Characters not yet spoken by one synthesis."""


class WorkerTextToSpeech:
    """TextToSpeech over a worker group."""

    def __init__(self, access: EngineAccess) -> None:
        self._access = access

    @property
    def capabilities(self) -> Capabilities:
        """See EngineAccess."""
        return self._access.capabilities

    def open(self, options: SynthesisOptions) -> Synthesis:
        """Begin an utterance. Raises Overloaded, Unavailable or the engine's load error."""
        if not 4_000 <= options.rate <= 192_000:
            raise InvalidAudio(f"a sample rate of {options.rate} Hz is out of range; use 4000 to 192000 Hz")
        return WorkerSynthesis(self._access, options)


class WorkerSynthesis:
    """One utterance. Each piece of text sent is spoken as it is, so ``flush`` has nothing to do."""

    def __init__(self, access: EngineAccess, options: SynthesisOptions) -> None:
        self._format = AudioFormat(options.rate)
        self._window = self._format.samples(WINDOW) * self._format.frame_width
        self._texts: deque[str] = deque()
        self._sent = 0
        self._spoken = 0
        self._offset = 0
        self._read = 0
        self._finished = False
        self._audio: BoundedQueue[SpokenAudio] = BoundedQueue(self._window // 2, WhenFull.REJECT)
        self._job = access.open(self, {"options": asdict(options), "window": self._window})
        access.group.submit(self._job)

    # --- Synthesis

    def send(self, text: str) -> None:
        """Raises Overloaded when too much is unspoken, InvalidText for text that is none, ProtocolViolation after finish."""
        if self._job.ended or not text:
            return
        if self._finished:
            raise ProtocolViolation("this utterance is finished; open another")
        if not _is_text(text):
            raise InvalidText("text with half a surrogate pair cannot be spoken; send whole characters")
        if self._sent + len(text) - self._spoken > MAX_TEXT:
            raise Overloaded(f"more than {MAX_TEXT} characters wait to be spoken; send the rest later")
        self._sent += len(text)
        self._texts.append(text)
        self._job.touch()
        self._job.pump_later()

    def flush(self) -> None:
        """Nothing is held back."""

    def finish(self) -> None:
        """Idempotent."""
        if not self._finished:
            self._finished = True
            self._job.touch()
            self._job.pump_later()

    def cancel(self) -> None:
        """Idempotent."""
        self._job.cancel()
        self._audio.clear()
        self._audio.close()

    def __aiter__(self) -> AsyncIterator[SpokenAudio]:
        return self

    async def __anext__(self) -> SpokenAudio:
        try:
            audio = await self._audio.get()
        except Closed:
            raise StopAsyncIteration from None
        self._job.touch()
        self._read += len(audio.chunk.pcm)
        if self._read >= self._window // 8:
            self._job.write(Kind.CREDIT, credit(self._read))
            self._read = 0
        return audio

    # --- Consumer

    def pump(self) -> None:
        """Send what was said so far."""
        if not self._job.open:
            return
        while self._texts:
            self._job.write(Kind.TEXT, self._texts.popleft().encode())
        if self._finished:
            self._job.write(Kind.FINISH)

    def received(self, kind: int, payload: bytes) -> None:
        """Audio."""
        if kind != Kind.AUDIO:
            raise ProtocolViolation(f"a synthesiser does not send frames of kind {kind}")
        pcm, start, end, exact = read_speech(payload)
        chunk = AudioChunk(pcm, self._format, self._offset)
        self._offset = chunk.end
        self._spoken = end
        self._audio.offer(SpokenAudio(chunk, start, end, exact))

    def ended(self, error: VivavoceError | None) -> None:
        """Close the iteration behind what is there."""
        end_queue(self._audio, error)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
