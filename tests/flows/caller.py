"""A client on `/ws/audio` by the rules of the protocol: it speaks, plays, acknowledges, loses its connection, comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.wire.stage import Client
from vivavoce.contracts.audio import Stamp
from vivavoce.flow.clock import SystemClock
from vivavoce.testing.sinks import LoopbackSink
from vivavoce.testing.speech import silence, speech_like
from vivavoce.transports.ws.handler import WebSocketDoor
from vivavoce.transports.ws.protocol import decode_audio

CHUNK = 640
RING = 10 * 32_000
"""Bytes of microphone audio a client keeps for its return."""


class Caller:
    """One session over any number of connections. Its microphone never stops."""

    def __init__(self, door: WebSocketDoor, hello: dict[str, Any]) -> None:
        self._door = door
        self._hello = hello
        self._clock = SystemClock()
        self.ear = LoopbackSink(self._clock, on_played=self._played)
        self.events: list[dict[str, Any]] = []
        self.resumed: list[dict[str, Any]] = []
        self.held: dict[int, int] = {}
        self.spoken = bytearray()
        self.ready: dict[str, Any] = {}
        self._token = ""
        self._wire: Client | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    # --- connections

    async def connect(self) -> None:
        wire = self._begin()
        wire.says({"type": "hello", **self._hello})
        await self.until("ready")

    async def back(self) -> None:
        """Resume on a new connection, then send what was spoken meanwhile."""
        wire = self._begin()
        newest = max(self.held, default=None)
        count = len(self.resumed)
        wire.says(
            {
                "type": "resume", "session": self.ready["session"], "token": self._token, "seq": self.seq,
                "generation": newest, "samples": 0 if newest is None else self.held[newest],
            }
        )  # fmt: skip
        while len(self.resumed) == count:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 5)
        received = self.resumed[-1]["input_samples"] * 2
        backlog = bytes(self.spoken[max(received, len(self.spoken) - RING) :])
        for start in range(0, len(backlog), 3_200):
            wire.says(backlog[start : start + 3_200])
        self._wire = wire
        if newest is not None:
            self._played(newest, self.ear.played(newest))

    def cut(self) -> None:
        """What is under way in either direction is lost."""
        assert self._wire is not None
        self._wire.disconnects(1006)
        self._tasks[-1].cancel()
        self._wire = None

    def vanish(self) -> None:
        """The same, and the server is not told: the network swallows everything."""
        self._tasks[-1].cancel()
        self._wire = None

    async def goodbye(self) -> None:
        if self._wire is not None:
            self._wire.says({"type": "goodbye"})
        await asyncio.sleep(1)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ear.close()

    def _begin(self) -> Client:
        wire = Client()
        loop = asyncio.get_running_loop()
        wire._to_server.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "headers": [(b"host", b"127.0.0.1")], "extensions": {}}
        serving = loop.create_task(self._door(scope, wire.receive, wire.send))
        self._tasks += [serving, loop.create_task(self._read(wire))]
        if not self.ready:
            self._wire = wire
        return wire

    # --- hearing

    async def _read(self, wire: Client) -> None:
        while True:
            message = await wire._from_server.get()
            if message.get("text") is not None:
                self._told(json.loads(message["text"]))
            elif message.get("bytes") is not None:
                self._hears(message["bytes"])
            self._changed.set()

    def _told(self, event: dict[str, Any]) -> None:
        if event.get("resume"):
            self._token = event["resume"]["token"]
        if event["type"] == "session_resumed":
            assert event["seq"] == self.seq
            self.resumed.append(event)
            return
        assert event["seq"] == self.seq + 1, "no message is missing and none comes twice"
        self.events.append(event)
        match event["type"]:
            case "ready":
                self.ready = event
            case "paused":
                self.ear.pause(_stamp(event))
            case "resumed":
                self.ear.resume(_stamp(event))
            case "interrupted":
                self.ear.clear(_stamp(event))

    def _hears(self, frame: bytes) -> None:
        audio = decode_audio(frame, 24_000)
        generation = audio.stamp.generation
        assert audio.chunk.offset == self.held.get(generation, 0), "no sample is missing and none comes twice"
        self.held[generation] = audio.chunk.end
        self.ear.write(audio)

    def _played(self, generation: int, samples: int) -> None:
        if self._wire is not None and self._hello.get("acknowledge"):
            self._wire.says({"type": "played", "generation": generation, "samples": samples})

    @property
    def seq(self) -> int:
        return self.events[-1]["seq"] if self.events else 0

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def until(self, kind: str, count: int = 1, seconds: float = 60.0) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while len(self.of(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.of(kind)[count - 1]

    # --- speaking

    async def speak(self, *seconds: float) -> None:
        """Positive seconds are speech, negative ones silence, at real-time pace."""
        for length in seconds:
            pcm = speech_like(length) if length > 0 else silence(-length)
            for start in range(0, len(pcm), CHUNK):
                await asyncio.sleep(0.02)
                chunk = pcm[start : start + CHUNK]
                self.spoken += chunk
                if self._wire is not None:
                    self._wire.says(chunk)

    async def listen(self, kind: str, count: int = 1, limit: float = 60.0) -> dict[str, Any]:
        """Keep the microphone running in silence until so many events of a kind came."""
        for _ in range(round(limit / 0.1)):
            if len(self.of(kind)) >= count:
                return self.of(kind)[count - 1]
            await self.speak(-0.1)
        raise AssertionError(f"no {kind}: {self.events}")

    def say(self, message: dict[str, Any]) -> None:
        assert self._wire is not None
        self._wire.says(message)


def _stamp(event: dict[str, Any]) -> Stamp:
    return Stamp(event["turn"], event["revision"], event["generation"])


@asynccontextmanager
async def calling(door: WebSocketDoor, **hello: Any) -> AsyncIterator[Caller]:
    caller = Caller(door, {"acknowledge": True, **hello})
    await caller.connect()
    try:
        yield caller
    finally:
        await caller.goodbye()
