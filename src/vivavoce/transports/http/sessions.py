"""Live sessions over HTTP: who is there, how they are heard, and the door for those who are to go."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from vivavoce.contracts.audio import HEARING
from vivavoce.sessions.conversation import AudioStatistics
from vivavoce.sessions.inspection import SettingsInForce
from vivavoce.sessions.registry import SessionInfo, Sessions
from vivavoce.sessions.turn_messages import Activity
from vivavoce.transports.http.schemas import ErrorBody

_Answers = dict[int | str, dict[str, Any]]
_FOREIGN: _Answers = {
    401: {"model": ErrorBody, "description": "No key, or a wrong one."},
    403: {"model": ErrorBody, "description": "A key without the scope `admin`, or a foreign Host or Origin."},
}
_UNKNOWN: _Answers = {404: {"model": ErrorBody, "description": "No session has this identifier (any more)."}, **_FOREIGN}
DISMISSED = "the people who run this server have ended the session"


class SessionReport(BaseModel):
    """One live session."""

    id: str
    transport: str = Field(description="`websocket` or `realtime`, for instance.")
    state: Activity = Field(description="What goes on: `paused` is a reply that stands still while somebody speaks over it.")
    attached: bool = Field(description="Whether its client is there; false while the session waits for it to come back.")
    age: float = Field(description="Seconds since it was opened.")
    received_samples: int = Field(description="From the microphone, at 16 kHz.")
    sent_samples: int = Field(description="Of replies, at the rate the client asked for.")
    dropped_samples: int = Field(description="From the microphone, refused because they came too fast; at 16 kHz.")
    late_frames: int = Field(description="From the microphone, that came more than 250 ms behind their time.")
    audio: AudioStatistics = Field(description="The microphone so far: levels in dBFS, times in seconds.")
    settings: SettingsInForce


class SessionList(BaseModel):
    """Every live session, the oldest first."""

    sessions: list[SessionReport]
    max: int = Field(description="Sessions at one time.")
    detached: int = Field(description="Those that wait for their client.")


def sessions_router(sessions: Sessions) -> APIRouter:
    """The routes below ``/api/sessions``."""
    routes = APIRouter(prefix="/api/sessions", tags=["sessions"])

    @routes.get("", responses=_FOREIGN)
    async def overview() -> SessionList:
        """Who is there: what goes on, how the microphone is heard, what settings are in force."""
        return SessionList(
            sessions=[_report(info) for info in sessions],
            max=sessions.options.max_sessions,
            detached=sessions.detached,
        )

    @routes.delete("/{id}", responses=_UNKNOWN)
    async def end(
        id: str,
        reason: Annotated[str, Query(min_length=1, max_length=200, description="What the client is told.")] = DISMISSED,
    ) -> SessionReport:
        """End a session. Its client gets an `error` with the code `session_ended` and the reason, and is disconnected.

        The answer is what it was like.
        """
        info = sessions.find(id)
        last = _report(info)
        info.conversation.inspect.end(reason)
        return last

    return routes


def _report(info: SessionInfo) -> SessionReport:
    conversation, inspect = info.conversation, info.conversation.inspect
    audio = conversation.statistics
    return SessionReport(
        id=info.id,
        transport=info.transport,
        state=inspect.activity,
        attached=info.attached,
        age=info.age,
        received_samples=audio.bytes // HEARING.frame_width,
        sent_samples=inspect.sent,
        dropped_samples=audio.refused,
        late_frames=audio.late,
        audio=audio,
        settings=inspect.settings,
    )
