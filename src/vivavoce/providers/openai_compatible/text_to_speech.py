"""Text to speech behind ``/audio/speech``: one request a piece of text, the next one asked for ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from vivavoce.contracts.audio import AudioChunk, AudioFormat
from vivavoce.contracts.errors import (
    InternalError,
    InvalidAudio,
    InvalidText,
    Overloaded,
    ProtocolViolation,
    ProviderFailed,
    VivavoceError,
)
from vivavoce.contracts.ports import Synthesis
from vivavoce.contracts.speech import Capabilities, SpokenAudio, SynthesisOptions
from vivavoce.flow.queue import BoundedQueue, Closed, WhenFull
from vivavoce.flow.tasks import Signal, Task, TaskScope
from vivavoce.providers._http import Body, Json, Reply, Service
from vivavoce.providers.openai_compatible.speech_bytes import SpeechBytes

PATH = "/audio/speech"
MAX_TEXT = 100_000
"""Characters not yet spoken by one synthesis."""
MAX_PIECE = 4_000
"""Characters of one request; OpenAI takes 4096. Longer pieces are divided."""
AHEAD = 2
"""Requests of one synthesis under way: the piece that is heard and the next."""
BLOCK = 0.1
"""Seconds of audio in one chunk."""
WAITING = 100
"""Chunks of one piece nobody has read yet; above it the answer is not read on."""
TAIL = 0.01
"""Seconds kept back until it is known whether they are the last, so that the last chunk can say that the text is over."""
PACE = 15.0
"""Characters a second spoken at speed 1, for the first estimate of how far the text has come."""


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """What a text is spoken by. ``raw`` asks for PCM at ``rate``, else for WAV."""

    service: Service
    model: str
    voice: str
    rate: int = 24_000
    raw: bool = True


class OpenAiTextToSpeech:
    """TextToSpeech of one service."""

    def __init__(self, model: SpeechModel, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._model = model

    def open(self, options: SynthesisOptions) -> Synthesis:
        """Begin an utterance. Raises InvalidAudio for an absurd rate."""
        if not 4_000 <= options.rate <= 192_000:
            raise InvalidAudio(f"a sample rate of {options.rate} Hz is out of range; use 4000 to 192000 Hz")
        return RequestedSynthesis(self._model, options)


@dataclass(slots=True)
class _Piece:
    """One request: its text, where it stands in all text sent, and its audio as it comes."""

    text: str
    start: int
    audio: BoundedQueue[tuple[bytes, bool]]
    task: Task | None = None
    samples: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class RequestedSynthesis:
    """One utterance. Each piece of text sent is a request of its own, so ``flush`` has nothing to do.

    Nobody knows how long a piece will sound before it has ended: spans are estimated from the pace of what was spoken
    before, and the last chunk of a piece reaches its end.
    """

    def __init__(self, model: SpeechModel, options: SynthesisOptions) -> None:
        self._model = model
        self._options = options
        self._format = AudioFormat(options.rate)
        self._pace = PACE * options.speed
        self._waiting: deque[_Piece] = deque()
        self._asked: deque[_Piece] = deque()
        self._sent = 0
        self._offset = 0
        self._reached = 0
        self._finished = False
        self._cancelled = False
        self._news = Signal()
        self._broken: InternalError | None = None
        self._scope = TaskScope(self._task_broke, limit=AHEAD + 2)

    def send(self, text: str) -> None:
        """Raises Overloaded when too much is unspoken, InvalidText for text that is none, ProtocolViolation after finish."""
        if self._cancelled or not text:
            return
        if self._finished:
            raise ProtocolViolation("this utterance is finished; open another")
        if not _is_text(text):
            raise InvalidText("text with half a surrogate pair cannot be spoken; send whole characters")
        if self._sent + len(text) - self._reached > MAX_TEXT:
            raise Overloaded(f"more than {MAX_TEXT} characters wait to be spoken; send the rest later")
        for start in range(0, len(text), MAX_PIECE):
            part = text[start : start + MAX_PIECE]
            self._waiting.append(_Piece(part, self._sent, BoundedQueue(WAITING, WhenFull.WAIT)))
            self._sent += len(part)
        self._ask()
        self._news.notify()

    def flush(self) -> None:
        """Nothing is held back."""

    def finish(self) -> None:
        """Idempotent."""
        self._finished = True
        self._news.notify()

    def cancel(self) -> None:
        """Idempotent."""
        self._cancelled = True
        self._waiting.clear()
        for piece in self._asked:
            if piece.task is not None:
                piece.task.cancel()
            piece.audio.clear()
            piece.audio.close()
        self._asked.clear()
        self._news.notify()

    def __aiter__(self) -> AsyncIterator[SpokenAudio]:
        return self

    async def __anext__(self) -> SpokenAudio:
        while not self._cancelled:
            if self._broken is not None:
                raise self._broken
            if self._asked:
                spoken = await self._next_of(self._asked[0])
                if spoken is not None:
                    return spoken
            elif self._finished:
                break
            else:
                await self._news.wait()
        raise StopAsyncIteration

    async def _next_of(self, piece: _Piece) -> SpokenAudio | None:
        try:
            pcm, last = await piece.audio.get()
        except Closed:
            if self._asked and self._asked[0] is piece:
                self._asked.popleft()
                self._learn_pace(piece)
                self._ask()
            return None
        if self._cancelled:
            return None
        chunk = AudioChunk(pcm, self._format, self._offset)
        self._offset = chunk.end
        piece.samples += chunk.samples
        estimate = piece.start + round(self._format.seconds(piece.samples) * self._pace)
        start, end = self._reached, piece.end if last else max(self._reached, min(estimate, piece.end))
        self._reached = end
        return SpokenAudio(chunk, start, end)

    def _learn_pace(self, piece: _Piece) -> None:
        seconds = self._format.seconds(piece.samples)
        if seconds > 0.5:
            self._pace = len(piece.text) / seconds

    def _ask(self) -> None:
        """Requests go out in order, and at most the one that is heard and the next are under way."""
        while self._waiting and len(self._asked) < AHEAD:
            piece = self._waiting.popleft()
            self._asked.append(piece)
            if piece.text.strip():
                piece.task = self._scope.start(self._fetch(piece), name="speech of a piece")
            else:
                piece.audio.close()

    def _task_broke(self, error: Exception) -> None:
        self._broken = InternalError(f"a speech request broke: {error!r}", cause=error)
        for piece in self._asked:
            piece.audio.fail(self._broken)
        self._news.notify()

    async def _fetch(self, piece: _Piece) -> None:
        try:
            async with self._model.service.stream("POST", PATH, Body(json=self._body(piece.text))) as reply:
                await self._read(reply, piece)
        except Closed:  # nobody listens any more
            return
        except VivavoceError as error:
            piece.audio.fail(error)
        else:
            piece.audio.close()

    def _body(self, text: str) -> Json:
        body: Json = {"model": self._model.model, "input": text, "response_format": "pcm" if self._model.raw else "wav"}
        voice = self._options.voice or self._model.voice
        if voice:
            body["voice"] = voice
        if self._options.speed != 1.0:
            body["speed"] = self._options.speed
        return body

    async def _read(self, reply: Reply, piece: _Piece) -> None:
        name = self._model.service.name
        if reply.content_type.startswith(("text/", "application/json")):
            raise ProviderFailed(f"{name} answered with {reply.content_type} in place of sound", retryable=False)
        samples = SpeechBytes(name, self._model.rate, self._options.rate)
        block, tail = (2 * self._format.samples(seconds) for seconds in (BLOCK, TAIL))
        held = bytearray()
        async for data in reply.chunks():
            held += samples.feed(data)
            while len(held) > tail:
                size = min(block, len(held) - tail)
                await piece.audio.put((bytes(held[:size]), False))
                del held[:size]
        held += samples.finish()
        if not held:
            raise ProviderFailed(f"{name} sent no sound for a text")
        while held:
            await piece.audio.put((bytes(held[:block]), len(held) <= block))
            del held[:block]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
