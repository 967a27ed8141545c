"""All HTTP doors as one document, made from the code."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vivavoce.flow.clock import SystemClock
from vivavoce.media.calls import MediaCalls
from vivavoce.media.options import WebRtcOptions
from vivavoce.sessions.options import SessionOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.http.handler import Behind, application, install
from vivavoce.transports.http.page import Page
from vivavoce.transports.http.schemas import ProviderStatus, State, WorkerStatus
from vivavoce.transports.openai import handler as openai
from vivavoce.transports.openai.options import OpenAIOptions
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.realtime.routes import routes_of
from vivavoce.transports.webrtc.handler import WebRtcDoor
from vivavoce.transports.webrtc.routes import routes_of as webrtc_routes


class _Nothing:
    """Stands for everything behind the door while only the door is described."""

    state: State = "ok"
    uptime = 0.0

    def workers(self) -> Sequence[WorkerStatus]:
        return ()

    def providers(self) -> Sequence[ProviderStatus]:
        return ()

    def snapshot(self) -> Mapping[str, Any]:
        return {}


def openapi_text() -> str:
    """``docs/reference/openapi.json``; the version is left out, so that a release does not change it."""
    nothing: Any = _Nothing()
    ports = SessionPorts(Choice("stt", {}), Choice("llm", {}), Choice("tts", {}), vad=nothing)
    sessions = Sessions(ports, SessionOptions(), SystemClock())
    app = application()
    openai.install(app, openai.OpenAIDoor(sessions, OpenAIOptions(), SystemClock(), nothing))
    media = MediaCalls(WebRtcOptions(), SystemClock())
    calls = WebRtcDoor(sessions, ServerOptions(), SystemClock(), nothing, media)
    app.include_router(webrtc_routes(calls, dict))
    app.include_router(routes_of(nothing, SystemClock(), dict))
    install(app, Behind(sessions, nothing, nothing, ServerOptions(), Page(Path("/nonexistent")), nothing, nothing, nothing))
    document = app.openapi()
    document["info"]["version"] = "0"
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(openapi_text())
