"""The OpenAI door over scripted ports, and a client that can leave in the middle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.unit.transports.described import hooks
from tests.unit.transports.entrances import entrance
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.options import SessionOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.sessions.registry import Sessions
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.transports.http import problems
from vivavoce.transports.http.handler import application
from vivavoce.transports.openai.handler import OpenAIDoor, install
from vivavoce.transports.openai.options import OpenAIOptions
from vivavoce.transports.rates import Rates


@dataclass
class Door:
    """Everything behind one door."""

    options: OpenAIOptions = field(default_factory=OpenAIOptions)
    stt: ScriptedSpeechToText = field(default_factory=lambda: ScriptedSpeechToText(("hello there", "how are you")))
    llm: ScriptedLanguageModel = field(default_factory=lambda: ScriptedLanguageModel(("It is late. Go to bed.",)))
    tts: ScriptedTextToSpeech = field(default_factory=ScriptedTextToSpeech)
    rates: Rates = field(default_factory=lambda: entrance().rates)
    vad: EnergyVoiceActivityDetector = field(default_factory=EnergyVoiceActivityDetector)

    def __post_init__(self) -> None:
        ports = SessionPorts(
            stt=Choice("stt", {"ears": self.stt}),
            llm=Choice("llm", {"mind": self.llm}),
            tts=Choice("tts", {"mouth": self.tts}),
            vad=self.vad,
        )
        sessions = Sessions(ports, SessionOptions(), SystemClock())
        self.door = OpenAIDoor(sessions, self.options, SystemClock(), self.rates)
        self.app = application()
        problems.install(self.app)
        install(self.app, self.door)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """Asks through ASGI; answers come whole, and are held against the description of the routes."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        try:
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8765", event_hooks=hooks(self.app)
            ) as client:
                yield client
        finally:
            self.door.close()

    def visit(self, path: str, body: Any = None, method: str = "POST") -> Visit:
        """A request whose answer is seen piece by piece."""
        return Visit(self.app, path, body, method)


class Visit:
    """One ASGI request that its sender may abandon."""

    def __init__(self, app: Any, path: str, body: Any, method: str) -> None:
        self._app = app
        self._messages: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        self._body: bytes | None = b"" if body is None else json.dumps(body).encode()
        self._scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
            "server": ("127.0.0.1", 8765), "client": ("127.0.0.1", 1),
        }  # fmt: skip
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._news.set()

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        self._news.set()

    async def next(self) -> dict[str, Any]:
        """The next message of the server."""
        async with asyncio.timeout(60):
            while not self._messages:
                self._news.clear()
                await self._news.wait()
            return self._messages.pop(0)

    async def leave(self) -> None:
        """Hang up, and wait until the server has noticed."""
        self._gone.set()
        async with asyncio.timeout(60):
            await asyncio.wait([self.task])
