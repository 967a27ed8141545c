"""The routes."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from vivavoce.contracts.ports import Clock
from vivavoce.flow.threads import OffLoop
from vivavoce.sessions.registry import Sessions
from vivavoce.sessions.speech import SpeechLimits
from vivavoce.sessions.speech_sessions import SpeechSessions
from vivavoce.transports.openai import uploads
from vivavoce.transports.openai.catalogue import Catalogue, Model, SpokenVoice
from vivavoce.transports.openai.chat import ChatRequest, Chatting
from vivavoce.transports.openai.described import CHAT, FAILS, RECORDING, SOUND, TEXT
from vivavoce.transports.openai.errors import Parameter, Route
from vivavoce.transports.openai.incremental import Incremental, routes_of
from vivavoce.transports.openai.options import OpenAIOptions
from vivavoce.transports.openai.schemas import ModelBody, ModelNames, Models, VoiceBody, Voices
from vivavoce.transports.openai.speech import Speaking, SpeechRequest
from vivavoce.transports.openai.transcriptions import Pay, Transcribing
from vivavoce.transports.rates import Rates

CREATED = 1_767_225_600
"""The moment all models claim to have been made: 2026-01-01. Clients want a number; none looks at it."""


@dataclass(slots=True)
class OpenAIDoor:
    """What stands behind the routes. ``close`` ends its threads."""

    sessions: Sessions
    options: OpenAIOptions
    clock: Clock
    rates: Rates
    catalogue: Catalogue = field(init=False)
    off_loop: OffLoop = field(init=False)
    speech_sessions: SpeechSessions = field(init=False)
    incremental: Incremental = field(init=False)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.sessions.ports)
        self.off_loop = OffLoop(self.options.threads, self.options.waiting)
        self.speech_sessions = SpeechSessions(self.options.sessions, self.clock)
        self.incremental = Incremental(self.catalogue, self.speech_sessions, self.off_loop, self.language)

    @property
    def language(self) -> str:
        """Where a request names none."""
        return self.sessions.options.conversation.language

    async def spend(self, request: Request, name: str, amount: int) -> None:
        """Take from the budget of whoever asks. Raises LimitExceeded."""
        await self.rates.spend(name, getattr(request.state, "caller", "unknown"), amount)

    def payer(self, request: Request) -> Pay:
        """Takes seconds of recordings from the budget of whoever asks."""
        return functools.partial(self.spend, request, "seconds")

    async def upload(self, request: Request) -> uploads.Upload:
        """The recording of a request, paid for. Raises Parameter, LimitExceeded."""
        upload = await uploads.read(request, self.options.max_upload)
        await self.spend(request, "upload", len(upload.audio))
        return upload

    def close(self) -> None:
        """Idempotent."""
        self.speech_sessions.close_all()
        self.off_loop.close()


def install(app: FastAPI, door: OpenAIDoor) -> None:
    """Open the door."""
    app.include_router(_speech(door))
    app.include_router(_transcription(door))
    app.include_router(_chat(door))
    app.include_router(routes_of(door.incremental, door.spend))
    app.include_router(_catalogue(door.catalogue))


def _speech(door: OpenAIDoor) -> APIRouter:
    routes = APIRouter(tags=["openai"], route_class=Route)
    limits = SpeechLimits(door.options.max_input, door.options.max_input)
    speaking = Speaking(door.catalogue, limits, door.off_loop, door.language)

    @routes.post("/v1/audio/speech", response_class=Response, responses=SOUND)
    async def speech(body: SpeechRequest, request: Request) -> Response:
        """Text to speech; audio comes while it is spoken."""
        await door.spend(request, "characters", len(body.input))
        return speaking.answer(body)

    return routes


def _transcription(door: OpenAIDoor) -> APIRouter:
    routes = APIRouter(tags=["openai"], route_class=Route)
    transcribing = Transcribing(door.catalogue, door.sessions.ports.vad, door.off_loop, door.language)

    @routes.post("/v1/audio/transcriptions", response_class=Response, responses=TEXT, openapi_extra=RECORDING)
    async def transcriptions(request: Request) -> Response:
        """Speech to text."""
        return await transcribing.answer(await door.upload(request), door.payer(request))

    @routes.post("/v1/audio/translations", response_class=Response, responses=TEXT, openapi_extra=RECORDING)
    async def translations(request: Request) -> Response:
        """Speech of any language to English text, with a recogniser that translates."""
        return await transcribing.answer(await door.upload(request), door.payer(request), translate=True)

    return routes


def _chat(door: OpenAIDoor) -> APIRouter:
    routes = APIRouter(tags=["openai"], route_class=Route)
    chatting = Chatting(door.catalogue, door.clock, door.language)

    @routes.post("/v1/chat/completions", response_class=Response, responses=CHAT)
    async def chat(body: ChatRequest) -> Response:
        """The configured language model, without a memory of its own."""
        return chatting.answer(body)

    return routes


def _catalogue(catalogue: Catalogue) -> APIRouter:
    routes = APIRouter(tags=["openai"], route_class=Route)

    def shown(model: Model) -> ModelBody:
        return ModelBody(id=model.id, created=CREATED, owned_by="vivavoce", kind=model.kind, alias_of=model.alias_of or None)

    def voice(spoken: SpokenVoice) -> VoiceBody:
        name = f"{spoken.id} ({spoken.voice.name})" if spoken.alias else spoken.voice.name
        return VoiceBody(id=spoken.id, name=name, model=spoken.model, language=spoken.voice.language)

    @routes.get("/v1/models")
    async def models() -> Models:
        """Every model name, aliases included."""
        return Models(data=[shown(model) for model in catalogue.models()])

    @routes.get("/v1/audio/models")
    async def audio_models() -> ModelNames:
        """Names of speech models."""
        return ModelNames(models=[shown(model) for model in catalogue.models() if model.kind == "tts"])

    @routes.get("/v1/audio/voices")
    async def voices() -> Voices:
        """Every voice, OpenAI's names included."""
        listed = [voice(spoken) for spoken in catalogue.voices()]
        return Voices(data=listed, voices=listed)

    @routes.get("/v1/models/{name:path}", responses={404: FAILS[404]})
    async def model(name: str) -> ModelBody:
        """One model."""
        for found in catalogue.models():
            if found.id == name:
                return shown(found)
        raise Parameter("model", f"there is no model {name!r}", code="model_not_found")

    return routes
