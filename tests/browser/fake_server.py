"""A server for the page that does what a test says: it serves the built files and plays its side of /ws/audio by hand."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import vivavoce
from vivavoce.transports.http.page import POLICY

BUILT = Path(vivavoce.__file__).parent / "web"
TEST_FILES = Path(__file__).parent / "worklets"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEADER = struct.Struct("<BBHIII")

READY: dict[str, Any] = {
    "type": "ready",
    "session": "s1",
    "version": 1,
    "audio": {
        "input": {"rate": 16_000, "encoding": "pcm_s16le", "channels": 1},
        "output": {"rate": 24_000, "frame_ms": 20, "header_bytes": 16, "encoding": "pcm_s16le", "channels": 1},
    },
    "settings": {
        "language": "en",
        "voice": "en-gb",
        "mode": "auto",
        "stt": "pocketsphinx",
        "llm": "builtin",
        "tts": "espeak-ng",
        "speculation": "local",
        "acknowledge": True,
    },
    "languages": ["en", "de"],
    "providers": {"stt": ["pocketsphinx"], "llm": ["builtin", "scripted"], "tts": ["espeak-ng", "flite"]},
    "voices": [
        {"id": "en-gb", "name": "English (Great Britain)", "language": "en-GB", "gender": None},
        {"id": "en-us", "name": "English (America)", "language": "en-US", "gender": None},
    ],
    "modes": ["auto", "push_to_talk", "manual"],
    "limits": {
        "audio_message_bytes": [2, 1_000_000],
        "text_characters": [1, 5_000],
        "control_messages_per_minute": 120,
        "played_per_second": 50,
        "audio_speed": 1.5,
        "audio_burst_seconds": 5.0,
    },
}

WATERFALL: dict[str, Any] = {
    "speech_stopped": 64.0,
    "turn_scored": 92.0,
    "transcript": 118.0,
    "decision": 204.0,
    "first_token": 126.0,
    "first_sentence": 131.0,
    "first_audio": 138.0,
    "first_sent": 205.0,
    "first_played": 262.0,
    "finished": 2100.0,
    "wait": 110.0,
    "speculated": True,
    "revisions": 1,
    "stt": 118.0,
    "llm": 8.0,
    "tts": 7.0,
    "total": 262.0,
}


class FakeServer:
    """One visitor at a time. ``said`` and ``heard`` keep what the page sent; ``tell`` and ``play`` answer."""

    def __init__(self) -> None:
        self.url = ""
        self.said: list[dict[str, Any]] = []
        self.heard: list[bytes] = []
        self.sessions = 0
        self.refuse: int | None = None
        """Close code every newcomer gets."""
        self.echo = False
        """Answer microphone audio with itself (every sample three times for every two: 16 to 24 kHz)."""
        self.unknown = "none"
        """A provider whose name is refused."""
        self.welcoming = asyncio.Event()
        """Cleared, a hello waits for its answer."""
        self.welcoming.set()
        self._visitor: ServerConnection | None = None
        self._changed = asyncio.Condition()
        self._echoed = 0

    async def tell(self, kind: str, **values: Any) -> None:
        assert self._visitor is not None
        await self._visitor.send(json.dumps({"type": kind, "turn": 1, "revision": 1, "generation": 1, **values}))

    async def play(self, pcm: bytes, offset: int, generation: int = 1) -> None:
        assert self._visitor is not None
        await self._visitor.send(HEADER.pack(1, 0, 1, 1, generation, offset) + pcm)

    async def hang_up(self, code: int) -> None:
        assert self._visitor is not None
        await self._visitor.close(code)

    async def until(self, what: Callable[[], object]) -> None:
        """Wait for something the page sends."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: bool(what())), timeout=30)

    def messages(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.said if message["type"] == kind]

    def played(self, generation: int = 1) -> list[int]:
        return [m["samples"] for m in self.messages("played") if m["generation"] == generation]

    async def visit(self, connection: ServerConnection) -> None:
        if self.refuse is not None:
            await connection.close(self.refuse)
            return
        self._visitor = connection
        try:
            async for data in connection:
                await self._receive(data)
        except ConnectionClosed:
            pass  # a page that is closed by a test says no goodbye

    async def _receive(self, data: str | bytes) -> None:
        async with self._changed:
            if isinstance(data, bytes):
                self.heard.append(data)
                if self.echo:
                    await self._echo(data)
            else:
                message = json.loads(data)
                self.said.append(message)
                await self._answer(message)
            self._changed.notify_all()

    async def _answer(self, message: dict[str, Any]) -> None:
        assert self._visitor is not None
        if message["type"] == "hello" and self.unknown in message.get("provider", {}).values():
            await self.tell("error", code="unknown_provider", message="no such provider", retryable=False)
        elif message["type"] == "hello":
            await self.welcoming.wait()
            self.sessions += 1
            await self._visitor.send(json.dumps({**READY, "session": f"s{self.sessions}"}))
        elif message["type"] == "ping":
            await self._visitor.send(json.dumps({"type": "pong", "id": None}))

    async def _echo(self, pcm: bytes) -> None:
        samples = [pcm[i : i + 2] for i in range(0, len(pcm), 2)]
        longer = b"".join(samples[index * 2 // 3] for index in range(len(samples) * 3 // 2))
        await self.play(longer, self._echoed)
        self._echoed += len(longer) // 2


def _serve_file(_connection: ServerConnection, request: Request) -> Response | None:
    path = request.path.split("?")[0]
    if path == "/ws/audio":
        return None
    name = path.removeprefix("/") or "index.html"
    file = TEST_FILES / name.removeprefix("test/") if name.startswith("test/") else BUILT / name
    if ".." in name or not file.is_file():
        return Response(HTTPStatus.NOT_FOUND, "Not Found", Headers({"Content-Length": "0"}), b"")
    body = file.read_bytes()
    headers = Headers(
        {
            "Content-Type": f"{KINDS[file.suffix]}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": POLICY,
            "Connection": "close",
        }
    )
    return Response(HTTPStatus.OK, "OK", headers, body)


@asynccontextmanager
async def fake_server(port: int = 0) -> AsyncIterator[FakeServer]:
    """Serves on a free port of 127.0.0.1, or on ``port``."""
    server = FakeServer()
    async with serve(server.visit, "127.0.0.1", port, process_request=_serve_file, compression=None) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        yield server
