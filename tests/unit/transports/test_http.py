"""The HTTP door, asked through ASGI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Query

import vivavoce
from tests.unit.transports.described import hooks
from tests.unit.transports.entrances import entrance
from tests.wire.stage import ScriptedSessions
from vivavoce.contracts.access import Principal
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.errors import LimitExceeded
from vivavoce.contracts.events import ResponseCompleted, Waterfall
from vivavoce.observe.metrics import Metrics
from vivavoce.sessions.options import ConversationOptions
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.http.handler import Behind, application, install
from vivavoce.transports.http.page import Page
from vivavoce.transports.http.schemas import ProviderStatus, State, WorkerStatus
from vivavoce.transports.openapi import openapi_text
from vivavoce.transports.options import ServerOptions

WEB = Path(vivavoce.__file__).parent / "web"


class Known:
    state: State = "ok"
    uptime = 12.5

    def providers(self) -> Sequence[ProviderStatus]:
        return [
            ProviderStatus(
                name="box", kind="llm", place=0, found=False, local=True, state="open", last_error="provider_failed"
            )
        ]

    def workers(self) -> Sequence[WorkerStatus]:
        return [WorkerStatus(group="speech", state="ready", pid=7, engines=["ears"], jobs=1)]


@pytest.fixture
def page(tmp_path: Path) -> Page:
    (tmp_path / "docs").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Vivavoce</title>")
    (tmp_path / "app.js").write_text("export {};")
    (tmp_path / "docs" / "index.html").write_text("<!doctype html><title>docs</title>")
    (tmp_path / "secret.py").write_text("no")
    return Page(tmp_path)


@pytest.fixture
def empty_page(tmp_path: Path) -> Page:
    return Page(tmp_path / "missing")


def _app(
    page: Page,
    status: Known | None = None,
    options: ServerOptions | None = None,
    metrics: Any = None,
    guarding: Entrance | None = None,
) -> FastAPI:
    app = application()
    sessions = ScriptedSessions()
    app.state.sessions = sessions
    behind = (sessions, status or Known(), metrics or Metrics(), options or ServerOptions(), page, guarding or entrance())
    install(app, Behind(*behind))
    return app


def _client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765", event_hooks=hooks(app))


async def test_health_tells_life_and_readiness(page: Page) -> None:
    status = Known()
    app = _app(page, status)
    async with _client(app) as client:
        answer = await client.get("/health")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "live": True, "ready": True, "version": vivavoce.__version__}
        status.state = "starting"
        answer = await client.get("/health")
        assert (answer.status_code, answer.json()["status"], answer.json()["live"]) == (503, "starting", True)
        status.state = "ok"
        app.state.sessions.stop_admitting()
        answer = await client.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "draining")
        assert (await client.get("/health/live")).status_code == 200


async def test_status_lists_sessions_with_their_statistics(page: Page) -> None:
    app = _app(page)
    sessions = app.state.sessions
    conversation = await sessions.open("websocket", ConversationOptions(), None, lambda event: None)
    conversation.hear(bytes(640))
    async with _client(app) as client:
        status = (await client.get("/api/status")).json()
    assert status["uptime"] == 12.5
    assert status["sessions_max"] == 200
    assert status["workers"][0]["engines"] == ["ears"]
    assert status["providers"][0]["state"] == "open"
    assert status["sessions"][0]["transport"] == "websocket"
    assert status["sessions"][0]["audio"]["frames"] == 1
    assert {"level", "clipped", "gaps", "jitter", "dropped"} <= status["sessions"][0]["audio"].keys()


async def test_providers_are_told_with_their_breakers(page: Page) -> None:
    async with _client(_app(page)) as client:
        listed = (await client.get("/api/providers")).json()
    [box] = listed["providers"]
    assert (box["kind"], box["name"], box["place"], box["state"], box["last_error"]) == (
        "llm",
        "box",
        0,
        "open",
        "provider_failed",
    )
    assert box["latency_p50"] is None


async def test_config_says_all_a_client_needs(page: Page) -> None:
    async with _client(_app(page)) as client:
        config = (await client.get("/api/config")).json()
    assert config["websocket"] == "/ws/audio"
    assert config["languages"] == ["en", "es"]
    assert config["providers"] == {"stt": ["ears", "spare"], "llm": ["mind"], "tts": ["voice"]}
    assert [voice["id"] for voice in config["voices"]["voice"]] == ["anna", "lucia"]
    assert config["modes"] == ["auto", "push_to_talk", "manual"]
    assert config["limits"]["text_characters"] == [1, 5000]


async def test_metrics_come_from_their_provider(page: Page) -> None:
    metrics = Metrics()
    metrics(ResponseCompleted(Stamp(1, 1, 1), "Hi.", False, Waterfall(transcript=0.1, first_played=0.4)))
    metrics.observe("event_loop_lag", 0.002)
    metrics.gauge("sessions", lambda: 3)
    async with _client(_app(page, metrics=metrics)) as client:
        report = (await client.get("/api/metrics")).json()
    assert report["counts"]["turns"] == 1
    assert report["latencies"]["turn.total"] == {"count": 1, "p50": 0.4, "p95": 0.4, "p99": 0.4, "max": 0.4}
    assert report["latencies"]["event_loop_lag"]["p99"] == 0.002
    assert report["gauges"]["sessions"] == 3


async def test_the_page_comes_with_its_policy_and_is_not_sent_twice(page: Page) -> None:
    async with _client(_app(page)) as client:
        page = await client.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert (await client.get("/app.js")).headers["content-type"].startswith("text/javascript")
        again = await client.get("/", headers={"if-none-match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.get("/docs")).text.endswith("<title>docs</title>")


@pytest.mark.parametrize("path", ["/secret.py", "/../pyproject.toml", "/%2e%2e/pyproject.toml", "/docs/", "/nowhere"])
async def test_nothing_else_is_served(page: Page, path: str) -> None:
    async with _client(_app(page)) as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["retryable"]) == ("not_found", False)


async def test_every_refusal_has_the_same_body(page: Page) -> None:
    app = _app(page)

    async def number(n: int = Query()) -> int:
        return n

    async def limited() -> None:
        raise LimitExceeded("slower", retry_after=1.2)

    async def broken() -> None:
        raise ZeroDivisionError

    for path, endpoint in (("/n", number), ("/limited", limited), ("/broken", broken)):
        app.router.add_api_route(path, endpoint)
        app.router.routes.insert(0, app.router.routes.pop())
    async with _client(app) as client:
        answers = {
            "validation": (await client.get("/n?n=x"), 422, "invalid_request"),
            "method": (await client.post("/health"), 405, "method_not_allowed"),
            "limit": (await client.get("/limited"), 429, "limit_exceeded"),
            "bug": (await client.get("/broken"), 500, "internal_error"),
            "host": (await client.get("/health", headers={"host": "evil.example"}), 403, "host_not_allowed"),
            "origin": (await client.get("/", headers={"origin": "http://evil.example"}), 403, "origin_not_allowed"),
        }
    for name, (answer, status, code) in answers.items():
        assert answer.status_code == status, name
        assert answer.headers["content-type"] == "application/json", name
        body = answer.json()
        assert set(body) == {"error"}, name
        assert body["error"]["code"] == code, name
        assert body["error"]["message"], name
    assert answers["limit"][0].headers["retry-after"] == "2"
    assert "ZeroDivision" not in answers["bug"][0].text


async def test_a_page_elsewhere_may_ask_where_it_is_allowed(page: Page) -> None:
    options = ServerOptions(allowed_origins=("https://app.example",))
    async with _client(_app(page, options=options)) as client:
        answer = await client.get("/api/config", headers={"origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_page_elsewhere_may_read_why_it_was_refused(page: Page) -> None:
    options = ServerOptions(allowed_origins=("https://app.example",))
    origin = {"origin": "https://app.example"}
    wish = {**origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with _client(
        _app(page, options=options, guarding=entrance({"right": Principal("key:right", frozenset({"converse"}))}))
    ) as client:
        asked = await client.options("/v1/realtime/calls", headers=wish)
        assert asked.status_code == 200, "browsers ask without a key whether they may ask with one"
        answer = await client.post("/v1/realtime/calls", headers={**origin, "authorization": "Bearer wrong"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://app.example")
        foreign = await client.get("/api/config", headers={"origin": "https://evil.example"})
        assert foreign.status_code == 403 and "access-control-allow-origin" not in foreign.headers


async def test_the_description_covers_every_route(page: Page) -> None:
    async with _client(_app(page)) as client:
        api = (await client.get("/openapi.json")).json()
    paths = "/health /health/live /api/status /api/providers /api/config /api/metrics /api/token /api/sessions"
    assert set(api["paths"]) == {*paths.split(), "/api/sessions/{id}"}


def test_the_document_covers_every_door() -> None:
    whole = json.loads(openapi_text())["paths"]
    assert {"/api/status", "/api/models", "/api/models/{name}", "/api/models/{name}/pull", "/v1/audio/speech"} <= set(whole)
    for path, item in whole.items():
        if not path.startswith("/api/"):
            continue
        for method, described in item.items():
            if path.endswith("/audio"):
                continue  # sound, not JSON
            good = next(described["responses"][code] for code in ("200", "201", "202") if code in described["responses"])
            assert good["content"]["application/json"]["schema"]["$ref"], (path, method)
            assert "ErrorBody" in str(described["responses"]["403"]), (path, method)


async def test_models_are_served_only_where_there_is_a_library(page: Page) -> None:
    async with _client(_app(page)) as client:
        assert (await client.get("/api/models")).status_code == 404


def test_the_shipped_documentation_page_asks_nothing_of_others() -> None:
    page = Page(WEB)
    assert {"docs/index.html", "docs/docs.js", "docs/docs.css"} <= set(page.paths)
    for name in ("index.html", "docs.js", "docs.css"):
        text = (WEB / "docs" / name).read_text()
        assert "://" not in text
        assert "style=" not in text
        assert 'onclick="' not in text


async def test_an_unbuilt_page_is_a_clear_404(empty_page: Page) -> None:
    async with _client(_app(empty_page)) as client:
        assert (await client.get("/")).status_code == 404
        assert (await client.get("/health")).status_code == 200


async def test_every_answer_has_a_name_of_its_own(page: Page) -> None:
    async with _client(_app(page)) as client:
        answers = [await client.get(path) for path in ("/", "/health", "/nowhere", "/api/config")]
        foreign = await client.get("/health", headers={"host": "evil.example"})
    names = {answer.headers["x-request-id"] for answer in (*answers, foreign)}
    assert len(names) == 5
    assert all(name.startswith("req_") for name in names)


async def test_an_address_for_other_methods_says_which(page: Page) -> None:
    async with _client(_app(page)) as client:
        answer = await client.get("/api/token")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert (await client.get("/app.js")).status_code == 200
        assert (await client.get("/app.js/")).status_code == 404
