"""Replays the golden dialogues of the speech socket; their format is described in README.md beside them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unit.transports.entrances import entrance
from tests.unit.transports.openai.doors import Door
from tests.wire.stage import Client
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.speech_sessions import SpeechSessionOptions
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.openai.options import OpenAIOptions
from vivavoce.transports.openai.spoken_door import SpokenDoor
from vivavoce.transports.options import ServerOptions

HERE = Path(__file__).parent
SCRIPTS = {
    path.stem: [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    for path in sorted(HERE.glob("*.jsonl"))
}


def socket_of(door: Door, server: ServerOptions | None = None, guarding: Entrance | None = None) -> SpokenDoor:
    """The socket beside the routes of a door."""
    behind = door.door
    options = server or ServerOptions()
    return SpokenDoor(behind.incremental, door.options.sessions, options, SystemClock(), guarding or entrance())


@asynccontextmanager
async def connected(
    socket: SpokenDoor, headers: tuple[tuple[bytes, bytes], ...] = (), query: str = ""
) -> AsyncIterator[Client]:
    """A client whose attempt has been answered; on leaving it disconnects and the door has to end by itself."""
    client = Client()
    scope = {
        "type": "websocket", "path": "/v1/speech/sessions/ws", "query_string": query.encode(), "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1"), *headers], "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    client._to_server.put_nowait({"type": "websocket.connect"})
    serving = asyncio.get_running_loop().create_task(socket(scope, client.receive, client.send))
    try:
        yield client
    finally:
        client.blocked.set()
        client.disconnects()
        await asyncio.wait_for(serving, 60)


class Replay:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._audio = 0
        self._event: dict[str, Any] | None = None

    async def line(self, line: dict[str, Any]) -> None:
        if "wait" in line:
            await asyncio.sleep(line["wait"])
        elif line["from"] == "client":
            binary = line.get("binary")
            self._client.says(bytes(binary) if binary else line.get("json", line.get("text")))
        elif "audio" in line:
            await self._hear(line["audio"])
        elif "close" in line:
            message = await self._client.hears()
            assert (message["type"], message.get("code")) == ("websocket.close", line["close"]), message
        else:
            await self._told(line["json"], line.get("partial", False))

    async def _hear(self, seconds: float) -> None:
        """Audio up to the next event, or until a second has passed without any."""
        heard = 0
        while True:
            try:
                message = await self._client.hears(1.0)
            except TimeoutError:
                break
            if "bytes" in message:
                heard += len(message["bytes"])
            elif json.loads(message["text"])["type"] != "progress":
                self._event = json.loads(message["text"])
                break
        assert heard / 48_000 == pytest.approx(seconds, rel=0.1)

    async def _told(self, expected: dict[str, Any], partial: bool) -> None:
        while True:
            found = self._event or json.loads((await self._client.hears())["text"])
            self._event = None
            if expected["type"] == "progress" or found["type"] != "progress":
                break
        found = found if partial else {key: value for key, value in found.items() if key != "id"}
        assert _agrees(expected, found, partial), f"expected {expected}\nfound    {found}"


def _agrees(expected: Any, found: Any, partial: bool) -> bool:
    if partial and isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _agrees(value, found[key], True) for key, value in expected.items())
    return bool(expected == found)


@pytest.mark.parametrize("name", SCRIPTS)
async def test_dialogue(name: str) -> None:
    head, *lines = SCRIPTS[name]
    assert head["dialogue"] == name
    door = Door(OpenAIOptions(sessions=SpeechSessionOptions(**head.get("options", {}))))
    async with connected(socket_of(door)) as client:
        assert (await client.hears())["type"] == "websocket.accept"
        replay = Replay(client)
        for number, line in enumerate(lines, start=2):
            try:
                await replay.line(line)
            except (AssertionError, TimeoutError, KeyError) as error:
                raise AssertionError(f"{name}.jsonl line {number}: {error!r}") from error
        await asyncio.sleep(0.01)
        assert client.pending() == 0, f"unexpected: {await client.hears()}"
    assert len(door.door.speech_sessions) == 0
    assert door.tts.tally.live == 0
    door.door.close()


def test_the_dialogues_cover_the_protocol() -> None:
    def kinds(side: str) -> set[str]:
        return {
            line["json"]["type"]
            for lines in SCRIPTS.values()
            for line in lines
            if line.get("from") == side and "json" in line
        }

    assert kinds("client") == {"start", "text", "flush", "end", "cancel", "sing"}
    assert kinds("server") == {"started", "progress", "done", "error"}
