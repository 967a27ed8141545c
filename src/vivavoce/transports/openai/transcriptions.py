"""``POST /v1/audio/transcriptions`` and ``/v1/audio/translations``: a recording in, text out."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from vivavoce.audio.codecs.decoder import DecoderLimits, decode
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import VoiceActivityDetector
from vivavoce.contracts.speech import TranscriptionOptions
from vivavoce.flow.threads import OffLoop
from vivavoce.sessions.transcription import Stretch, joined, stretches
from vivavoce.text.languages import english_name
from vivavoce.text.subtitles import Caption, captions, subrip, webvtt
from vivavoce.transports.openai.catalogue import Catalogue
from vivavoce.transports.openai.errors import Parameter, body_of
from vivavoce.transports.openai.streaming import Made, Streamed, event
from vivavoce.transports.openai.uploads import Upload

FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
GRANULARITIES = ("segment", "word")
MAX_SECONDS = 4 * 3_600.0
"""Longest recording, decoded."""
MAX_VOCABULARY = 100

Pay = Callable[[int], Awaitable[None]]
"""Takes whole seconds from the caller's budget. Raises LimitExceeded."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks for."""

    model: str
    language: str
    form: str
    stream: bool
    granularities: tuple[str, ...]
    vocabulary: tuple[str, ...]

    @property
    def words(self) -> bool:
        """Whether the times of words are asked for; only the verbose format has a place for them."""
        return self.form == "verbose_json" and "word" in self.granularities


def wanted_of(upload: Upload) -> Wanted:
    """Read the fields of a request. Raises Parameter."""
    form = upload.text("response_format", "json") or "json"
    if form not in FORMATS:
        raise Parameter("response_format", f"there is no format {form!r}; choose one of {', '.join(FORMATS)}")
    granularities = tuple(upload.many("timestamp_granularities")) or ("segment",)
    for granularity in granularities:
        if granularity not in GRANULARITIES:
            raise Parameter("timestamp_granularities", f"choose `segment` or `word`, not {granularity!r}")
    language = upload.text("language").strip().lower()
    languages = upload.many("languages")
    if not language and len(languages) == 1:
        language = languages[0].lower()
    return Wanted(
        model=upload.text("model"),
        language="" if language == "auto" else language,
        form=form,
        stream=upload.text("stream").strip().lower() in ("true", "1", "yes"),
        granularities=granularities,
        vocabulary=tuple(upload.many("keywords"))[:MAX_VOCABULARY],
    )


class Transcribing:
    """Makes answers to transcription requests."""

    def __init__(self, catalogue: Catalogue, vad: VoiceActivityDetector, off_loop: OffLoop, language: str) -> None:
        self._catalogue = catalogue
        self._vad = vad
        self._off_loop = off_loop
        self._language = language

    async def answer(self, upload: Upload, pay: Pay, translate: bool = False) -> Response:
        """The answer, streamed where that is asked for; ``pay`` is asked for the seconds of the recording.

        Raises Parameter, InvalidAudio, LimitExceeded, and what the ports raise.
        """
        wanted = wanted_of(upload)
        _, stt = self._catalogue.transcription(wanted.model)
        if translate and "translate" not in stt.capabilities.tasks:
            raise Parameter("model", f"{stt.capabilities.name} does not translate; choose a model that does")
        pcm = await self._off_loop.run(_hearing, upload.audio)
        options = TranscriptionOptions(
            language=wanted.language or self._language,
            vocabulary=wanted.vocabulary,
            task="translate" if translate else "transcribe",
        )
        seconds = len(pcm) / 32_000
        await pay(math.ceil(seconds))
        reading = stretches(pcm, stt, self._vad, options)
        if wanted.stream and wanted.form in ("json", "diarized_json", "text"):
            segments = wanted.form == "diarized_json"
            return Streamed(Made(_events(reading, options.language, seconds, segments), "text/event-stream"), _told)
        return Streamed(Made(_whole(reading, wanted, options, seconds), _MEDIA[wanted.form]))


def _hearing(data: bytes) -> bytes:
    return decode(data, DecoderLimits(max_bytes=len(data), max_seconds=MAX_SECONDS)).pcm


