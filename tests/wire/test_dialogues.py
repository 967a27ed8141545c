"""Replays the golden dialogues against the door; their format is described in README.md beside them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.transports.entrances import entrance
from tests.wire.stage import Client, ScriptedConversation, ScriptedSessions, connected, quick
from vivavoce.contracts import events
from vivavoce.contracts.audio import AudioChunk, ReplyAudio, Stamp
from vivavoce.contracts.events import SessionEvent, Waterfall
from vivavoce.flow.clock import SystemClock
from vivavoce.transports.ws.handler import WebSocketDoor
from vivavoce.transports.ws.protocol import HEADER

TOKEN = "TOKEN"
"""Stands for the last token the server gave."""
HERE = Path(__file__).parent
DIALOGUES = sorted(HERE.glob("*.jsonl"))
SCHEMA = json.loads((HERE.parents[1] / "docs/reference/websocket.schema.json").read_text())


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


SCRIPTS = {path.stem: _read(path) for path in DIALOGUES}


def _pcm(spec: dict[str, Any]) -> bytes:
    if "hex" in spec:
        return bytes.fromhex(spec["hex"])
    return int(spec["value"]).to_bytes(2, "little", signed=True) * int(spec["samples"])


def _frame(spec: dict[str, Any]) -> bytes:
    if "hex" in spec:
        return bytes.fromhex(spec["hex"])
    numbers = (spec["revision"], spec["turn"], spec["generation"], spec["offset"])
    return HEADER.pack(spec.get("version", 1), spec.get("flags", 0), *numbers) + _pcm(spec)


def _event(line: dict[str, Any]) -> SessionEvent:
    values = {key: value for key, value in line.items() if key not in ("from", "event")}
    if "stamp" in values:
        values["stamp"] = Stamp(*values["stamp"])
    if "waterfall" in values:
        values["waterfall"] = Waterfall(**values["waterfall"])
    event: SessionEvent = getattr(events, line["event"])(**values)
    return event


def _agrees(expected: Any, found: Any, partial: bool) -> bool:
    if partial and isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _agrees(value, found[key], True) for key, value in expected.items())
    return bool(expected == found)


class Replay:
    def __init__(self, connect: Callable[[], Awaitable[Client]], sessions: ScriptedSessions) -> None:
        self._connect = connect
        self._sessions = sessions
        self._calls = 0
        self._token = ""
        self.client: Client

    async def start(self) -> None:
        self.client = await self._connect()

    @property
    def _session(self) -> ScriptedConversation:
        return self._sessions.conversations[0]

    async def line(self, line: dict[str, Any]) -> None:
        if "hold" in line:
            await asyncio.sleep(0.001)
            (self.client.blocked.clear if line["hold"] else self.client.blocked.set)()
        elif "cut" in line:
            self.client.disconnects(1006)
        elif "connect" in line:
            self.client = await self._connect()
        elif line.get("from") == "client":
            self.client.says(self._said(line))
        elif line.get("to") == "session":
            await self._called(line["call"])
        elif line["from"] == "session":
            self._tell(line)
        else:
            await self._server(line)

    def _said(self, line: dict[str, Any]) -> Any:
        if "binary" in line:
            return _pcm(line["binary"])
        message = line.get("json", line.get("text"))
        if isinstance(message, dict) and message.get("token") == TOKEN:
            return message | {"token": self._token}
        return message

    async def _called(self, call: list[Any]) -> None:
        async with asyncio.timeout(1):
            while not self._sessions.conversations or len(self._session.calls) <= self._calls:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert list(self._session.calls[self._calls]) == call
        self._calls += 1

    def _tell(self, line: dict[str, Any]) -> None:
        if "event" in line:
            self._session.emit(_event(line))
            return
        spec = line["audio"]
        stamp = Stamp(spec["turn"], spec["revision"], spec["generation"])
        self._session.sink.write(ReplyAudio(stamp, AudioChunk(_pcm(spec), self._session.sink.format, spec["offset"])))

    async def _server(self, line: dict[str, Any]) -> None:
        if "nothing" in line:
            await asyncio.sleep(line["nothing"])
            assert self.client.pending() == 0
            return
        message = await self.client.hears()
        if "close" in line:
            assert message["type"] == "websocket.close"
            assert message["code"] == line["close"]
        elif "binary" in line:
            assert message.get("bytes") == _frame(line["binary"])
        else:
            found = json.loads(message["text"])
            if found.get("resume"):
                assert found["resume"]["token"] != self._token, "a token is good for once"
                self._token, found["resume"]["token"] = found["resume"]["token"], TOKEN
            assert _agrees(line["json"], found, line.get("partial", False)), f"expected {line['json']}\nfound    {found}"


@pytest.mark.parametrize("name", SCRIPTS)
async def test_dialogue(name: str) -> None:
    head, *lines = SCRIPTS[name]
    assert head["dialogue"] == name
    sessions = ScriptedSessions()
    door = WebSocketDoor(sessions, quick(**head.get("limits", {})), SystemClock(), entrance())
    async with AsyncExitStack() as connections:
        replay = Replay(lambda: connections.enter_async_context(connected(sessions, door=door)), sessions)
        await replay.start()
        for number, line in enumerate(lines, start=2):
            try:
                await replay.line(line)
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"{name}.jsonl line {number}: {error}") from error
        await asyncio.sleep(0.01)
        assert replay.client.pending() == 0, f"unexpected: {await replay.client.hears()}"


@pytest.mark.parametrize("name", SCRIPTS)
def test_whole_server_messages_conform_to_the_schema(name: str) -> None:
    check = jsonschema.Draft202012Validator({"$ref": "#/$defs/ServerMessage", "$defs": SCHEMA["$defs"]})
    for line in SCRIPTS[name]:
        if line.get("from") == "server" and "json" in line and not line.get("partial"):
            check.validate(line["json"])


def test_the_dialogues_cover_the_protocol() -> None:
    told = {
        line["json"]["type"]
        for lines in SCRIPTS.values()
        for line in lines
        if line.get("from") == "server" and "json" in line
    }
    said = {
        line["json"]["type"]
        for lines in SCRIPTS.values()
        for line in lines
        if line.get("from") == "client" and "json" in line
    }
    kinds = SCHEMA["$defs"]
    assert told == set(kinds["ServerMessage"]["discriminator"]["mapping"])
    assert said - {"sing"} == set(kinds["ClientMessage"]["discriminator"]["mapping"])
