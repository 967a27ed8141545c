"""``POST /v1/audio/speech``: text in, audio out while it is spoken."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from vivavoce.audio.codecs.encoder import Encoder, open_encoder
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.speech import SpokenAudio, SynthesisOptions
from vivavoce.flow.threads import OffLoop
from vivavoce.sessions.speech import Speech, SpeechLimits
from vivavoce.transports.openai.catalogue import Catalogue
from vivavoce.transports.openai.errors import Parameter, body_of
from vivavoce.transports.openai.streaming import Made, Streamed, event

RATE = 24_000
"""What ``pcm`` means to every client: 24 kHz mono s16le."""
CHEAP = frozenset({"pcm", "wav"})
"""Formats that cost nothing to make."""

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


class VoiceReference(BaseModel):
    """A voice as an object, as newer clients send it."""

    id: str


class SpeechRequest(BaseModel):
    """The body. Unknown fields are ignored, as upstream does."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(description="A name of `GET /v1/models`; OpenAI's names mean the default voice engine.")
    input: str = Field(validation_alias=AliasChoices("input", "text"), description="What to say.")
    voice: str | VoiceReference = Field("", description="A name of `GET /v1/audio/voices`, or one of OpenAI's 13.")
    instructions: str | None = Field(None, description="Taken and not used: no engine here follows instructions.")
    response_format: Format = Field("mp3", validation_alias=AliasChoices("response_format", "format"))
    speed: Annotated[float, Field(ge=0.25, le=4.0)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"
    language: str = Field("", validation_alias=AliasChoices("language", "lang_code"), description="A BCP 47 tag.")

    @property
    def voice_name(self) -> str:
        """However it was sent."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


class Speaking:
    """Makes answers to speech requests."""

    def __init__(self, catalogue: Catalogue, limits: SpeechLimits, off_loop: OffLoop, language: str) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._off_loop = off_loop
        self._language = language

    def answer(self, request: SpeechRequest) -> Streamed:
        """The streamed answer. Raises Parameter for what cannot be spoken, and what the voice raises."""
        if not request.input.strip():
            raise Parameter("input", "input is empty: send the text to be spoken")
        if len(request.input) > self._limits.max_text:
            most = self._limits.max_text
            raise Parameter("input", f"input has {len(request.input)} characters, at most {most} are spoken")
        language = request.language or self._language
        name, port, voice = self._catalogue.voice(request.model, request.voice_name, language)
        encoder = open_encoder(request.response_format, AudioFormat(RATE))
        try:
            speech = Speech(port, SynthesisOptions(voice, language, RATE, request.speed), self._limits)
            speech.append(request.input)
            speech.end()
        except VivavoceError:
            encoder.close()
            raise
        off_loop = None if request.response_format in CHEAP else self._off_loop
        audio = encoded(aiter(speech), encoder, off_loop)
        headers = {"x-vivavoce-model": name}
        if request.stream_format == "sse":
            body = _events(audio, len(request.input.split()), speech)
            return Streamed(Made(body, "text/event-stream", headers), _told)
        return Streamed(Made(audio, encoder.media_type, headers))


async def encoded(spoken: AsyncIterator[SpokenAudio], encoder: Encoder, off_loop: OffLoop | None) -> AsyncIterator[bytes]:
    """Audio as bytes of a format, as soon as there are some. Without ``off_loop`` encoding costs nothing worth a thread.

    Raises Parameter where nothing was spoken: an empty file would pass for an answer.
    """
    heard = False
    try:
        async for audio in spoken:
            heard = True
            pcm = audio.chunk.pcm
            data = encoder.encode(pcm) if off_loop is None else await off_loop.run(encoder.encode, pcm)
            if data:
                yield data
        if not heard:
            raise Parameter("input", "nothing in this text can be spoken")
        rest = encoder.finish() if off_loop is None else await off_loop.run(encoder.finish)
        if rest:
            yield rest
    finally:
        await spoken.aclose()  # type: ignore[attr-defined]  # an async generator
        encoder.close()


async def _events(audio: AsyncIterator[bytes], words: int, speech: Speech) -> AsyncIterator[bytes]:
    """Tokens upstream are a model's own; here input counts words and output 40 ms of audio each."""
    try:
        async for data in audio:
            yield event(_json(type="speech.audio.delta", audio=base64.b64encode(data).decode()))
        spoken = round(speech.seconds / 0.04)
        usage = {"input_tokens": words, "output_tokens": spoken, "total_tokens": words + spoken}
        yield event(_json(type="speech.audio.done", usage=usage))
    finally:
        await audio.aclose()  # type: ignore[attr-defined]  # an async generator


def _told(error: VivavoceError) -> bytes:
    return event(json.dumps(body_of(error)))


def _json(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"))