_MEDIA = {
    "json": "application/json",
    "verbose_json": "application/json",
    "diarized_json": "application/json",
    "text": "text/plain; charset=utf-8",
    "srt": "text/plain; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}


async def _whole(
    reading: AsyncIterator[Stretch], wanted: Wanted, options: TranscriptionOptions, seconds: float
) -> AsyncIterator[bytes]:
    """The answer in one piece; made inside the response, so that a reader who leaves ends the reading."""
    read = [stretch async for stretch in reading]
    if wanted.words:
        _check_times(read)
    transcript = joined(read, options.language)
    match wanted.form:
        case "text":
            body = transcript.text + "\n"
        case "srt":
            body = subrip(_captions(read))
        case "vtt":
            body = webvtt(_captions(read))
        case "verbose_json":
            body = json.dumps(_verbose(read, wanted, options, seconds), ensure_ascii=False)
        case "diarized_json":
            body = json.dumps(_diarized(read, transcript.text, seconds), ensure_ascii=False)
        case _:
            body = json.dumps({"text": transcript.text, "usage": _usage(seconds)}, ensure_ascii=False)
    yield body.encode() or b"\n"


def _check_times(read: Sequence[Stretch]) -> None:
    """Raises Parameter where words lack their times. An engine that is not loaded yet does not say beforehand whether it
    tells them, and another one may have stood in for it."""
    lacking = sum(bool(stretch.transcript.text and not stretch.transcript.words) for stretch in read)
    if lacking:
        raise Parameter(
            "timestamp_granularities",
            f"the recogniser told no times of words in {lacking} of {len(read)} stretches of speech: ask for `segment`, or "
            "name a model that tells them, such as whisper",
            code="unsupported_value",
        )


async def _events(reading: AsyncIterator[Stretch], language: str, seconds: float, segments: bool) -> AsyncIterator[bytes]:
    """A delta per stretch of speech as soon as it is read; together they are the text of the last event.

    With ``segments`` each is followed by an event that says when it was spoken.
    """
    read: list[Stretch] = []
    told = ""
    async for stretch in reading:
        read.append(stretch)
        text = joined(read, language).text
        yield _event("transcript.text.delta", delta=text[len(told) :])
        told = text
        if segments:
            yield event(json.dumps(_spoken(len(read), stretch), ensure_ascii=False))
    yield _event("transcript.text.done", text=told, usage=_tokens(seconds, told))


def _event(kind: str, **fields: Any) -> bytes:
    return event(json.dumps({"type": kind, **fields}, ensure_ascii=False))


def _told(error: VivavoceError) -> bytes:
    return event(json.dumps(body_of(error)))


def _usage(seconds: float) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(seconds)}


def _tokens(seconds: float, text: str) -> dict[str, Any]:
    """The last event of a stream knows no usage by duration. Tokens upstream are a model's own; here input counts 40 ms of
    audio each and output words, as for speech."""
    heard, words = round(seconds / 0.04), len(text.split())
    return {
        "type": "tokens",
        "input_tokens": heard,
        "input_token_details": {"audio_tokens": heard, "text_tokens": 0},
        "output_tokens": words,
        "total_tokens": heard + words,
    }


def _captions(read: Sequence[Stretch]) -> list[Caption]:
    """From word times where the engine gives them, else a caption a stretch."""
    shown: list[Caption] = []
    for stretch in read:
        words = stretch.transcript.words
        shown += captions(words) if words else [Caption(stretch.start, stretch.end, stretch.transcript.text)]
    return shown


def _verbose(read: Sequence[Stretch], wanted: Wanted, options: TranscriptionOptions, seconds: float) -> dict[str, Any]:
    transcript = joined(read, options.language)
    body: dict[str, Any] = {
        "task": options.task,
        "language": english_name(transcript.language or options.language),
        "duration": round(seconds, 3),
        "text": transcript.text,
        "segments": [_segment(number, stretch) for number, stretch in enumerate(read)],
        "usage": _usage(seconds),
    }
    if wanted.words:
        body["words"] = [
            {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)} for word in transcript.words
        ]
    return body


def _segment(number: int, stretch: Stretch) -> dict[str, Any]:
    """Upstream's fields; those that only a Whisper decoder knows have its neutral values."""
    return {
        "id": number,
        "seek": round(stretch.start * 100),
        "start": round(stretch.start, 3),
        "end": round(stretch.end, 3),
        "text": stretch.transcript.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": 0.0,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


def _diarized(read: Sequence[Stretch], text: str, seconds: float) -> dict[str, Any]:
    """Nobody here tells speakers apart, so there is one."""
    return {
        "task": "transcribe",
        "duration": round(seconds, 3),
        "text": text,
        "segments": [_spoken(number, stretch) for number, stretch in enumerate(read, start=1)],
        "usage": _usage(seconds),
    }


def _spoken(number: int, stretch: Stretch) -> dict[str, Any]:
    return {
        "type": "transcript.text.segment",
        "id": f"seg_{number:03}",
        "start": round(stretch.start, 3),
        "end": round(stretch.end, 3),
        "text": stretch.transcript.text,
        "speaker": "A",
    }
