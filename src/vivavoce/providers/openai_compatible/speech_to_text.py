"""Speech to text behind ``/audio/transcriptions``: an utterance is uploaded when it has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from vivavoce.audio.codecs import wav
from vivavoce.audio.level import rms
from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import (
    InternalError,
    InvalidAudio,
    Overloaded,
    ProtocolViolation,
    ProviderFailed,
    VivavoceError,
)
from vivavoce.contracts.ports import Transcription
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions, Word
from vivavoce.flow.queue import BoundedQueue, WhenFull
from vivavoce.flow.tasks import Task, TaskScope
from vivavoce.providers._http import Body, Reply, Service
from vivavoce.providers.openai_compatible.profiles import Profile
from vivavoce.providers.openai_compatible.sse import SseParser

PATH = "/audio/transcriptions"
MAX_UTTERANCE = 300.0
"""Seconds of one utterance: 9.6 MB of the 25 MB that OpenAI takes."""
MAX_PROMPT = 800
"""Characters of vocabulary; Whisper reads 224 tokens of a prompt."""
MAX_TEXT = 100_000
SILENT = -60.0
"""dBFS under which an utterance is not uploaded: such models write words into silence, and every request costs."""
MAX_UTTERANCES = 512
"""Uploads of one provider under way."""
MAX_PARTIALS = 64
_WINDOW = HEARING.samples(0.1) * HEARING.frame_width
_LIMIT = HEARING.samples(MAX_UTTERANCE) * HEARING.frame_width


@dataclass(frozen=True, slots=True)
class TranscriptionModel:
    """What an upload is read by."""

    service: Service
    model: str
    profile: Profile


class OpenAiSpeechToText:
    """SpeechToText of one service. Nothing is read before an utterance has ended, so there are no partials till then."""

    def __init__(self, model: TranscriptionModel, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._model = model

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Begin an utterance."""
        return UploadedTranscription(self._model, options)


