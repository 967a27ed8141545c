"""A local server of the OpenAI API on a real socket, whose failures can be scripted and which records what it saw.

``OpenAiServer`` is an async context manager. ``troubles`` are used up one a request, in order; a request without one is
answered properly. ``None`` in the list lets a request pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vivavoce.testing.speaking import tone_pcm

Json = dict[str, Any]
Failure = Literal[
    "hang",  # no answer
    "status",  # an error status
    "reset",  # the connection is reset before the answer
    "drop",  # the connection is closed before the answer
    "hang_later",  # the answer stops in the middle and the connection stays
    "truncated",  # the connection ends in the middle of the answer
    "reset_later",  # the connection is reset in the middle of the answer
    "broken",  # an event that is not JSON, or half a sample
    "error_event",  # an error object in the middle of the stream
    "wrong_type",  # a web page
    "huge",  # a line without an end
    "silent_end",  # the stream ends properly but the answer does not
    "slow",  # each piece comes ``delay`` seconds late
]


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one request."""

    kind: Failure
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "out of order"
    after: int = 1
    """Pieces given before it happens."""
    delay: float = 0.02


@dataclass
class Seen:
    """One request, and whether its asker went away before the answer was complete."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    answered: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def field(self, name: str) -> bytes:
        """A field of a form."""
        found = re.search(rb'name="' + name.encode() + rb'"[^\r]*(?:\r\n[^\r]+)*\r\n\r\n(.*?)\r\n--', self.body, re.DOTALL)
        return found[1] if found else b""


class _Gone(Exception):  # noqa: N818 - never leaves this file
    """The asker has closed the connection."""


Personality = Literal["openai", "ollama", "llamacpp", "lmstudio", "stranger", "mute"]


class OpenAiServer:
    """Chat, speech, transcription and the list of models. All knobs are attributes and may be turned at any time."""

    def __init__(self, personality: Personality = "openai") -> None:
        self.personality = personality
        self.troubles: list[Trouble | None] = []
        self.seen: list[Seen] = []
        self.models = ["text-embedding-3", "test-model"]
        self.loaded: list[str] = ["test-model"]
        self.reply: Callable[[Json], str | Sequence[Json]] = lambda _body: "It is late. Go to bed."
        self.transcript: Callable[[bytes], str] = lambda _pcm: "what time is it"
        self.seconds_per_character = 0.03
        self.piece = 1_001
        """Bytes of speech sent at once; an odd number cuts samples in half."""
        self.speech_format: Literal["pcm", "wav"] = "pcm"
        self.rate = 24_000
        self.connections = 0
        self.open = 0
        self._turn = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> OpenAiServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()
        while self.open:
            await self._turn.wait()
            self._turn.clear()

    @property
    def root(self) -> str:
        """Address without a path."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        """Base address of the API."""
        return f"{self.root}/v1"

    def asked(self, path: str) -> list[Seen]:
        """Requests whose path ends so."""
        return [seen for seen in self.seen if seen.path.endswith(path)]

    async def until_asked(self, count: int = 1) -> Seen:
        """Wait for so many requests; the last of them."""
        while len(self.seen) < count:
            await self._turn.wait()
            self._turn.clear()
        return self.seen[count - 1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        number = self.connections
        try:
            while (seen := await _request(reader, number)) is not None:
                self.seen.append(seen)
                self._turn.set()
                try:
                    await self._answer(seen, _Answer(reader, writer))
                    seen.answered = True
                except _Gone:
                    return
                finally:
                    if not seen.answered:
                        seen.left.set()
        except (ConnectionError, asyncio.IncompleteReadError):  # resets of either side are part of the game
            pass
        finally:
            self.open -= 1
            self._turn.set()
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, seen: Seen, answer: _Answer) -> None:
        routed = seen.path.endswith(("/chat/completions", "/audio/speech", "/audio/transcriptions"))
        trouble = self.troubles.pop(0) if routed and self.troubles else None
        if trouble is not None and await _fail_at_once(trouble, answer):
            return
        answer.trouble = trouble
        if seen.path.endswith("/chat/completions"):
            await self._chat(seen.json, answer)
        elif seen.path.endswith("/audio/speech"):
            await self._speak(seen.json, answer)
        elif seen.path.endswith("/audio/transcriptions"):
            await self._transcribe(seen, answer)
        else:
            await self._describe(seen.path, answer)

    async def _chat(self, body: Json, answer: _Answer) -> None:
        reply = self.reply(body)
        deltas: list[Json] = (
            [{"content": part} for part in re.findall(r"\S+\s*|\s+", reply)] if isinstance(reply, str) else list(reply)
        )
        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(delta.get("content") or "" for delta in deltas)}
            await answer.json({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            return
        events = [_event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})]
        events += [_event({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
        last = _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await answer.stream("text/event-stream", [*events, last + b"data: [DONE]\n\n"])

    async def _speak(self, body: Json, answer: _Answer) -> None:
        pcm = tone_pcm(self.rate, 0, round(len(body["input"]) * self.seconds_per_character * self.rate))
        if self.speech_format == "wav" or body.get("response_format") == "wav":
            unknown = 0xFFFF_FFFF
            pcm = (
                struct.pack("<4sI4s4sIHHII", b"RIFF", unknown, b"WAVE", b"fmt ", 16, 1, 1, self.rate, 2 * self.rate)
                + struct.pack("<HH4sI", 2, 16, b"data", unknown)
                + pcm
            )
        pieces = [pcm[start : start + self.piece] for start in range(0, len(pcm), self.piece)]
        await answer.stream("audio/pcm", pieces)

    async def _transcribe(self, seen: Seen, answer: _Answer) -> None:
        wav = seen.field("file")
        text = self.transcript(wav[44:])
        if seen.field("stream") == b"true":
            words = re.findall(r"\S+\s*", text)
            events = [_event({"type": "transcript.text.delta", "delta": word}) for word in words]
            await answer.stream("text/event-stream", [*events, _event({"type": "transcript.text.done", "text": text})])
            return
        told: Json = {"text": text}
        if seen.field("response_format") == b"verbose_json":
            told["language"] = "english"
            told["words"] = [{"word": w, "start": i * 0.3, "end": i * 0.3 + 0.25} for i, w in enumerate(text.split())]
        await answer.json(told)

    async def _describe(self, path: str, answer: _Answer) -> None:
        if self.personality == "mute":
            await answer.wait(None)
        found: dict[str, Any] = {"/v1/models": {"object": "list", "data": [{"id": name} for name in self.models]}}
        if self.personality == "ollama":
            found["/"] = "Ollama is running"
            found["/api/tags"] = {"models": [{"name": name, "details": {"family": "llama"}} for name in self.models]}
            found["/api/ps"] = {"models": [{"name": name} for name in self.loaded]}
        elif self.personality == "llamacpp":
            found["/props"] = {"default_generation_settings": {}, "model_path": f"/models/{self.models[-1]}.gguf"}
        elif self.personality == "lmstudio":
            rows = [
                {"id": name, "type": "llm", "state": "loaded" if name in self.loaded else "not-loaded"}
                for name in self.models
            ]
            found["/api/v0/models"] = {"data": rows}
        elif self.personality == "stranger":
            found = {"/": "<html>hello</html>"}
        if path in found:
            value = found[path]
            await (answer.text(value) if isinstance(value, str) else answer.json(value))
        else:
            await answer.json({"error": {"message": f"no {path} here"}}, 404)


class _Answer:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.trouble: Trouble | None = None

    async def json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        await self._whole("application/json", json.dumps(value).encode(), status, headers or {})

    async def text(self, value: str) -> None:
        await self._whole("text/html" if "<" in value else "text/plain", value.encode(), 200, {})

    async def _whole(self, kind: str, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        if self.trouble is not None:
            await self.stream(kind, [body[: len(body) // 2], body[len(body) // 2 :]])
            return
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
        await self._write(head.encode() + body)

    async def stream(self, kind: str, pieces: Sequence[bytes]) -> None:
        trouble = self.trouble
        await self._write(f"HTTP/1.1 200 X\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        async for piece in self._troubled(pieces, trouble):
            await self._write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await self._write(b"0\r\n\r\n")

    async def _troubled(self, pieces: Sequence[bytes], trouble: Trouble | None) -> AsyncIterator[bytes]:
        for number, piece in enumerate(pieces):
            if trouble is not None and trouble.kind == "slow":
                await self.wait(trouble.delay)
            elif trouble is not None and number == trouble.after:
                if trouble.kind == "silent_end":
                    return
                extra = await self._fail_later(trouble)
                if extra:
                    yield extra
            yield piece

    async def _fail_later(self, trouble: Trouble) -> bytes:
        match trouble.kind:
            case "hang_later":
                await self.wait(None)
            case "truncated":
                self._writer.write(b"ff\r\nhalf of a chu")
                await self._writer.drain()
                raise _Gone
            case "reset_later":
                self.reset()
                raise _Gone
            case "broken":
                return b"data: {half an object\n\n"
            case "error_event":
                return _event({"error": {"message": trouble.message, "code": trouble.status}})
            case "huge":
                for _ in range(64):
                    await self._write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        return b""

    async def wait(self, seconds: float | None) -> None:
        """Wait; raises _Gone as soon as the asker has left."""
        try:
            async with asyncio.timeout(seconds):
                await self._reader.read(1)
        except TimeoutError:
            return
        raise _Gone

    def reset(self) -> None:
        handle = self._writer.get_extra_info("socket")
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _write(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise _Gone
        self._writer.write(data)
        await self._writer.drain()
        await asyncio.sleep(0)


async def _fail_at_once(trouble: Trouble, answer: _Answer) -> bool:
    match trouble.kind:
        case "hang":
            await answer.wait(None)
        case "status":
            body = {"error": {"message": trouble.message, "type": "error"}}
            await answer.json(body, trouble.status, trouble.headers)
        case "reset":
            answer.reset()
            raise _Gone
        case "drop":
            raise _Gone
        case "wrong_type":
            await answer.text("<html>This is a web page.</html>")
        case _:
            return False
    return True


def _event(value: Json) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


async def _request(reader: asyncio.StreamReader, connection: int) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, path, headers, body, connection)
