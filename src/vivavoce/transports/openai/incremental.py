"""``/v1/speech/sessions``: text appended by one request, spoken in one continuous stream to another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from vivavoce.audio.codecs.encoder import open_encoder
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.speech import SpokenAudio, SynthesisOptions
from vivavoce.flow.threads import OffLoop
from vivavoce.sessions.speech_sessions import SpeechSession, SpeechSessions
from vivavoce.transports.openai.catalogue import Catalogue
from vivavoce.transports.openai.described import APPENDED, CONTINUOUS, OPENED, SESSION
from vivavoce.transports.openai.errors import Route
from vivavoce.transports.openai.speech import CHEAP, RATE, Format, VoiceReference, encoded
from vivavoce.transports.openai.streaming import Made, Streamed

MAX_APPEND = 20_000

Spend = Callable[[Request, str, int], Awaitable[None]]
"""Takes from the budget of whoever asks. Raises LimitExceeded."""


class SessionRequest(BaseModel):
    """How everything of a session is spoken."""

    model_config = ConfigDict(extra="ignore")

    model: str = ""
    voice: str | VoiceReference = ""
    response_format: Format = Field("mp3", validation_alias=AliasChoices("response_format", "format"))
    speed: float = Field(1.0, ge=0.25, le=4.0)
    language: str = ""

    @property
    def voice_name(self) -> str:
        """However it was sent."""
        return self.voice if isinstance(self.voice, str) else self.voice.id


class TextRequest(BaseModel):
    """More text; ``flush`` has it spoken even where it ends in mid-sentence."""

    text: str = Field(max_length=MAX_APPEND)
    flush: bool = False


class SessionBody(BaseModel):
    """The state of a session."""

    id: str
    object: str = "speech.session"
    characters: int = Field(description="Appended so far.")
    waiting: int = Field(description="Characters the voice has not reached.")
    seconds: float = Field(description="Audio sent so far.")
    listening: bool
    media_type: str


class Incremental:
    """The sessions with what a door must remember of each."""

    def __init__(self, catalogue: Catalogue, sessions: SpeechSessions, off_loop: OffLoop, language: str) -> None:
        self._catalogue = catalogue
        self._sessions = sessions
        self._off_loop = off_loop
        self._language = language
        self._formats: dict[str, str] = {}

    def open(self, request: SessionRequest) -> SpeechSession:
        """Raises Parameter, Overloaded, and what the voice raises."""
        language = request.language or self._language
        _, port, voice = self._catalogue.voice(request.model, request.voice_name, language)
        open_encoder(request.response_format, AudioFormat(RATE)).close()  # a missing codec is told now
        session = self._sessions.open(port, SynthesisOptions(voice, language, RATE, request.speed))
        live = {name: form for name, form in self._formats.items() if name in self._sessions}
        self._formats = {**live, session.id: request.response_format}
        return session

    def get(self, id: str) -> SpeechSession:
        """Raises UnknownName."""
        return self._sessions.get(id)

    def body(self, session: SpeechSession) -> SessionBody:
        """For JSON."""
        encoder = open_encoder(self._formats[session.id], AudioFormat(RATE))
        encoder.close()
        return SessionBody(
            id=session.id,
            characters=session.characters,
            waiting=session.waiting,
            seconds=round(session.seconds, 3),
            listening=session.listening,
            media_type=encoder.media_type,
        )

    def audio(self, id: str) -> Made:
        """The continuous stream; the session ends with it. Raises UnknownName, InvalidRequest for a second listener."""
        session = self._sessions.get(id)
        form = self._formats[id]
        encoder = open_encoder(form, AudioFormat(RATE))
        audio = encoded(self._until_over(session), encoder, None if form in CHEAP else self._off_loop)
        return Made(audio, encoder.media_type)

    async def _until_over(self, session: SpeechSession) -> AsyncIterator[SpokenAudio]:
        listening = session.listen()
        try:
            async for audio in listening:
                yield audio
        finally:
            self._sessions.close(session)

    def finish(self, session: SpeechSession) -> None:
        """It is over, however it ended. Idempotent."""
        self._sessions.close(session)

    def close(self, id: str) -> None:
        """Raises UnknownName."""
        self._sessions.close(self._sessions.get(id))


def routes_of(incremental: Incremental, spend: Spend) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/speech/sessions", tags=["speech sessions"], route_class=Route)

    @routes.post("", status_code=201, responses=OPENED)
    async def open_session(body: SessionRequest) -> SessionBody:
        """Begin: then append text and read audio, in any order."""
        return incremental.body(incremental.open(body))

    @routes.get("/{id}", responses=SESSION)
    async def state(id: str) -> SessionBody:
        """How far it is."""
        return incremental.body(incremental.get(id))

    @routes.post("/{id}/text", status_code=202, responses=APPENDED)
    async def append(id: str, body: TextRequest, request: Request) -> SessionBody:
        """Append text. Waits while the voice is far behind; 429 when it stays behind."""
        session = incremental.get(id)
        await spend(request, "characters", len(body.text))
        await session.append(body.text, flush=body.flush)
        return incremental.body(session)

    @routes.get("/{id}/audio", response_class=Response, responses=CONTINUOUS)
    async def audio(id: str) -> Response:
        """One continuous stream while text arrives, until the session is ended."""
        return Streamed(incremental.audio(id))

    @routes.post("/{id}/end", status_code=202, responses=SESSION)
    async def end(id: str) -> SessionBody:
        """No more text: the stream ends behind the last word."""
        session = incremental.get(id)
        session.end()
        return incremental.body(session)

    @routes.delete("/{id}", status_code=204, responses=SESSION)
    async def cancel(id: str) -> None:
        """Silence, at once."""
        incremental.close(id)

    return routes
