"""A stage for the Realtime door: a real conversation over scripted ports, and a client that speaks ASGI, on virtual time."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.unit.transports.entrances import entrance
from tests.wire.stage import Client
from vivavoce.audio.resample import Resampler
from vivavoce.contracts.audio import HEARING
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.options import ConversationOptions, SessionOptions
from vivavoce.sessions.ports import Choice, SessionPorts, WakeWords
from vivavoce.sessions.registry import Sessions
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.testing.speech import silence, speech_like
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.realtime.handler import RealtimeDoor

Event = dict[str, Any]
RATE = 24_000
STEP = 0.02


def scripted_ports(
    stt: ScriptedSpeechToText, llm: ScriptedLanguageModel, tts: ScriptedTextToSpeech | None = None
) -> SessionPorts:
    return SessionPorts(
        stt=Choice("stt", {"scripted": stt}),
        llm=Choice("llm", {"scripted": llm}),
        tts=Choice("tts", {"scripted": tts or ScriptedTextToSpeech()}),
        vad=EnergyVoiceActivityDetector(),
        turn=ScriptedTurnDetector(0.95),
    )


@dataclass
class RealtimeStage:
    """One connection and everything behind it. ``events`` are all server events so far, ``at`` their times."""

    stt: ScriptedSpeechToText = field(default_factory=lambda: ScriptedSpeechToText(["what time is it"]))
    llm: ScriptedLanguageModel = field(default_factory=lambda: ScriptedLanguageModel(["It is late. Go to bed."]))
    tts: ScriptedTextToSpeech = field(default_factory=ScriptedTextToSpeech)
    options: ConversationOptions = field(default_factory=ConversationOptions)
    server: ServerOptions = field(default_factory=ServerOptions)
    query: str = "model=gpt-realtime"
    headers: dict[str, str] = field(default_factory=dict)
    entrance: Entrance | None = None
    accepted: bool = True
    wake: WakeWords | None = None

    async def __aenter__(self) -> RealtimeStage:
        self.clock = SystemClock()
        ports = replace(scripted_ports(self.stt, self.llm, self.tts), wake=self.wake)
        self.sessions = Sessions(ports, SessionOptions(conversation=self.options), self.clock)
        self.door = RealtimeDoor(self.sessions, self.server, self.clock, self.entrance or entrance())
        self.client = Client()
        self.events: list[Event] = []
        self.closed: int | None = None
        self._resampler = Resampler(HEARING.rate, RATE)
        raw = [(name.encode(), value.encode()) for name, value in ({"host": "127.0.0.1"} | self.headers).items()]
        scope = {
            "type": "websocket",
            "headers": raw,
            "query_string": self.query.encode(),
            "client": ("127.0.0.1", 1),
            "extensions": {"websocket.http.response": {}},
        }
        self.client._to_server.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.get_running_loop().create_task(self.door(scope, self.client.receive, self.client.send))
        self.first = await self.client.hears()
        if self.accepted:
            assert self.first["type"] == "websocket.accept", self.first
        return self

    async def __aexit__(self, *_: object) -> None:
        self.client.blocked.set()
        self.client.disconnects()
        await asyncio.wait_for(self._serving, 60)
        self.door.close()
        assert len(self.sessions) == 0
        for port in (self.stt, self.llm, self.tts):
            assert port.tally.live == 0, port.tally

    # --- the client ---------------------------------------------------------------------------------------------------

    def say(self, kind: str, **fields: Any) -> None:
        self.client.says({"type": kind, **fields})

    async def update(self, **session: Any) -> Event:
        self.say("session.update", session={"type": "realtime", **session})
        return await self.until("session.updated")

    def append(self, pcm: bytes) -> None:
        self.say("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    async def speak(self, *sounds: float) -> None:
        """To the microphone at the pace of speech: positive seconds are speech, negative ones silence."""
        for seconds in sounds:
            pcm = self._resampler.process(speech_like(seconds) if seconds > 0 else silence(-seconds))
            size = int(RATE * STEP) * 2
            for start in range(0, len(pcm), size):
                self.append(pcm[start : start + size])
                await asyncio.sleep(STEP)
                self.collect()

    def collect(self) -> None:
        """Take what has come so far."""
        while self.client.pending():
            self._take(self.client._from_server.get_nowait())

    async def until(self, kind: str, count: int = 1, seconds: float = 30.0) -> Event:
        """The ``count``-th event of a kind, past ones included."""
        deadline = self.clock.now() + seconds
        while len(self.of(kind)) < count:
            left = deadline - self.clock.now()
            try:
                self._take(await self.client.hears(left))
            except TimeoutError:
                raise AssertionError(f"no {kind}: {self.kinds()}") from None
        return self.of(kind)[count - 1]

    async def settle(self, seconds: float = 5.0) -> None:
        """Let so much time pass."""
        await asyncio.sleep(seconds)
        self.collect()

    def _take(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.closed = message["code"]
            return
        event = json.loads(message["text"])
        assert event["event_id"]
        self.events.append(event)

    # --- what was told ------------------------------------------------------------------------------------------------

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["type"] == kind]

    def kinds(self, *, after: str | None = None) -> list[str]:
        """Types in order, repeated deltas once."""
        found: list[str] = []
        for event in self.events:
            if not (event["type"].endswith(".delta") and event["type"] in found[-2:]):
                found.append(event["type"])
        return found[found.index(after) + 1 :] if after else found

    def audio(self, item: str | None = None) -> bytes:
        deltas = self.of("response.output_audio.delta")
        return b"".join(base64.b64decode(e["delta"]) for e in deltas if item in (None, e["item_id"]))


def messages(requests: Sequence[Any]) -> list[tuple[str, str]]:
    """What a language model was asked, as roles and texts."""
    return [(message.role, message.text) for message in requests]
