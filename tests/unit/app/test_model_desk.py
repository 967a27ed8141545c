"""Models over HTTP: the door, the desk behind it, and a hub of our own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.services.hub import Hub, other, running_hub, stall
from tests.unit.transports.entrances import entrance
from tests.wire.stage import ScriptedSessions
from vivavoce.app.model_desk import QUEUE, ModelDesk
from vivavoce.config.settings import Settings
from vivavoce.observe.metrics import Metrics
from vivavoce.services.model_catalogue import CATALOGUE
from vivavoce.services.model_entries import HubSource
from vivavoce.services.options import ModelOptions
from vivavoce.transports.http.handler import Behind, application, install
from vivavoce.transports.http.page import Page
from vivavoce.transports.options import ServerOptions
from vivavoce.workers.options import EngineOptions, WorkerOptions

pytestmark = pytest.mark.real_time

VOICES = [name for name, entry in CATALOGUE.items() if entry.engine == "piper" and not entry.files[0].sha256]
"""Entries without checksums of their own: any content will do."""
PAOLA = "piper-it_IT-paola"
CONTENT = random.Random(5).randbytes(500_000)


def route(name: str, number: int = 0) -> str:
    source = CATALOGUE[name].files[number].source
    assert isinstance(source, HubSource)
    return f"/{source.repository}/resolve/{source.revision}/{source.path}"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as running:
        for name in VOICES:
            running.add(route(name), CONTENT, linked=True)
            running.add(route(name, 1), b"{}")
        yield running


@pytest.fixture
def settings(hub: Hub, tmp_path: Path) -> Settings:
    options = ModelOptions(mirror=hub.url, attempts=2, back_off=0.001)
    return Settings(models_dir=str(tmp_path / "models"), models=options)


class Known:
    state = "ok"
    uptime = 1.0

    def workers(self) -> list[Any]:
        return []

    def providers(self) -> list[Any]:
        return []


@asynccontextmanager
async def door(settings: Settings, *groups: WorkerOptions) -> AsyncIterator[httpx.AsyncClient]:
    desk = ModelDesk(settings, groups)
    app = application()
    page = await asyncio.to_thread(Page, Path("/nonexistent"))
    install(app, Behind(ScriptedSessions(), Known(), Metrics(), ServerOptions(), page, entrance(), desk))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    desk.start()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
            yield client
    finally:
        await desk.close()


async def until(client: httpx.AsyncClient, name: str, right: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            model: dict[str, Any] = (await client.get(f"/api/models/{name}")).json()
            if right(model):
                return model
            await asyncio.sleep(0.02)


def ended(model: dict[str, Any]) -> bool:
    return model["pull"]["state"] in ("done", "failed", "cancelled")


async def test_the_list_tells_what_there_is(settings: Settings) -> None:
    async with door(settings) as client:
        listed = (await client.get("/api/models")).json()
        assert {model["name"] for model in listed["models"]} == set(CATALOGUE)
        assert listed["machine"]["cores"] >= 1 and listed["offline"] is False
        assert listed["directory"] == settings.models_dir
        assert sum(model["recommended"] for model in listed["models"]) >= 2
        voice = (await client.get(f"/api/models/{PAOLA}")).json()
        assert (voice["kind"], voice["installed"], voice["path"], voice["pull"]) == ("tts", False, None, None)
        assert voice["cost"]["origin"] and voice["languages"] == ["it-IT"]
        piper = (await client.get("/api/models", params={"engine": "piper"})).json()["models"]
        assert {model["engine"] for model in piper} == {"piper"}
        assert (await client.get("/api/models", params={"engine": "piper", "installed": "true"})).json()["models"] == []


async def test_a_model_is_fetched_used_and_removed(settings: Settings, hub: Hub) -> None:
    async with door(settings) as client:
        begun = await client.post(f"/api/models/{PAOLA}/pull")
        assert begun.status_code == 202
        assert begun.json()["pull"]["state"] in ("queued", "running", "done")
        model = await until(client, PAOLA, ended)
        assert model["pull"]["state"] == "done" and model["pull"]["error"] is None
        assert model["pull"]["received"] == model["pull"]["bytes"] == CATALOGUE[PAOLA].size
        assert model["installed"] and not model["in_use"]
        again = await client.post(f"/api/models/{PAOLA}/pull", json={"accept_licence": False})
        assert again.status_code == 202
        await until(client, PAOLA, ended)
        assert len(hub.ranges_of(route(PAOLA))) == 1
        removed = await client.delete(f"/api/models/{PAOLA}")
        assert removed.status_code == 200 and removed.json()["installed"] is False
        assert (await client.get(f"/api/models/{PAOLA}")).json()["installed"] is False


async def test_progress_can_be_read_and_a_download_stopped(settings: Settings, hub: Hub) -> None:
    hub.trouble(route(PAOLA), stall(400_000))
    async with door(settings) as client:
        await client.post(f"/api/models/{PAOLA}/pull")
        model = await until(client, PAOLA, lambda model: model["pull"]["received"] >= 300_000)
        assert model["pull"]["state"] == "running"
        assert model["pull"]["file"] == CATALOGUE[PAOLA].files[0].name
        refused = await client.delete(f"/api/models/{PAOLA}")
        assert refused.status_code == 503 and refused.json()["error"]["retryable"]
        stopped = await client.delete(f"/api/models/{PAOLA}/pull")
        assert stopped.status_code == 200
        assert (await until(client, PAOLA, ended))["pull"]["state"] == "cancelled"
        hub.released.set()
        await client.post(f"/api/models/{PAOLA}/pull")
        assert (await until(client, PAOLA, ended))["pull"]["state"] == "done"
        assert hub.ranges_of(route(PAOLA))[1].startswith("bytes=")


async def test_one_at_a_time_and_a_bounded_queue(settings: Settings, hub: Hub) -> None:
    hub.trouble(route(VOICES[0]), stall(100_000))
    async with door(settings) as client:
        await client.post(f"/api/models/{VOICES[0]}/pull")
        await until(client, VOICES[0], lambda model: model["pull"]["state"] == "running")
        statuses = [(await client.post(f"/api/models/{name}/pull")).status_code for name in VOICES[1:]]
        assert len(VOICES) - 1 > 0
        assert statuses[:QUEUE] == [202] * min(QUEUE, len(statuses))
        assert set(statuses[QUEUE:]) <= {503}
        assert (await client.post(f"/api/models/{VOICES[1]}/pull")).status_code == 202, "it waits already"
        assert (await client.get(f"/api/models/{VOICES[1]}")).json()["pull"]["state"] == "queued"
        await client.delete(f"/api/models/{VOICES[1]}/pull")
        assert (await client.get(f"/api/models/{VOICES[1]}")).json()["pull"]["state"] == "cancelled"
        assert hub.ranges_of(route(VOICES[2])) == []
        hub.released.set()
        for name in VOICES[2 : 1 + QUEUE]:
            assert (await until(client, name, ended))["pull"]["state"] == "done"
        assert hub.ranges_of(route(VOICES[1])) == []


async def test_a_queue_that_is_full_refuses(settings: Settings, hub: Hub) -> None:
    hub.trouble(route(VOICES[0]), stall(100_000))
    desk = ModelDesk(settings, ())
    asked = [name for name in CATALOGUE if not CATALOGUE[name].restricted]
    results = await asyncio.gather(
        *(desk.pull(name, accept_licence=False) for name in asked[: QUEUE + 3]), return_exceptions=True
    )
    assert [getattr(result, "code", "taken") for result in results].count("overloaded") == 3
    await desk.close()


async def test_the_end_of_the_server_ends_a_download(settings: Settings, hub: Hub, tmp_path: Path) -> None:
    hub.trouble(route(PAOLA), stall(300_000))
    async with door(settings) as client:
        await client.post(f"/api/models/{PAOLA}/pull")
        await client.post(f"/api/models/{VOICES[1]}/pull")
        await until(client, PAOLA, lambda model: model["pull"]["received"] >= 200_000)
    left = await asyncio.to_thread(lambda: {path.name for path in (tmp_path / "models").rglob("*") if path.is_file()})
    assert left == {f".{CATALOGUE[PAOLA].files[0].name}.partial{end}" for end in ("", ".json")}


async def test_a_download_that_fails_says_why(settings: Settings, hub: Hub) -> None:
    hub.trouble(route(PAOLA), other(bytes(len(CONTENT))))
    async with door(settings) as client:
        await client.post(f"/api/models/{PAOLA}/pull")
        failed = (await until(client, PAOLA, ended))["pull"]
        assert failed["state"] == "failed"
        assert "checksum" in failed["error"]["message"] and failed["error"]["retryable"] is False


async def test_refusals(settings: Settings, hub: Hub) -> None:
    restricted = "piper-en_US-lessac"
    async with door(settings) as client:
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pull"), ("DELETE", "/pull")):
            answer = await client.request(method, f"/api/models/nobody{path}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
        answer = await client.post(f"/api/models/{restricted}/pull", json={"accept_licence": False})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "licence_not_accepted")
        assert (await client.post(f"/api/models/{restricted}/pull", json={"accept_licence": "perhaps"})).status_code == 422
        foreign = await client.post(f"/api/models/{PAOLA}/pull", headers={"origin": "http://evil.example"})
        assert foreign.status_code == 403
    assert hub.asked == []


async def test_offline_refuses_to_fetch_and_does_the_rest(settings: Settings, hub: Hub) -> None:
    offline = Settings(offline=True, models_dir=settings.models_dir, models=settings.models)
    async with door(offline) as client:
        assert (await client.get("/api/models")).json()["offline"] is True
        answer = await client.post(f"/api/models/{PAOLA}/pull")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "offline")
        assert answer.json()["error"]["retryable"] is False
        assert (await client.get(f"/api/models/{PAOLA}")).json()["pull"] is None
    assert hub.asked == []


async def test_what_an_engine_has_is_not_removed(settings: Settings) -> None:
    async with door(settings) as client:
        await client.post(f"/api/models/{PAOLA}/pull")
        path = (await until(client, PAOLA, ended))["path"]
    group = WorkerOptions("piper", (EngineOptions("tts", "piper", {"models": f"/elsewhere:{path}"}),))
    async with door(settings, group) as client:
        assert (await client.get(f"/api/models/{PAOLA}")).json()["in_use"] is True
        answer = await client.delete(f"/api/models/{PAOLA}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_in_use")
        assert (await client.get(f"/api/models/{PAOLA}")).json()["installed"] is True
