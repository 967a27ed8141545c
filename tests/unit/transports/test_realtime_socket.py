"""The Realtime door over real sockets: large messages where they are allowed, and how connections end."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.flows.realtime_stage import scripted_ports
from tests.unit.transports.entrances import entrance
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.options import SessionOptions
from vivavoce.sessions.registry import Sessions
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel
from vivavoce.transports.http.handler import application
from vivavoce.transports.options import MAX_REALTIME_MESSAGE, ServerOptions
from vivavoce.transports.realtime.handler import RealtimeDoor, install
from vivavoce.transports.server import Server, listen

pytestmark = pytest.mark.real_time

MANUAL = {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}}


class Running:
    def __init__(self) -> None:
        options = ServerOptions(port=0)
        ports = scripted_ports(ScriptedSpeechToText(["hello"]), ScriptedLanguageModel(["A long reply. " * 20]))
        self.sessions = Sessions(ports, SessionOptions(), SystemClock())
        self.door = RealtimeDoor(self.sessions, options, SystemClock(), entrance())
        app = application()
        install(app, self.door)
        self.listener = listen(options)
        self.port: int = self.listener.getsockname()[1]
        self.server = Server(app, options, lambda: self.door.drain(0.5), log_level="error", loop="none", lifespan="off")

    def connect(self, query: str = "?model=gpt-realtime", **more: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/v1/realtime{query}", max_size=2**20, **more)


@asynccontextmanager
async def serving() -> AsyncIterator[Running]:
    running = Running()
    task = asyncio.get_running_loop().create_task(running.server._serve([running.listener]))
    try:
        while not running.server.started:  # noqa: ASYNC110 - uvicorn does not tell
            await asyncio.sleep(0.01)
        yield running
    finally:
        running.server.should_exit = True
        await asyncio.wait_for(task, 30)
        running.listener.close()
        running.door.close()
        assert len(running.sessions) == 0


async def until(client: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            event: dict[str, Any] = json.loads(await client.recv())
            if event["type"] == kind:
                return event


def appended(samples: int) -> str:
    audio = base64.b64encode(bytes(2 * samples)).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": audio})


async def test_four_minutes_of_audio_fit_into_one_append() -> None:
    async with serving() as running, running.connect() as client:
        await until(client, "session.created")
        await client.send(json.dumps(MANUAL))
        await until(client, "session.updated")
        await client.send(appended(24_000 * 240))
        await client.send(json.dumps({"type": "conversation.item.retrieve", "item_id": "x"}))
        conversation = next(iter(running.sessions)).conversation
        async with asyncio.timeout(20):
            while conversation.statistics.seconds < 20:  # noqa: ASYNC110 - a burst is handed on at once, the rest in time
                await asyncio.sleep(0.01)
        assert conversation.statistics.seconds < 200, "no recogniser takes four minutes at once"


async def test_more_than_that_ends_the_connection_and_nothing_else() -> None:
    async with serving() as running:
        async with running.connect() as client:
            await until(client, "session.created")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.send(" " * (MAX_REALTIME_MESSAGE + 1))
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        async with running.connect() as client:
            await until(client, "session.created")


async def test_a_client_that_vanishes_in_mid_response_leaves_nothing() -> None:
    async with serving() as running:
        for _ in range(3):
            client = await running.connect()
            await client.send(json.dumps({"type": "response.create"}))
            await until(client, "response.output_audio.delta")
            client.transport.abort()
        async with asyncio.timeout(10):
            while len(running.sessions):  # noqa: ASYNC110 - the server does not tell
                await asyncio.sleep(0.01)
        assert running.door.connections == 0


async def test_many_clients_at_once_have_their_own_sessions() -> None:
    async def one(running: Running, number: int) -> None:
        async with running.connect() as client:
            await client.send(json.dumps({"type": "session.update", "session": {"output_modalities": ["text"]}}))
            await client.send(json.dumps({"type": "response.create", "response": {"metadata": {"n": str(number)}}}))
            assert (await until(client, "response.created"))["response"]["metadata"] == {"n": str(number)}

    async with serving() as running, asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(running, number)) for number in range(20)]
        await asyncio.wait(tasks)


async def test_only_realtime_is_echoed_of_the_subprotocols() -> None:
    protocols = ["realtime", "openai-insecure-api-key.sk-dummy", "openai-agents-sdk"]
    async with serving() as running, running.connect(subprotocols=protocols) as client:
        assert client.subprotocol == "realtime"
        await until(client, "session.created")


async def test_a_server_that_stops_lets_the_client_go() -> None:
    async with serving() as running, running.connect() as client:
        await until(client, "session.created")
        running.server.should_exit = True
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await until(client, "never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
