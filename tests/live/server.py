"""A real server in a process of its own, and a client that speaks to it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.request import urlopen

import websockets

from tests.conftest import require

STARTS_WITHIN = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spoken(folder: Path, text: str, voice: str = "rms") -> bytes:
    """``text`` as 16 kHz PCM, spoken by flite."""
    require(shutil.which("flite"), "flite is not installed (Debian: apt-get install flite)")
    path = folder / "spoken.wav"
    subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True)
    with wave.open(str(path)) as recording:
        return recording.readframes(recording.getnframes())


@dataclass
class LiveServer:
    port: int
    process: asyncio.subprocess.Process
    trust: ssl.SSLContext | None = None
    """Of those who ask it, where it speaks TLS."""

    @property
    def url(self) -> str:
        return f"http{'s' if self.trust else ''}://127.0.0.1:{self.port}"

    async def get(self, path: str) -> Any:
        def fetch() -> Any:
            with urlopen(self.url + path, timeout=10, context=self.trust) as answer:
                return json.load(answer)

        return await asyncio.to_thread(fetch)

    async def workers(self) -> dict[str, dict[str, Any]]:
        return {worker["group"]: worker for worker in (await self.get("/api/status"))["workers"]}

    async def kill_worker(self, group: str) -> int:
        pid = int((await self.workers())[group]["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid


@asynccontextmanager
async def live_server(
    *arguments: str, trust: ssl.SSLContext | None = None, log: BinaryIO | None = None
) -> AsyncIterator[LiveServer]:
    port = free_port()
    # The keys of whoever runs the tests are none of theirs.
    own = ("--set", f"server.keys_file={tempfile.gettempdir()}/vivavoce-{port}-keys.json", *arguments)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vivavoce", "serve", "--port", str(port), *own, stdin=subprocess.DEVNULL, stderr=log
    )
    server = LiveServer(port, process, trust)
    try:
        for _ in range(round(STARTS_WITHIN / 0.1)):
            assert process.returncode is None, "the server did not start"
            try:
                if (await server.get("/health"))["ready"]:
                    break
            except OSError:
                await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"the server was not ready within {STARTS_WITHIN:.0f} s")
        yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


@dataclass
class Client:
    """One WebSocket session: a microphone at real-time pace, and everything the server said."""

    socket: Any
    steady: bool = False
    """Whether the microphone never stops: each piece goes on at the time the last one ended, so that what a busy machine
    held up is caught up with and the stream falls no further behind with every piece."""
    due: float = 0.0
    events: list[dict[str, Any]] = field(default_factory=list)
    audio: list[bytes] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        async for message in self.socket:
            if isinstance(message, bytes):
                self.audio.append(message)
            else:
                self.events.append(json.loads(message))
            self.changed.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def until(self, kind: str, count: int = 1, seconds: float = 30.0) -> dict[str, Any]:
        """Keep the microphone running in silence until so many events of a kind have come."""
        for _ in range(round(seconds / 0.1)):
            if len(self.of(kind)) >= count:
                return self.of(kind)[count - 1]
            await self.hear(bytes(3200))
        raise AssertionError(f"no {kind}: {self.events}")

    async def hear(self, pcm: bytes) -> None:
        loop = asyncio.get_running_loop()
        if not self.steady or not self.due:
            self.due = loop.time()
        for start in range(0, len(pcm), 640):
            self.due += 0.02
            await asyncio.sleep(max(0.0, self.due - loop.time()))
            await self.socket.send(pcm[start : start + 640])

    async def say(self, message: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(message))


@asynccontextmanager
async def session(server: LiveServer, **hello: Any) -> AsyncIterator[Client]:
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/ws/audio", compression=None) as socket_:
        client = Client(socket_)
        reading = asyncio.ensure_future(client.read())
        await client.say({"type": "hello", **hello})
        while not client.of("ready"):
            client.changed.clear()
            await asyncio.wait_for(client.changed.wait(), 10)
        try:
            yield client
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