class UploadedTranscription:
    """One utterance: collected, uploaded by ``finish``, read."""

    def __init__(self, model: TranscriptionModel, options: TranscriptionOptions) -> None:
        self._model = model
        self._options = options
        self._audio = bytearray()
        self._checked = 0
        self._sounded = False
        self._finished = False
        self._ended = False
        # Only partials can pile up, and the newest says it all: the final comes last and is never the oldest.
        self._out: BoundedQueue[Transcript] = BoundedQueue(MAX_PARTIALS, WhenFull.DROP_OLDEST)
        self._scope = TaskScope(self._broken, limit=1)
        self._task: Task | None = None

    def send(self, chunk: AudioChunk) -> None:
        """Raises InvalidAudio for anything but HEARING, Overloaded above the bound, ProtocolViolation after finish."""
        if self._ended:
            return
        if self._finished:
            raise ProtocolViolation("this utterance is finished; open another")
        if chunk.format != HEARING or len(chunk.pcm) % HEARING.frame_width:
            raise InvalidAudio(f"recognisers hear 16 kHz mono 16-bit PCM, not {len(chunk.pcm)} bytes of {chunk.format}")
        if len(self._audio) + len(chunk.pcm) > _LIMIT:
            raise Overloaded(f"an utterance is {MAX_UTTERANCE:g} s at most; finish it and open another")
        self._audio += chunk.pcm
        while not self._sounded and len(self._audio) - self._checked >= _WINDOW:
            self._check(self._checked + _WINDOW)

    async def drain(self) -> None:
        """Nothing is worked on before the end, so there is nothing to wait for."""

    def finish(self) -> None:
        """Upload. Idempotent."""
        if self._finished or self._ended:
            return
        self._finished = True
        if not self._sounded:
            self._check(len(self._audio))
        if self._sounded:
            self._task = self._scope.start(self._read(), name="upload of an utterance")
        else:
            self._conclude(Transcript("", final=True, language=self._options.language))

    def cancel(self) -> None:
        """Idempotent."""
        self._ended = True
        self._audio.clear()
        if self._task is not None:
            self._task.cancel()
        self._out.clear()
        self._out.close()

    def __aiter__(self) -> AsyncIterator[Transcript]:
        return self._out

    def _check(self, end: int) -> None:
        self._sounded = rms(bytes(self._audio[self._checked : end])) > SILENT
        self._checked = end

    def _conclude(self, transcript: Transcript) -> None:
        self._ended = True
        self._audio.clear()
        self._out.offer(transcript)
        self._out.close()

    def _broken(self, error: Exception) -> None:
        self._ended = True
        self._out.fail(InternalError(f"the upload of an utterance broke: {error!r}", cause=error))

    async def _read(self) -> None:
        service = self._model.service
        recording = wav.write(bytes(self._audio), HEARING)
        self._audio.clear()
        try:
            async with service.stream("POST", PATH, self._body(recording)) as reply:
                streamed = reply.content_type == "text/event-stream"
                transcript = await (self._read_events(reply) if streamed else self._read_whole(reply))
        except VivavoceError as error:
            self._ended = True
            self._out.fail(error)
        else:
            self._conclude(transcript)

    def _body(self, recording: bytes) -> Body:
        profile, language = self._model.profile, self._options.language.split("-")[0].lower()
        form: dict[str, str | list[str]] = {"model": self._model.model, "response_format": "json"}
        if language:
            form["language"] = language
        if self._options.vocabulary:
            form["prompt"] = ", ".join(self._options.vocabulary)[:MAX_PROMPT]
        if profile.word_times:
            form |= {"response_format": "verbose_json", "timestamp_granularities[]": ["word"]}
        if profile.stream_transcripts and self._options.partials:
            form["stream"] = "true"
        return Body(form=form, file=("speech.wav", recording, "audio/wav"))

    async def _read_whole(self, reply: Reply) -> Transcript:
        service = self._model.service
        if reply.content_type not in ("application/json", "text/plain", ""):
            raise ProviderFailed(f"{service.name} answered with {reply.content_type}; is its url right?", retryable=False)
        raw = await reply.read()
        if reply.content_type == "text/plain":
            return self._final(raw.decode(errors="replace"))
        answer = service.parse(raw)
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise ProviderFailed(f"{service.name} sent a transcript without text")
        return self._final(answer["text"], _words(answer.get("words")))

    async def _read_events(self, reply: Reply) -> Transcript:
        parser, text = SseParser(), ""
        async for piece in reply.chunks():
            for data in parser.feed(piece):
                event = {} if data.strip() == "[DONE]" else self._model.service.parse(data)
                if not isinstance(event, dict):
                    continue
                if event.get("error") or event.get("type") == "error":
                    raise ProviderFailed(f"{self._model.service.name} broke off a transcript")
                if event.get("type") == "transcript.text.done":
                    return self._final(str(event.get("text") or text))
                if event.get("type") == "transcript.text.delta":
                    text = (text + str(event.get("delta") or ""))[:MAX_TEXT]
                    self._out.offer(Transcript(text, stable=0, language=self._options.language))
        raise ProviderFailed(f"{self._model.service.name} stopped in the middle of a transcript")

    def _final(self, text: str, words: tuple[Word, ...] = ()) -> Transcript:
        text = text.strip()[:MAX_TEXT]
        return Transcript(text, final=True, stable=len(text), words=words, language=self._options.language)


def _words(rows: Any) -> tuple[Word, ...]:
    """Words with their times, as far as the service gave sane ones."""
    found: list[Word] = []
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        text, start, end = row.get("word"), row.get("start"), row.get("end")
        if isinstance(text, str) and isinstance(start, int | float) and isinstance(end, int | float) and 0 <= start <= end:
            found.append(Word(text.strip(), float(start), float(end)))
    return tuple(found)
