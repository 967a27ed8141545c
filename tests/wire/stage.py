"""A session that only does what the script says, and a client that speaks ASGI: the wire between them is the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.unit.transports.entrances import entrance
from vivavoce.contracts.audio import AudioChunk, ReplyAudio, Stamp
from vivavoce.contracts.errors import InvalidText, UnknownName
from vivavoce.contracts.events import SessionEvent
from vivavoce.contracts.ports import AudioSink, EventListener
from vivavoce.contracts.speech import Capabilities, Voice
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.absence import Absence
from vivavoce.sessions.conversation import AudioStatistics, Conversation
from vivavoce.sessions.inspection import Inspection
from vivavoce.sessions.options import ConversationOptions, Mode, SessionOptions
from vivavoce.sessions.ports import Choice, ProviderKind, SessionPorts
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.ws.handler import WebSocketDoor

SESSION = "sess_golden"


class NamedPort:
    """A port of which only the name and the voices matter."""

    def __init__(self, name: str, voices: tuple[Voice, ...] = ()) -> None:
        self.capabilities = Capabilities(name=name, voices=voices)


def ports() -> SessionPorts:
    voices = (Voice("anna", "Anna", "en", "female"), Voice("lucia", "Lucía", "es", "female"))
    kinds: dict[str, Any] = {
        "stt": Choice("stt", {"ears": NamedPort("ears"), "spare": NamedPort("spare")}),
        "llm": Choice("llm", {"mind": NamedPort("mind")}),
        "tts": Choice("tts", {"voice": NamedPort("voice", voices)}),
    }
    return SessionPorts(vad=NamedPort("vad"), languages=("en", "es"), **kinds)  # type: ignore[arg-type]


class ScriptedAbsence(Absence):
    """Writes down when the client is away and back."""

    def __init__(self, called: Callable[..., None]) -> None:
        self._called = called

    def begin(self) -> None:
        self._called("detach")

    def end(self, generation: int | None, samples: int) -> None:
        self._called("attach", generation, samples)


class ScriptedInspection(Inspection):
    """Counts what the door refused."""

    def __init__(self) -> None:
        self.refused_samples = 0

    def refused(self, samples: int) -> None:
        self.refused_samples += samples


class ScriptedConversation(Conversation):
    """Writes down what it is told; ``react`` is called with each call and may emit events or audio."""

    def __init__(self, options: ConversationOptions, sink: AudioSink, listener: EventListener, session: str) -> None:
        self.session = session
        self.absence = ScriptedAbsence(self._called)
        self.inspect = ScriptedInspection()
        self.options = options
        self.sink = sink
        self.emit: Callable[[SessionEvent], None] = listener
        self.calls: list[tuple[Any, ...]] = []
        self.closed = 0
        self.react: Callable[[tuple[Any, ...]], None] = lambda call: None

    def _called(self, *call: Any) -> None:
        self.calls.append(call)
        self.react(call)

    def say(self, stamp: Stamp, samples: int, offset: int = 0, value: int = 0) -> None:
        pcm = value.to_bytes(2, "little", signed=True) * samples
        self.sink.write(ReplyAudio(stamp, AudioChunk(pcm, self.sink.format, offset)))

    async def start(self) -> None:
        self._called("start")
        await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.closed += 1

    def hear(self, pcm: bytes) -> None:
        self._called("hear", len(pcm))

    def commit(self) -> None:
        self._called("commit")

    def interrupt(self) -> None:
        self._called("interrupt")

    def type(self, text: str) -> None:
        if text == "forbidden":
            raise InvalidText("say something else")
        self._called("type", text)

    def played(self, generation: int, samples: int) -> None:
        self._called("played", generation, samples)

    def set_language(self, language: str) -> None:
        self._called("set_language", language)

    def set_voice(self, voice: str) -> None:
        if voice not in ("anna", "lucia"):
            raise UnknownName(f"no voice {voice!r}; there is anna, lucia", code="unknown_voice")
        self._called("set_voice", voice)

    def set_mode(self, mode: Mode) -> None:
        self._called("set_mode", mode)

    def set_provider(self, kind: ProviderKind, name: str) -> None:
        self._called("set_provider", kind, name)

    def reset(self) -> None:
        self._called("reset")

    @property
    def statistics(self) -> AudioStatistics:
        return AudioStatistics(frames=sum(call[0] == "hear" for call in self.calls))


class ScriptedSessions(Sessions):
    """The real registry's admission, with scripted conversations."""

    def __init__(self, options: SessionOptions | None = None) -> None:
        super().__init__(ports(), options or SessionOptions(), SystemClock())
        self.conversations: list[ScriptedConversation] = []
        self.refusal: Exception | None = None
        self.react: Callable[[tuple[Any, ...]], None] = lambda call: None

    async def open(
        self, transport: str, options: ConversationOptions, sink: AudioSink, listener: EventListener
    ) -> Conversation:
        if self.refusal is not None:
            raise self.refusal
        if self._draining or (len(self._live) >= self.options.max_sessions and not self._give_way()):
            return await super().open(transport, options, sink, listener)
        session = f"{SESSION}{len(self.conversations) or ''}"
        conversation = ScriptedConversation(options, sink, listener, session)
        conversation.react = self.react
        self.conversations.append(conversation)
        self._live[session] = (transport, 0.0, conversation)
        try:
            await conversation.start()
        except BaseException:  # as the real registry does it: whoever asked for it may be gone meanwhile
            await self.close(conversation)
            raise
        return conversation


