"""One person on ``/v1/realtime``: speaks recordings at the pace of a microphone, notes when the reply begins."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.line import TEXT, Socket, connect, frame
from bench.speech import RATE, Utterance, ambient
from vivavoce.audio.resample import resample

PATH = "/v1/realtime?model=gpt-realtime"
WIRE_RATE = 24_000
TICK = 0.02
LISTEN = 0.6
"""Seconds of a reply that are heard before it is cut."""
PATIENCE = 10.0
GAP = 0.65


@dataclass(slots=True)
class Talk:
    """Milliseconds from the last speech sample to the first audio of the reply; replies that began before it."""

    waits: list[float] = field(default_factory=list)
    premature: int = 0
    unanswered: int = 0


async def idle(port: int) -> Socket:
    """A session in which nobody speaks."""
    created = asyncio.get_running_loop().create_future()

    def message(_kind: int, payload: bytes) -> None:
        if not created.done() and json.loads(payload)["type"] == "session.created":
            created.set_result(None)

    socket = await connect(port, message, PATH)
    await asyncio.wait_for(created, 30)
    return socket


async def hold(port: int, utterances: Sequence[Utterance], detection: dict[str, Any]) -> Talk:
    """A call with each utterance once."""
    call = _Call(detection)
    await call.open(port)
    try:
        for utterance in utterances:
            await call.turn(utterance)
    finally:
        call.close()
    return call.talk


class _Call:
    def __init__(self, detection: dict[str, Any]) -> None:
        self._detection = detection
        self._socket: Socket | None = None
        self._news = asyncio.Event()
        self._seen: dict[str, float] = {}
        self._due = 0.0
        noise = resample(ambient(2.0).tobytes(), RATE, WIRE_RATE)
        size = round(WIRE_RATE * TICK) * 2
        self._quiet = [_appended(noise[at : at + size]) for at in range(0, len(noise) - size + 1, size)]
        self._ticks = 0
        self.talk = Talk()

    async def open(self, port: int) -> None:
        self._socket = await connect(port, self._message, PATH)
        listening = {"turn_detection": self._detection}
        self._say("session.update", session={"type": "realtime", "audio": {"input": listening}})
        await self._until("session.updated", PATIENCE)
        self._due = time.monotonic()
        for _ in range(25):
            await self._tick(None)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    async def turn(self, utterance: Utterance) -> None:
        """Speak, wait for the reply, hear a little of it, cut it, and be quiet for a while."""
        self._seen.clear()
        size = round(RATE * TICK) * 2
        spoken = _noisy(utterance)
        began = self._due
        wire = resample(spoken + bytes(-len(spoken) % size), RATE, WIRE_RATE)
        step = round(WIRE_RATE * TICK) * 2
        for at in range(0, len(wire), step):
            await self._tick(_appended(wire[at : at + step]))
        end = began + utterance.end / RATE
        give_up = end + PATIENCE
        while "response.output_audio.delta" not in self._seen and time.monotonic() < give_up:
            await self._tick(None)
        first = self._seen.get("response.output_audio.delta")
        if first is None:
            self.talk.unanswered += 1
        elif first < end:
            self.talk.premature += 1
        else:
            self.talk.waits.append(1000 * (first - end))
        for _ in range(round(LISTEN / TICK)):
            await self._tick(None)
        if "response.done" not in self._seen:
            self._say("response.cancel")
        for _ in range(round(GAP / TICK)):
            await self._tick(None)

    async def _tick(self, framed: bytes | None) -> None:
        self._due += TICK
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        self._ticks += 1
        assert self._socket is not None
        self._socket.send(framed or self._quiet[self._ticks % len(self._quiet)])

    def _say(self, kind: str, **fields: Any) -> None:
        assert self._socket is not None
        self._socket.send(frame(TEXT, json.dumps({"type": kind, **fields}).encode()))

    def _message(self, _kind: int, payload: bytes) -> None:
        now = time.monotonic()
        # Deltas are most of it and are not read: the type comes first.
        kind = (
            payload[10:60].partition(b'"')[0].decode() if payload.startswith(b'{"type": "') else json.loads(payload)["type"]
        )
        if kind == "response.created":
            self._seen.pop("response.done", None)  # of the one before, which the caller spoke over
        self._seen.setdefault(kind, now)
        self._news.set()

    async def _until(self, kind: str, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while kind not in self._seen:
                self._news.clear()
                await self._news.wait()


def _noisy(utterance: Utterance) -> bytes:
    samples = np.frombuffer(utterance.pcm, "<i2").astype(np.int32)
    noise = np.resize(ambient(2.0), len(samples))
    return np.clip(samples + noise, -32_768, 32_767).astype("<i2").tobytes()


def _appended(pcm: bytes) -> bytes:
    event = {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}
    return frame(TEXT, json.dumps(event).encode())
