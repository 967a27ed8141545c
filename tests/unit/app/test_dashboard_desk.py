"""What the dashboard asks for, over HTTP: turns, latencies, system, configuration with origins, and keys."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.transports.entrances import entrance
from tests.wire.stage import ScriptedSessions
from vivavoce.app.dashboard_desk import DashboardDesk, Sources
from vivavoce.config.load import Surroundings, load
from vivavoce.contracts.audio import HEARING, AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.events import (
    ReplyStarted,
    ReplyText,
    ResponseCompleted,
    SpeechStarted,
    SpeechStopped,
    TranscriptUpdated,
    Waterfall,
)
from vivavoce.flow.clock import SystemClock
from vivavoce.observe.following import Witnesses
from vivavoce.observe.latency import LatencyLog
from vivavoce.observe.metrics import Metrics
from vivavoce.observe.options import TurnOptions
from vivavoce.observe.timeline import Timeline
from vivavoce.observe.turns import TurnStore
from vivavoce.services import keys
from vivavoce.services.keys import KeyFile
from vivavoce.storage.memory import MemoryState
from vivavoce.transports.access import Access
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.http.handler import Behind, application, install
from vivavoce.transports.http.page import Page
from vivavoce.transports.http.schemas import WorkerStatus
from vivavoce.transports.options import RateOptions, ServerOptions
from vivavoce.transports.rates import Rates, Rest

pytestmark = pytest.mark.real_time
WORKERS = [WorkerStatus(group="speech", state="ready", pid=7, engines=["ears"], jobs=2, waiting=3, memory_mb=41.5)]


@dataclass
class Known:
    state: Any = "ok"
    uptime: float = 12.0

    def workers(self) -> list[WorkerStatus]:
        return WORKERS


@dataclass
class Door:
    client: httpx.AsyncClient
    sources: Sources
    witness: Witnesses

    async def get(self, path: str, status: int = 200, **headers: str) -> Any:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def turn(self, number: int, session: str = "s1", total: float = 0.3) -> None:
        watch = self.witness.watch(session, "websocket", 24_000)
        stamp = Stamp(number, 1, 1)
        if watch.listens:
            watch.heard(AudioChunk(bytes(64_000), HEARING, 0))
        watch.told(SpeechStarted(stamp, 8_000))
        watch.told(SpeechStopped(stamp, 24_000))
        watch.told(TranscriptUpdated(stamp, "what time is it", True))
        watch.told(ReplyStarted(stamp))
        watch.told(ReplyText(stamp, "It is nine o'clock."))
        if watch.listens:
            watch.spoken(ReplyAudio(stamp, AudioChunk(bytes(48_000), AudioFormat(24_000), 0)))
        waterfall = Waterfall(transcript=0.1, decision=0.2, first_played=total)
        watch.told(ResponseCompleted(stamp, "It is nine o'clock.", False, waterfall))


def _loaded(folder: Path, environ: dict[str, str] | None = None) -> Any:
    home = folder / "home"
    (home / ".config" / "vivavoce").mkdir(parents=True, exist_ok=True)
    (home / ".config" / "vivavoce" / "config.yaml").write_text("server:\n  port: 9001\nturns:\n  keep: 7\n")
    environment = {"VIVAVOCE_KEYS__ACME": "sk-very-secret", **(environ or {})}
    return load(
        flags=[("server.keys_file", str(folder / "keys.json"), "--set server.keys_file")],
        surroundings=Surroundings(environment, folder, home, folder / "etc"),
    )


@asynccontextmanager
async def door(folder: Path, options: TurnOptions | None = None, *, guarded: bool = False) -> AsyncIterator[Door]:
    clock = SystemClock()
    loaded = await asyncio.to_thread(_loaded, folder)
    ring = await asyncio.to_thread(KeyFile, folder / "keys.json")
    store, latency = TurnStore(options or TurnOptions(), clock), LatencyLog(clock)
    sources = Sources(
        clock=clock, turns=store, latency=latency, timeline=Timeline(), metrics=Metrics(), state=lambda: "ok",
        uptime=lambda: 12.0, workers=lambda: WORKERS, sessions=lambda: 4, loaded=loaded, keys=ring,
    )  # fmt: skip
    desk = DashboardDesk(sources)
    rates = RateOptions()
    entry = Entrance(Access(ring, MemoryState(clock)), Rates(rates), Rest(rates, clock)) if guarded else entrance()
    app = application()
    page = await asyncio.to_thread(Page, Path("/nonexistent"))
    install(app, Behind(ScriptedSessions(), Known(), sources.metrics, ServerOptions(), page, entry, None, desk))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    desk.start()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
            yield Door(client, sources, Witnesses(store, latency, clock))
    finally:
        await desk.close()


async def test_turns_are_listed_newest_first_and_told_step_by_step(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        for number in range(1, 4):
            here.turn(number, session=f"s{number % 2}")
        listed = await here.get("/api/turns?limit=2")
        assert [turn["id"] for turn in listed["turns"]] == ["s1.3", "s0.2"]
        assert (listed["keep"], listed["texts"], listed["recording"]) == (200, True, False)
        assert [turn["id"] for turn in (await here.get("/api/turns?session=s1"))["turns"]] == ["s1.3", "s1.1"]
        turn = await here.get("/api/turns/s0.2")
        assert turn["said"] == "what time is it" and turn["heard"] == "It is nine o'clock."
        assert turn["waterfall"]["total"] == 0.3 and turn["waterfall"]["first_token"] is None
        assert turn["steps"][0]["kind"] == "speech_started"
        assert (await here.get("/api/turns/nobody.1", 404))["error"]["code"] == "not_found"
        missing = await here.get("/api/turns/s0.2/audio", 404)
        assert "turns.audio" in missing["error"]["message"], "it says how to change that"
        assert (await here.client.delete("/api/turns")).json() == {"turns": 3}
        assert (await here.get("/api/turns"))["turns"] == []


async def test_both_voices_can_be_heard_again(tmp_path: Path) -> None:
    async with door(tmp_path, TurnOptions(audio=True)) as here:
        here.turn(1)
        assert (await here.get("/api/turns"))["turns"][0]["recorded"] == ["user", "reply"]
        lengths = {}
        for voice in ("user", "reply"):
            answer = await here.client.get(f"/api/turns/s1.1/audio?voice={voice}")
            assert answer.headers["content-type"] == "audio/wav" and answer.headers["cache-control"] == "no-store"
            with wave.open(io.BytesIO(answer.content)) as file:
                lengths[voice] = (file.getframerate(), file.getnframes())
        assert lengths["reply"] == (24_000, 24_000)
        # From 0.3 s before the words (8 000 to 24 000) to 0.3 s behind them.
        assert lengths["user"] == (16_000, 16_000 + 2 * 4_800)
        assert (await here.get("/api/turns/s1.1"))["speech_end"] == pytest.approx(1.3)
        assert (await here.get("/api/system"))["sound_mb"] == pytest.approx(0.1, abs=0.01)


async def test_latencies_over_time(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        for number in range(1, 101):
            here.turn(number, total=number / 100)
        report = await here.get("/api/latency?window=600")
        assert report["count"] == 100 and sum(bucket["count"] for bucket in report["buckets"]) == 100
        assert report["overall"]["total"] == {"p50": 0.5, "p95": 0.95, "p99": 0.99}
        assert len(report["buckets"]) * report["width"] == pytest.approx(600)
        assert (await here.get("/api/latency?window=1", 422))["error"]["code"] == "invalid_request"


async def test_the_system_tells_how_it_is_and_how_it_was(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        here.sources.metrics.observe("loop_lag", 0.004)
        here.sources.metrics.gauge("sessions", lambda: 4)
        async with asyncio.timeout(20):
            report = await here.get("/api/system")
            while not report["samples"]:
                report = await here.get("/api/system")
        assert report["memory_mb"] > 10 and report["cores"] >= 1 and report["machine_memory_mb"] > 100
        assert report["loop_lag"]["p50"] == 0.004 and report["queues"]["sessions"] == 4
        assert report["workers"][0]["memory_mb"] == 41.5
        first = report["samples"][0]
        assert (first["jobs"], first["waiting"], first["sessions"]) == (2, 3, 4)


async def test_every_setting_has_its_origin_and_no_secret_is_told(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        report = await here.get("/api/settings")
    by_key = {setting["key"]: setting for setting in report["settings"]}
    port = by_key["server.port"]
    assert (port["value"], port["default"], port["origin"]["layer"], port["origin"]["line"]) == (9001, 8765, "user", 2)
    assert port["origin"]["source"].endswith("config.yaml") and port["environment"] == "VIVAVOCE_SERVER__PORT"
    assert by_key["server.keys_file"]["origin"]["layer"] == "flag"
    assert by_key["turns.audio"]["origin"]["layer"] == "default" and by_key["turns.audio"]["help"]
    assert by_key["keys"]["value"] == {"acme": "***"} and by_key["keys"]["origin"]["layer"] == "environment"
    assert "very-secret" not in json.dumps(report)
    assert len(report["files"]) == 1


async def test_without_keys_in_force_none_is_made_here(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        assert await here.get("/api/keys") == {"in_force": False, "keys": []}
        answer = await here.client.post("/api/keys", json={"name": "kitchen"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "keys_not_in_force")
        assert not (tmp_path / "keys.json").exists()


async def test_keys_are_made_and_revoked_by_an_administrator(tmp_path: Path) -> None:
    stored, admin = await asyncio.to_thread(keys.create, tmp_path / "keys.json", "me", ["admin"], 0.0)
    async with door(tmp_path, guarded=True) as here:
        bearer = {"authorization": f"Bearer {admin}"}
        for path in ("/api/turns", "/api/latency", "/api/system", "/api/settings", "/api/keys"):
            await here.get(path, 401)
            await here.get(path, **bearer)
        made = await here.client.post("/api/keys", json={"name": "kitchen", "scopes": ["speak"]}, headers=bearer)
        assert made.status_code == 201
        kitchen = made.json()
        assert kitchen["key"].startswith("vv_") and kitchen["scopes"] == ["speak"]
        listed = await here.get("/api/keys", **bearer)
        assert listed["in_force"] and [key["name"] for key in listed["keys"]] == ["me", "kitchen"]
        assert kitchen["key"] not in json.dumps(listed)
        # It counts at once, and may not do this.
        denied = await here.get("/api/keys", 403, authorization=f"Bearer {kitchen['key']}")
        assert denied["error"]["code"] == "insufficient_scope"
        gone = await here.client.delete(f"/api/keys/{kitchen['id']}", headers=bearer)
        assert gone.json()["name"] == "kitchen"
        await here.get("/api/keys", 401, authorization=f"Bearer {kitchen['key']}")
        again = await here.client.delete(f"/api/keys/{kitchen['id']}", headers=bearer)
        assert again.status_code == 404
        last = await here.client.delete(f"/api/keys/{stored.id}", headers=bearer)
        assert (last.status_code, last.json()["error"]["code"]) == (400, "last_admin_key")
        wrong = await here.client.post("/api/keys", json={"name": "x", "scopes": ["fly"]}, headers=bearer)
        assert wrong.status_code == 422
