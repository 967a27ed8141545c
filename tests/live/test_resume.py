"""A real server with its real engines, and a wire that is cut: in mid-word, in mid-reply, several times in a row."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.live.server import live_server, spoken
from tests.live.wire_cutter import WireCutter, wire_cutter

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

CHUNK = 640
PATIENT = [f"--set=sessions.conversation.watchdogs.{name}=60" for name in ("transcript", "first_token", "first_audio")]
"""On a busy machine the recogniser takes its time, and nobody is to lose patience: this is not about speed."""


class Caller:
    """A client that comes back by itself whenever its connection is lost, and whose microphone never stops."""

    def __init__(self, port: int) -> None:
        self._url = f"ws://127.0.0.1:{port}/ws/audio"
        self.events: list[dict[str, Any]] = []
        self.audio: dict[int, bytes] = {}
        self.resumed = 0
        self.away = 0.3
        self._spoken = bytearray()
        self._sent = 0
        self._socket: Any = None
        self._ready: dict[str, Any] = {}
        self._token = ""

    async def live(self) -> None:
        while True:
            with suppress(OSError, websockets.ConnectionClosed, EOFError):
                async with websockets.connect(self._url, compression=None) as socket:
                    await self._begin(socket)
                    async for message in socket:
                        self._take(message)
            self._socket = None
            await asyncio.sleep(self.away)

    async def _begin(self, socket: Any) -> None:
        if not self._ready:
            await socket.send(json.dumps({"type": "hello", "acknowledge": True}))
            self._take(await socket.recv())
        else:
            newest = max(self.audio, default=None)
            samples = 0 if newest is None else len(self.audio[newest]) // 2
            wish = {
                "type": "resume", "session": self._ready["session"], "token": self._token, "seq": self.events[-1]["seq"],
                "generation": newest, "samples": samples,
            }  # fmt: skip
            await socket.send(json.dumps(wish))
            answer = json.loads(await socket.recv())
            assert answer["type"] == "session_resumed", answer
            self._token, self._sent = answer["resume"]["token"], 2 * answer["input_samples"]
            self.resumed += 1
        self._socket = socket

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            generation, offset = struct.unpack_from("<II", message, 8)
            held = self.audio.get(generation, b"")
            assert offset == len(held) // 2, "no sample is missing and none comes twice"
            self.audio[generation] = held + message[16:]
            return
        event = json.loads(message)
        assert event["seq"] == (self.events[-1]["seq"] + 1 if self.events else 1), "no message is missing"
        self.events.append(event)
        if event["type"] == "ready":
            self._ready, self._token = event, event["resume"]["token"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def speak(self, pcm: bytes) -> None:
        """At real-time pace; an ear plays what has come, and says so."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for start in range(0, len(pcm), CHUNK):
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._spoken += pcm[start : start + CHUNK]
            socket = self._socket
            if socket is None:
                continue
            with suppress(websockets.ConnectionClosed):
                backlog = bytes(self._spoken[self._sent :])
                self._sent += len(backlog)
                for piece in range(0, len(backlog), 6_400):
                    await socket.send(backlog[piece : piece + 6_400])
                if self.audio:
                    newest = max(self.audio)
                    played = {"type": "played", "generation": newest, "samples": len(self.audio[newest]) // 2}
                    if len(self._spoken) // CHUNK % 8 == 0:
                        await socket.send(json.dumps(played))

    async def until(self, kind: str, seconds: float = 40.0) -> dict[str, Any]:
        for _ in range(round(seconds / 0.1)):
            if self.of(kind):
                return self.of(kind)[0]
            await self.speak(bytes(3_200))
        raise AssertionError(f"no {kind}: {self.events}")


async def _cutting(cutter: WireCutter, caller: Caller, times: int) -> None:
    """Cut again as soon as the client is back and has taken a few thousand bytes more."""
    for n in range(times):
        cutter.cut_after = 3_001 + 977 * n
        while cutter.cut_after is not None or caller.resumed <= n:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_cut_in_mid_word_and_in_mid_reply(tmp_path: Path) -> None:
    question = spoken(tmp_path, "what is twelve times twelve")
    async with live_server(*PATIENT) as server, wire_cutter(server.port) as cutter:
        victim, other = Caller(cutter.port), Caller(server.port)
        living = [asyncio.ensure_future(caller.live()) for caller in (victim, other)]
        await asyncio.gather(victim.until("ready"), other.until("ready"))
        half = len(question) // 4 * 2

        async def cut_in_mid_word() -> None:
            await victim.speak(bytes(9_600) + question[:half])
            cutter.cut()
            await victim.speak(question[half:])

        await asyncio.gather(cut_in_mid_word(), other.speak(bytes(9_600) + question))
        await asyncio.gather(victim.until("reply_started"), other.until("reply_started"))
        sabotage = asyncio.ensure_future(_cutting(cutter, victim, 4))
        done, undisturbed = await asyncio.gather(victim.until("response_complete"), other.until("response_complete"))
        sabotage.cancel()
        await asyncio.gather(sabotage, return_exceptions=True)
        finals = [[event["text"] for event in caller.of("transcription") if event["final"]] for caller in (victim, other)]
        assert finals == [["what is twelve times twelve"]] * 2, "the word that was cut is whole"
        assert done["text"] == undisturbed["text"] and "144" in done["text"] and not done["interrupted"]
        lengths = [len(caller.audio[max(caller.audio)]) for caller in (victim, other)]
        assert abs(lengths[0] - lengths[1]) <= 9_600, "the same words take the same time, and no sample was missing"
        assert victim.resumed >= 3 and other.resumed == 0
        gauges = (await server.get("/api/metrics"))["gauges"]
        assert gauges["socket.resumed"] == victim.resumed and gauges["socket.resume_refused"] == 0
        for task in living:
            task.cancel()
        await asyncio.gather(*living, return_exceptions=True)
