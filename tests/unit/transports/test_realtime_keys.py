"""Keys of the Realtime door from end to end: a real server, a real client, keys made over HTTP and used on a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.flows.realtime_stage import scripted_ports
from tests.unit.transports.entrances import entrance
from tests.unit.transports.test_access import Known
from tests.unit.transports.test_realtime_socket import until
from vivavoce.contracts.access import Principal
from vivavoce.flow.clock import SystemClock
from vivavoce.observe.metrics import Metrics
from vivavoce.sessions.options import SessionOptions
from vivavoce.sessions.registry import Sessions
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.transports.http import handler as http
from vivavoce.transports.http.page import Page
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.realtime.handler import RealtimeDoor, install
from vivavoce.transports.server import Server, listen

pytestmark = pytest.mark.real_time

KEY = {"authorization": "Bearer secret"}
BOUND = {
    "type": "realtime",
    "model": "bound",
    "instructions": "Speak like a sailor.",
    "output_modalities": ["audio"],
    "audio": {"output": {"voice": "low"}, "input": {"turn_detection": None}},
}


class House:
    """A server with one key, and what it was asked."""

    def __init__(self, page: Page) -> None:
        self.llm = ScriptedLanguageModel(["Ahoy."])
        self.tts = ScriptedTextToSpeech()
        options, clock = ServerOptions(port=0), SystemClock()
        ports = scripted_ports(ScriptedSpeechToText(["hello"]), self.llm, self.tts)
        self.sessions = Sessions(ports, SessionOptions(), clock)
        guarding = entrance({"secret": Principal("me", frozenset({"converse", "admin"}))})
        self.door = RealtimeDoor(self.sessions, options, clock, guarding)
        app = http.application()
        behind = http.Behind(self.sessions, Known(), Metrics(), options, page, guarding)  # type: ignore[arg-type]
        http.install(app, behind)
        install(app, self.door)
        self.listener = listen(options)
        self.port: int = self.listener.getsockname()[1]
        self.server = Server(app, options, lambda: self.door.drain(0.5), log_level="error", loop="none", lifespan="off")

    def connect(self, query: str = "", **more: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/v1/realtime{query}", **more)

    async def post(self, path: str, body: Any = None, key: str = "secret") -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", trust_env=False) as client:
            return await client.post(path, json=body, headers={"authorization": f"Bearer {key}"})


@asynccontextmanager
async def serving(page: Page) -> AsyncIterator[House]:
    house = House(page)
    task = asyncio.get_running_loop().create_task(house.server._serve([house.listener]))
    try:
        while not house.server.started:  # noqa: ASYNC110 - uvicorn does not tell
            await asyncio.sleep(0.01)
        yield house
    finally:
        house.server.should_exit = True
        await asyncio.wait_for(task, 30)
        house.listener.close()
        house.door.close()


@pytest.fixture
def page(tmp_path: Path) -> Page:
    (tmp_path / "index.html").write_text("<!doctype html>")
    return Page(tmp_path)


@pytest.mark.parametrize("way", ["header", "subprotocol"])
async def test_what_an_ephemeral_key_is_bound_to_is_in_force(page: Page, way: str) -> None:
    async with serving(page) as house:
        made = (await house.post("/v1/realtime/client_secrets", {"session": BOUND})).json()
        key = made["value"]
        assert key.startswith("ek_")
        more: dict[str, Any] = (
            {"additional_headers": {"authorization": f"Bearer {key}"}}
            if way == "header"
            else {"subprotocols": ["realtime", f"openai-insecure-api-key.{key}"]}
        )
        async with house.connect("?model=gpt-realtime", **more) as client:
            assert client.subprotocol == ("realtime" if way == "subprotocol" else None)
            session = (await until(client, "session.created"))["session"]
            assert (session["model"], session["instructions"]) == ("bound", "Speak like a sailor.")
            assert session["audio"]["input"]["turn_detection"] is None
            assert session["audio"]["output"]["voice"] == "low"
            await client.send(json.dumps({"type": "response.create"}))
            done = await until(client, "response.done")
            assert done["response"]["status"] == "completed"
        assert house.llm.requests[-1][0].text == "Speak like a sailor."
        assert house.tts.asked[-1].voice == "low"
        async with house.connect(**more) as again:
            assert (await until(again, "session.created"))["session"]["model"] == "bound", "it opens any number"


async def test_an_ephemeral_key_opens_sessions_and_nothing_else(page: Page) -> None:
    async with serving(page) as house:
        key = (await house.post("/v1/realtime/client_secrets", {"session": BOUND})).json()["value"]
        assert (await house.post("/v1/realtime/client_secrets", {}, key)).status_code == 403
        assert (await house.post("/api/token", None, key)).status_code == 403
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{house.port}", trust_env=False) as client:
            status = await client.get("/api/status", headers={"authorization": f"Bearer {key}"})
        assert status.status_code == 403
        for wrong in (f"{key}x", "ek_", "secret2"):
            with pytest.raises(InvalidStatus) as refused:
                await house.connect(additional_headers={"authorization": f"Bearer {wrong}"})
            assert refused.value.response.status_code == 401
            with pytest.raises(InvalidStatus) as refused:
                await house.connect(subprotocols=["realtime", f"openai-insecure-api-key.{wrong}"])
            assert refused.value.response.status_code == 401


async def test_a_one_time_token_opens_one_socket(page: Page) -> None:
    async with serving(page) as house:
        token = (await house.post("/api/token")).json()["token"]
        async with house.connect(f"?model=gpt-realtime&token={token}") as client:
            assert (await until(client, "session.created"))["session"]["model"] == "gpt-realtime"
        with pytest.raises(InvalidStatus) as refused:
            await house.connect(f"?token={token}")
        assert refused.value.response.status_code == 401
        with pytest.raises(InvalidStatus):
            await house.connect("?token=secret")
