"""The routes beside the Realtime socket: keys for others, and what is not offered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.unit.transports.described import hooks
from tests.unit.transports.entrances import entrance
from tests.wire.stage import ScriptedSessions
from vivavoce.contracts.access import Principal
from vivavoce.contracts.errors import NotAllowed
from vivavoce.flow.clock import SystemClock
from vivavoce.transports.access import Credentials
from vivavoce.transports.entrance import Entrance, EntranceMiddleware
from vivavoce.transports.http.handler import application
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.realtime.handler import RealtimeDoor, install

KEY = {"authorization": "Bearer secret"}


@asynccontextmanager
async def served(door: Entrance) -> AsyncIterator[httpx.AsyncClient]:
    app = application()
    realtime = RealtimeDoor(ScriptedSessions(), ServerOptions(), SystemClock(), door)
    install(app, realtime)
    app.add_middleware(EntranceMiddleware, entrance=door)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", event_hooks=hooks(app)) as client:
        yield client
    realtime.close()


def locked() -> Entrance:
    return entrance(
        {"secret": Principal("me", frozenset({"converse", "admin"})), "deaf": Principal("d", frozenset({"speak"}))}
    )


async def test_a_key_is_made_and_stands_for_converse_alone() -> None:
    door = locked()
    async with served(door) as client:
        body = {
            "expires_after": {"anchor": "created_at", "seconds": 60},
            "session": {"type": "realtime", "instructions": "Hi"},
        }
        asked = int(SystemClock().wall())
        answer = (await client.post("/v1/realtime/client_secrets", json=body, headers=KEY)).json()
        assert answer["value"].startswith("ek_")
        assert asked <= answer["expires_at"] - 60 <= int(SystemClock().wall())
        assert answer["session"]["object"] == "realtime.session"
        assert answer["session"]["instructions"] == "Hi"
        principal = await door.access.recognise(Credentials(answer["value"]))
        assert principal.scopes == {"converse"}
        assert await door.access.bound_session(answer["value"]) == body["session"]


@pytest.mark.parametrize(("wished", "seconds"), [(1, 10), (10**9, 7_200), (None, 600), ("x", 600), (True, 600)])
async def test_the_life_of_a_key_is_bounded(wished: Any, seconds: int) -> None:
    async with served(locked()) as client:
        body = {"expires_after": {"anchor": "created_at", "seconds": wished}}
        answer = (await client.post("/v1/realtime/client_secrets", json=body, headers=KEY)).json()
        assert answer["expires_at"] == int(SystemClock().wall()) + seconds


async def test_a_key_is_good_until_it_expires() -> None:
    door = locked()
    me = await door.access.recognise(Credentials("secret"))
    key = await door.access.ephemeral_key(me, {}, 10)
    clock = SystemClock()
    for _ in range(3):
        await clock.sleep(3)
        await door.access.recognise(Credentials(key))
    await clock.sleep(1.5)
    with pytest.raises(NotAllowed):
        await door.access.recognise(Credentials(key))
    assert await door.access.bound_session(key) is None


async def test_a_key_for_others_makes_no_others() -> None:
    """Else it would never expire."""
    async with served(locked()) as client:
        key = (await client.post("/v1/realtime/client_secrets", json={}, headers=KEY)).json()["value"]
        answer = await client.post("/v1/realtime/client_secrets", json={}, headers={"authorization": f"Bearer {key}"})
        assert answer.status_code == 403


async def test_without_the_right_to_converse_there_is_no_key() -> None:
    async with served(locked()) as client:
        for headers, status in (({}, 401), ({"authorization": "Bearer deaf"}, 403)):
            answer = await client.post("/v1/realtime/client_secrets", json={}, headers=headers)
            assert answer.status_code == status
            assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"3", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    async with served(entrance()) as client:
        answer = await client.post("/v1/realtime/client_secrets", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid_json"


async def test_too_much_of_a_body_is_refused() -> None:
    async with served(entrance()) as client:
        answer = await client.post("/v1/realtime/client_secrets", content=b"x" * 300_000)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "too_large"