class Client:
    """The other end of the wire: puts what the client says, collects what the server sends."""

    def __init__(self) -> None:
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.blocked = asyncio.Event()
        self.blocked.set()
        self.closed: int | None = None

    async def receive(self) -> dict[str, Any]:
        return await self._to_server.get()

    async def send(self, message: Any) -> None:
        await self.blocked.wait()
        self._from_server.put_nowait(dict(message))
        if message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
            self._to_server.put_nowait({"type": "websocket.disconnect", "code": self.closed})

    def says(self, message: Any) -> None:
        self._to_server.put_nowait({"type": "websocket.receive", **_framed(message)})

    def disconnects(self, code: int = 1000) -> None:
        """Close the connection, or (1006) lose it."""
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": code})

    async def hears(self, seconds: float = 5.0) -> dict[str, Any]:
        """The next raw ASGI message from the server."""
        return await asyncio.wait_for(self._from_server.get(), seconds)

    async def json(self, kind: str | None = None, seconds: float = 5.0) -> dict[str, Any]:
        """The next JSON message; with ``kind``, the next of that type."""
        while True:
            message = await self.hears(seconds)
            if "text" not in message:
                assert kind is not None, f"no JSON: {message}"
                continue
            import json

            found: dict[str, Any] = json.loads(message["text"])
            if kind is None or found["type"] == kind:
                return found

    def pending(self) -> int:
        return self._from_server.qsize()


def _framed(message: Any) -> dict[str, Any]:
    import json

    if isinstance(message, bytes):
        return {"bytes": message}
    return {"text": message if isinstance(message, str) else json.dumps(message)}


@asynccontextmanager
async def connected(
    sessions: Sessions,
    options: ServerOptions | None = None,
    *,
    headers: dict[str, str] | None = None,
    door: WebSocketDoor | None = None,
    accept: bool = True,
    observer: EventListener | None = None,
) -> AsyncIterator[Client]:
    """A client connected to a door; on leaving it disconnects and the door has to end by itself."""
    client = Client()
    door = (
        door
        if door is not None
        else WebSocketDoor(sessions, options or ServerOptions(), SystemClock(), entrance(), observer)
    )
    raw = [(name.encode(), value.encode()) for name, value in ({"host": "127.0.0.1:8765"} | (headers or {})).items()]
    scope = {"type": "websocket", "headers": raw, "extensions": {"websocket.http.response": {}}}
    client._to_server.put_nowait({"type": "websocket.connect"})
    serving = asyncio.get_running_loop().create_task(door(scope, client.receive, client.send))
    try:
        if accept:
            assert (await client.hears())["type"] == "websocket.accept"
        yield client
    finally:
        client.blocked.set()
        client.disconnects()
        await asyncio.wait_for(serving, 30)


def quick(options: ServerOptions | None = None, **limits: Any) -> ServerOptions:
    """Server options with other socket limits."""
    options = options or ServerOptions()
    return replace(options, sockets=replace(options.sockets, **limits))


STAMP = Stamp(1, 1, 1)
