"""Who is let in: keys, signed tokens, one-time tokens, scopes, limits; at the real doors."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI

from tests.unit.transports.entrances import entrance
from tests.unit.transports.openai.doors import Door
from tests.wire.stage import ScriptedSessions
from vivavoce.contracts.access import SCOPES, Principal
from vivavoce.contracts.errors import ConfigurationError, LimitExceeded, NotAllowed
from vivavoce.flow.clock import SystemClock
from vivavoce.observe.metrics import Metrics
from vivavoce.transports.access import scope_of
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.http.handler import Behind, application, install
from vivavoce.transports.http.page import Page
from vivavoce.transports.openai import handler as openai
from vivavoce.transports.options import JwtOptions, RateOptions, ServerOptions
from vivavoce.transports.rates import Rates, Rest
from vivavoce.transports.signed import SignedTokens
from vivavoce.transports.ws.handler import WebSocketDoor

KEYS = {
    f"key-{scope}": Principal(f"key:{scope}", frozenset({scope}))  # type: ignore[arg-type]
    for scope in SCOPES
}
SECRET = "0123456789abcdef0123456789abcdef"


class Known:
    state = "ok"
    uptime = 1.0

    def workers(self) -> list[Any]:
        return []

    def providers(self) -> list[Any]:
        return []


@pytest.fixture
def page(tmp_path: Path) -> Page:
    (tmp_path / "index.html").write_text("<!doctype html>")
    return Page(tmp_path)


def app_with(guarding: Entrance, page: Page) -> FastAPI:
    app = application()
    openai.install(app, Door(rates=guarding.rates).door)
    install(app, Behind(ScriptedSessions(), Known(), Metrics(), ServerOptions(), page, guarding))  # type: ignore[arg-type]
    return app


def client_of(app: FastAPI, key: str = "", header: str = "authorization") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {} if not key else {header: f"Bearer {key}" if header == "authorization" else key}
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765", headers=headers)


SPEECH = {"model": "tts-1", "input": "Hello there, everybody.", "voice": "nova", "response_format": "pcm"}


async def test_without_keys_everybody_may_do_everything(page: Page) -> None:
    async with client_of(app_with(entrance(), page)) as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 200
        assert (await client.get("/api/status")).status_code == 200


async def test_with_keys_nobody_may_without_one_but_discovery_is_open(page: Page) -> None:
    async with client_of(app_with(entrance(KEYS), page)) as client:
        refused = await client.post("/v1/audio/speech", json=SPEECH)
        for path in (
            "/",
            "/health",
            "/v1/models",
            "/v1/models/tts-1",
            "/v1/audio/voices",
            "/v1/audio/models",
            "/openapi.json",
        ):
            assert (await client.get(path)).status_code == 200, path
        for path in ("/api/status", "/api/metrics"):
            assert (await client.get(path)).status_code == 401, path
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], refused.headers["www-authenticate"]) == (401, "invalid_api_key", "Bearer")
    assert set(error) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize("header", ["authorization", "api-key", "x-api-key"])
async def test_a_key_comes_in_any_of_the_usual_headers(page: Page, header: str) -> None:
    app = app_with(entrance(KEYS), page)
    async with client_of(app, "key-speak", header) as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 200
    async with client_of(app, "key-spork", header) as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 401


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("speak", {"speech"}),
        ("listen", {"listen"}),
        ("converse", {"speech", "listen", "chat"}),
        ("admin", {"speech", "listen", "chat", "status"}),
    ],
)
async def test_scopes(page: Page, scope: str, allowed: set[str]) -> None:
    chat = {"messages": [{"role": "user", "content": "hi"}]}
    async with client_of(app_with(entrance(KEYS), page), f"key-{scope}") as client:
        answers = {
            "speech": await client.post("/v1/audio/speech", json=SPEECH),
            "listen": await client.post("/v1/audio/transcriptions"),  # 400 where it is let in
            "chat": await client.post("/v1/chat/completions", json=chat),
            "status": await client.get("/api/status"),
        }
    assert {name for name, answer in answers.items() if answer.status_code != 403} == allowed
    refused = [answer for answer in answers.values() if answer.status_code == 403]
    assert {answer.json()["error"]["code"] for answer in refused} <= {"insufficient_scope"}


def test_every_path_below_v1_and_api_needs_something() -> None:
    for path in (
        "/v1/anything",
        "/v1/realtime",
        "/api/models",
        "/api/status",
        "/api/providers",
        "/ws/audio",
        "/webrtc/offer",
    ):
        assert scope_of("GET", path) is not None, path
        assert scope_of("POST", path) is not None, path
    assert scope_of("POST", "/v1/models") is not None
    assert scope_of("DELETE", "/v1/models/x") is not None


# --- sockets and one-time tokens


async def knock(door: WebSocketDoor, query: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()) -> int:
    """The status of an attempt to connect; 101 where it was accepted."""
    sent: list[dict[str, Any]] = []
    inbox = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]

    async def receive() -> Any:
        return inbox.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/ws/audio", "query_string": query.encode(), "client": ("127.0.0.1", 1),
        "headers": [(b"host", b"127.0.0.1"), *headers], "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    await door(scope, receive, send)
    return 101 if sent[0]["type"] == "websocket.accept" else int(sent[0]["status"])


async def test_a_socket_is_refused_before_the_upgrade_and_a_token_opens_it_once(page: Page) -> None:
    guarding = entrance(KEYS)
    door = WebSocketDoor(ScriptedSessions(), ServerOptions(), SystemClock(), guarding)  # type: ignore[arg-type]
    assert await knock(door) == 401
    assert await knock(door, headers=((b"authorization", b"Bearer key-converse"),)) == 101
    assert await knock(door, headers=((b"authorization", b"Bearer key-speak"),)) == 403
    assert (
        await knock(door, headers=((b"sec-websocket-protocol", b"realtime, openai-insecure-api-key.key-converse"),)) == 101
    )
    async with client_of(app_with(guarding, page), "key-converse") as client:
        answer = (await client.post("/api/token")).json()
        late = (await client.post("/api/token")).json()
    assert answer["expires_in"] == 300
    assert await knock(door, f"token={answer['token']}") == 101
    assert await knock(door, f"token={answer['token']}") == 401
    await asyncio.sleep(301)
    assert await knock(door, f"token={late['token']}") == 401
    assert await knock(door, "token=key-converse") == 401  # a key does not belong into an address


async def test_a_token_needs_a_key_and_has_no_more_rights_than_it(page: Page) -> None:
    guarding = entrance(KEYS)
    door = WebSocketDoor(ScriptedSessions(), ServerOptions(), SystemClock(), guarding)  # type: ignore[arg-type]
    app = app_with(guarding, page)
    async with client_of(app) as client:
        assert (await client.post("/api/token")).status_code == 401
    async with client_of(app, "key-listen") as client:
        token = (await client.post("/api/token")).json()["token"]
    assert await knock(door, f"token={token}") == 403


# --- limits


async def test_requests_are_limited_by_key(page: Page) -> None:
    guarding = entrance(KEYS, RateOptions(requests_per_minute=5))
    app = app_with(guarding, page)
    async with client_of(app, "key-speak") as client:
        codes = [(await client.post("/v1/audio/speech", json=SPEECH)).status_code for _ in range(7)]
        last = await client.post("/v1/audio/speech", json=SPEECH)
    assert codes == [200] * 5 + [429] * 2
    assert last.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(last.headers["retry-after"]) <= 60
    async with client_of(app, "key-converse") as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 200


async def test_characters_have_a_budget_of_their_own() -> None:
    rates = Rates(RateOptions(requests_per_minute=0, characters_per_minute=100))
    await rates.spend("characters", "me", 60)
    await rates.spend("requests", "me", 10_000)
    with pytest.raises(LimitExceeded):
        await rates.spend("characters", "me", 60)
    await rates.spend("characters", "you", 60)


async def test_who_keeps_guessing_keys_has_to_rest(page: Page) -> None:
    app = app_with(entrance(KEYS, RateOptions(wrong_guesses=3, rest=60)), page)
    async with client_of(app, "guess") as client:
        codes = [(await client.get("/api/status")).status_code for _ in range(5)]
    async with client_of(app, "key-admin") as client:
        blocked = await client.get("/api/status")
        assert (await client.get("/health")).status_code == 200
        await asyncio.sleep(61)
        assert (await client.get("/api/status")).status_code == 200
    assert codes == [401] * 3 + [429] * 2
    assert (blocked.status_code, blocked.json()["error"]["code"]) == (429, "blocked")


async def test_asking_without_a_key_is_no_guess() -> None:
    rest = Rest(RateOptions(wrong_guesses=1), SystemClock())
    rest.check("a")
    rest.wrong("a")
    with pytest.raises(LimitExceeded):
        rest.check("a")
    rest.check("b")


# --- signed tokens


def signed(**claims: Any) -> str:
    return jwt.encode({"sub": "anna", "exp": 4_000_000_000, **claims}, SECRET, "HS256")


async def test_signed_tokens_are_keys_with_scopes(page: Page) -> None:
    verifier = SignedTokens.of(JwtOptions(secret=SECRET))
    app = app_with(entrance(verifier=verifier), page)
    async with client_of(app, signed(scope="speak listen")) as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 200
        assert (await client.get("/api/status")).status_code == 403
    async with client_of(app, "a.b.c") as client:
        assert (await client.post("/v1/audio/speech", json=SPEECH)).status_code == 401


async def test_what_a_signed_token_says() -> None:
    principal = await SignedTokens.of(JwtOptions(secret=SECRET)).verify(signed())
    assert (principal.id, principal.scopes) == ("jwt:anna", {"converse"})


@pytest.mark.parametrize(
    "token",
    [
        jwt.encode({"sub": "x", "exp": 1}, SECRET, "HS256"),
        jwt.encode({"sub": "x"}, SECRET, "HS256"),
        jwt.encode({"sub": "x", "exp": 4_000_000_000}, SECRET[::-1], "HS256"),
        jwt.encode({"sub": "x", "exp": 4_000_000_000, "aud": "others", "iss": "us"}, SECRET, "HS256"),
        jwt.encode({"sub": "x", "exp": 4_000_000_000, "aud": "voice", "iss": "them"}, SECRET, "HS256"),
        jwt.encode({"sub": "x", "exp": 4_000_000_000, "aud": "voice", "iss": "us"}, None, "none"),
        "a.b.c",
    ],
    ids=["expired", "endless", "forged", "audience", "issuer", "unsigned", "nonsense"],
)
async def test_signed_tokens_that_are_not_valid(token: str) -> None:
    verifier = SignedTokens.of(JwtOptions(secret=SECRET, audience="voice", issuer="us"))
    with pytest.raises(NotAllowed):
        await verifier.verify(token)


def test_weak_or_contradictory_options_are_refused(tmp_path: Path) -> None:
    broken = tmp_path / "jwks.json"
    broken.write_text(json.dumps({"keys": []}))
    for options in (
        JwtOptions(secret="short"),
        JwtOptions(secret=SECRET, jwks_file="x"),
        JwtOptions(jwks_file=str(tmp_path / "absent")),
        JwtOptions(jwks_file=str(broken)),
        JwtOptions(secret=SECRET, scopes=("fly",)),
    ):
        with pytest.raises(ConfigurationError):
            SignedTokens.of(options)
