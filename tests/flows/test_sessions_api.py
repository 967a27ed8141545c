"""Live sessions as the people who run a server see them: real conversations behind the HTTP door."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flows.caller import calling
from tests.flows.test_resume import House
from tests.unit.transports.entrances import entrance
from vivavoce.contracts.access import Principal
from vivavoce.observe.metrics import Metrics
from vivavoce.transports.http.handler import Behind, application, install
from vivavoce.transports.http.page import Page
from vivavoce.transports.options import ServerOptions

PAGE = Page(Path("/nonexistent"))


class Known:
    state = "ok"
    uptime = 1.0

    def workers(self) -> tuple[Any, ...]:
        return ()


KEYS = {name: Principal(name, frozenset({scope})) for name, scope in (("boss", "admin"), ("guest", "converse"))}  # type: ignore[arg-type]


def asking(house: House, *, keys: bool = False, key: str = "") -> httpx.AsyncClient:
    app = application()
    doorkeeper = entrance(KEYS if keys else None)
    install(app, Behind(house.sessions, Known(), Metrics(), ServerOptions(), PAGE, doorkeeper))  # type: ignore[arg-type]
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8765", headers=headers)


async def only(http: httpx.AsyncClient) -> dict[str, Any]:
    answer = await http.get("/api/sessions")
    assert answer.status_code == 200
    [session] = answer.json()["sessions"]
    found: dict[str, Any] = session
    return found


async def test_what_goes_on_is_seen_as_it_happens() -> None:
    house = House(latency=0.5)
    async with asking(house) as http, calling(house.door, voice=None, mode="auto") as caller:
        fresh = await only(http)
        assert (fresh["id"], fresh["transport"], fresh["attached"]) == (caller.ready["session"], "websocket", True)
        assert (fresh["state"], fresh["received_samples"], fresh["sent_samples"]) == ("idle", 0, 0)
        assert fresh["settings"] == {
            "language": "en", "voice": "", "mode": "auto", "stt": "scripted", "llm": "scripted", "tts": "scripted",
            "speed": 1.0, "volume": 1.0, "spoken": True,
        }  # fmt: skip
        await caller.speak(-0.5, 0.8)
        assert (await only(http))["state"] == "listening"
        await caller.speak(0.4)
        await caller.listen("reply_started")
        assert (await only(http))["state"] == "thinking"
        await caller.speak(-1.5)
        speaking = await only(http)
        assert speaking["state"] == "speaking"
        assert 12_000 < speaking["sent_samples"] == caller.held[1]
        await caller.speak(0.3)
        assert (await only(http))["state"] == "paused"
        await caller.listen("response_complete")
        caller.say({"type": "setMode", "mode": "manual"})
        await caller.speak(-0.2)
        over = await only(http)
        assert 0 <= len(caller.spoken) // 2 - over["received_samples"] <= 320 and over["dropped_samples"] == 0
        assert over["sent_samples"] == sum(caller.held.values()), "also of replies that are over"
        assert over["age"] > 3 and over["settings"]["mode"] == "manual" and over["audio"]["jitter"] < 0.01


async def test_late_and_refused_audio_is_counted() -> None:
    house = House()
    async with asking(house) as http, calling(house.door) as caller:
        await caller.speak(-0.5)
        await asyncio.sleep(1.0)
        await caller.speak(-0.5)
        late = await only(http)
        assert late["late_frames"] > 0 and late["audio"]["gaps"] == 1
        for _ in range(14):
            caller.say(bytes(32_000))  # type: ignore[arg-type]
        await asyncio.sleep(0.1)
        found = await only(http)
        assert found["dropped_samples"] >= 3 * 16_000 and found["received_samples"] >= 10 * 16_000
        assert caller.of("error")[0]["code"] == "audio_limit_exceeded"


async def test_a_session_that_waits_for_its_client_says_so() -> None:
    house = House()
    async with asking(house) as http, calling(house.door) as caller:
        await caller.speak(-0.2)
        caller.cut()
        await asyncio.sleep(1)
        assert (await only(http))["attached"] is False
        assert (await http.get("/api/sessions")).json()["detached"] == 1
        await caller.back()
        assert (await only(http))["attached"] is True


@pytest.mark.parametrize("reason", ["", "maintenance at noon"])
async def test_a_session_is_ended_and_its_client_hears_why(reason: str) -> None:
    house = House()
    async with asking(house) as http, calling(house.door) as caller, calling(house.door) as other:
        await caller.speak(-0.2)
        answer = await http.delete(f"/api/sessions/{caller.ready['session']}", params={"reason": reason} if reason else {})
        assert (answer.status_code, answer.json()["id"]) == (200, caller.ready["session"])
        error, farewell = await caller.until("error"), await caller.until("goodbye")
        assert (error["code"], error["retryable"]) == ("session_ended", False)
        assert error["message"] == farewell["reason"] == (reason or "the people who run this server have ended the session")
        await asyncio.sleep(0.1)
        assert [session.id for session in house.sessions] == [other.ready["session"]]
        again = await http.delete(f"/api/sessions/{caller.ready['session']}")
        assert (again.status_code, again.json()["error"]["code"]) == (404, "not_found")
        assert other.of("error") == []


async def test_a_session_that_waits_can_be_ended_too() -> None:
    house = House()
    async with asking(house) as http, calling(house.door) as caller:
        await caller.speak(-0.2)
        caller.cut()
        await asyncio.sleep(0.1)
        assert (await http.delete(f"/api/sessions/{caller.ready['session']}")).status_code == 200
        await asyncio.sleep(0.1)
        assert len(house.sessions) == 0


@pytest.mark.parametrize(("key", "status"), [("", 401), ("wrong", 401), ("guest", 403), ("boss", 200)])
async def test_where_there_are_keys_it_takes_an_admin(key: str, status: int) -> None:
    house = House()
    async with asking(house, keys=True, key=key) as http, calling(house.door) as caller:
        assert (await http.get("/api/sessions")).status_code == status
        deleted = await http.delete(f"/api/sessions/{caller.ready['session']}")
        assert deleted.status_code == status
        await asyncio.sleep(0.1)
        assert len(house.sessions) == (0 if status == 200 else 1)


async def test_a_reason_has_a_length() -> None:
    house = House()
    async with asking(house) as http, calling(house.door) as caller:
        answer = await http.delete(f"/api/sessions/{caller.ready['session']}", params={"reason": "x" * 201})
        assert answer.status_code in (400, 422) and len(house.sessions) == 1
