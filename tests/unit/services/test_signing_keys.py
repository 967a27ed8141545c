"""Signing keys from an address: rotation, and servers that are slow, dead, sent elsewhere, or talk nonsense."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.conftest import require
from tests.unit.transports.entrances import entrance
from vivavoce.app.trust import signing_keys_of
from vivavoce.config.settings import Settings
from vivavoce.contracts.errors import ConfigurationError, NotAllowed, Unavailable
from vivavoce.flow.clock import SystemClock
from vivavoce.services.signing_keys import AGAIN, AT_MOST_EVERY, MAX_BYTES, Place, SigningKeys, check_place
from vivavoce.transports.access import Credentials
from vivavoce.transports.options import JwtOptions, ServerOptions
from vivavoce.transports.signed import SignedTokens, public_keys

FAR = 4_000_000_000


class Clock:
    """Time goes on when the test says so."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return 2e9

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]:
        raise NotImplementedError


class Signer:
    """One who signs: an elliptic key with a name."""

    def __init__(self, name: str) -> None:
        require(find_spec("cryptography"), "cryptography is not installed (pip install 'vivavoce[jwt]')")
        from cryptography.hazmat.primitives.asymmetric import ec

        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> dict[str, Any]:
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {**jwk, "kid": self.name, "use": "sig", "alg": "ES256"}

    def token(self, **claims: Any) -> str:
        return jwt.encode({"sub": "anna", "exp": FAR, **claims}, self._key, "ES256", headers={"kid": self.name})


class KeyServer:
    """A JWKS server of a few lines, with bad days."""

    def __init__(self, *signers: Signer) -> None:
        self.signers = list(signers)
        self.mood = "well"
        self.asked = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/keys.json"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[KeyServer]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        try:
            await self._say(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"keys": [signer.public for signer in self.signers]}).encode()
        status, more = "200 OK", ""
        match self.mood:
            case "slow":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
                await writer.drain()
                await reader.read()  # until the other side has had enough
                return
            case "garbage":
                body = b"\x00\xff<html>"
            case "list":
                body = b'["keys"]'
            case "empty":
                body = b'{"keys": []}'
            case "huge":
                body = b" " * (MAX_BYTES + 1)
            case "crowded":
                body = json.dumps({"keys": [{**self.signers[0].public, "kid": str(n)} for n in range(101)]}).encode()
            case "broken":
                status = "500 Internal Server Error"
            case "elsewhere":
                status, more = "302 Found", "Location: http://127.0.0.1:1/\r\n"
        head = f"HTTP/1.1 {status}\r\n{more}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


@asynccontextmanager
async def keys_at(url: str, clock: Clock, **more: Any) -> AsyncIterator[SigningKeys]:
    keys = SigningKeys(Place(url, **more), clock, public_keys)
    try:
        yield keys
    finally:
        await keys.close()


def verifier(keys: SigningKeys) -> SignedTokens:
    return SignedTokens.of(JwtOptions(jwks_url="http://127.0.0.1/"), keys)


@pytest.mark.real_time
async def test_a_token_is_checked_with_the_key_it_names_and_many_share_one_fetch() -> None:
    one, stranger = Signer("one"), Signer("one")
    async with KeyServer(one).running() as server, keys_at(server.url, Clock()) as keys:
        tokens = verifier(keys)
        found = await asyncio.gather(*(tokens.verify(one.token(scope="speak")) for _ in range(20)))
        assert {principal.id for principal in found} == {"jwt:anna"}
        assert found[0].scopes == {"speak"}
        assert server.asked == 1
        with pytest.raises(NotAllowed):
            await tokens.verify(stranger.token())
        with pytest.raises(NotAllowed):
            await tokens.verify(one.token(exp=1))
        with pytest.raises(NotAllowed, match="signed with one of"):
            await tokens.verify(jwt.encode({"sub": "x", "exp": FAR}, "0" * 32, "HS256", headers={"kid": "one"}))
        assert server.asked == 1


@pytest.mark.real_time
async def test_a_rotated_key_is_fetched_at_once_and_then_at_most_once_a_minute() -> None:
    old, new, never = Signer("old"), Signer("new"), Signer("never")
    clock = Clock()
    async with KeyServer(old).running() as server, keys_at(server.url, clock) as keys:
        tokens = verifier(keys)
        await tokens.verify(old.token())
        server.signers = [new]
        for _ in range(5):
            with pytest.raises(NotAllowed, match="nobody here knows the key 'new'"):
                await tokens.verify(new.token())
        assert server.asked == 1, "the last fetch is less than a minute old"
        clock.time += AT_MOST_EVERY
        await tokens.verify(new.token())
        assert server.asked == 2
        with pytest.raises(NotAllowed):
            await tokens.verify(old.token())
        clock.time += AT_MOST_EVERY - 1
        for _ in range(10):
            with pytest.raises(NotAllowed):
                await tokens.verify(never.token())
        assert server.asked == 2
        clock.time += 1
        for _ in range(10):
            with pytest.raises(NotAllowed):
                await tokens.verify(never.token())
        assert server.asked == 3


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("mood", "said"),
    [
        ("slow", "no whole answer within 0.3 s"),
        ("garbage", "no JSON Web Key Set"),
        ("list", "no JSON Web Key Set"),
        ("empty", "no JSON Web Key Set"),
        ("huge", "more than 262144 bytes"),
        ("crowded", "at most 100"),
        ("broken", "status 500"),
        ("elsewhere", "status 302"),
    ],
)
async def test_without_keys_nobody_is_let_in_and_the_log_says_why(
    mood: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, clock = Signer("one"), Clock()
    async with KeyServer(one).running() as server, keys_at(server.url, clock, patience=0.3) as keys:
        server.mood = mood
        tokens = verifier(keys)
        with caplog.at_level(logging.ERROR), pytest.raises(Unavailable) as refused:
            await tokens.verify(one.token())
        assert refused.value.code == "signing_keys_unavailable"
        assert refused.value.retry_after == AGAIN
        assert said in caplog.text
        assert "signed tokens are refused" in caplog.text
        for _ in range(5):
            with pytest.raises(Unavailable):
                await tokens.verify(one.token())
        assert server.asked == 1, "it is not asked again and again"
        server.mood = "well"
        clock.time += AGAIN
        await tokens.verify(one.token())


@pytest.mark.real_time
async def test_a_dead_server_costs_nothing_until_its_keys_are_too_old(caplog: pytest.LogCaptureFixture) -> None:
    one, new, clock = Signer("one"), Signer("new"), Clock()
    server = KeyServer(one)
    async with server.running(), keys_at(server.url, clock, lifetime=3_600) as keys:
        tokens = verifier(keys)
        await tokens.verify(one.token())
        server.mood = "broken"
        clock.time += 3_000
        await tokens.verify(one.token())  # and a fetch begins that nobody waits for
        with caplog.at_level(logging.ERROR), pytest.raises(Unavailable):
            await tokens.verify(new.token())  # it may be a key that is newer than ours
        assert "those there are count for 600 s more" in caplog.text
        await tokens.verify(one.token())
        clock.time += 600
        with pytest.raises(Unavailable):
            await tokens.verify(one.token())
        assert "too old: signed tokens are refused" in caplog.text
    async with keys_at(server.url, clock) as keys:  # nobody listens there any more
        with pytest.raises(Unavailable):
            await verifier(keys).verify(one.token())
        assert "nobody answers there" in caplog.text


@pytest.mark.real_time
async def test_keys_are_fetched_anew_before_they_are_too_old_and_nobody_waits() -> None:
    one, clock = Signer("one"), Clock()
    async with KeyServer(one).running() as server, keys_at(server.url, clock, lifetime=600) as keys:
        keys.start()
        await verifier(keys).verify(one.token())
        for _ in range(10):
            clock.time += 301
            await verifier(keys).verify(one.token())
            under_way = keys._under_way
            assert under_way is not None
            await under_way.wait()
        assert server.asked == 11


@pytest.mark.real_time
async def test_an_outage_is_no_wrong_guess() -> None:
    """Whoever comes while the keys cannot be had is told so, and is not made to rest for guessing."""
    one = Signer("one")
    async with keys_at("http://127.0.0.1:1/", Clock()) as keys:
        guarding = entrance(verifier=verifier(keys))
        scope = {
            "type": "http", "client": ("127.0.0.1", 1),
            "headers": [(b"authorization", b"Bearer " + one.token().encode())],
        }  # fmt: skip
        for _ in range(30):
            with pytest.raises(Unavailable):
                await guarding.recognise(scope)
        assert Credentials.of(scope).key.count(".") == 2


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("ftp://127.0.0.1/", "must begin with"),
        ("https://user:word@keys.example/", "no user"),
        ("keys.example", "must begin with"),
        ("http://keys.example/", "must come over https"),
    ],
)
def test_places_that_are_none(url: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        check_place(url)


@pytest.mark.parametrize("rule", ["local_only", "offline"])
def test_local_only_forbids_keys_from_elsewhere(rule: str) -> None:
    require(find_spec("cryptography"), "cryptography is not installed (pip install 'vivavoce[jwt]')")

    def settings(url: str) -> Settings:
        return Settings(server=ServerOptions(jwt=JwtOptions(jwks_url=url)), **{rule: True})

    with pytest.raises(ConfigurationError, match=f"which `{rule}: true` forbids"):
        signing_keys_of(settings("https://keys.example/jwks.json"), SystemClock())
    assert signing_keys_of(Settings(), SystemClock()) is None
    check_place("http://localhost:9000/jwks.json", rule=rule)


def test_one_source_of_keys_is_enough() -> None:
    with pytest.raises(ConfigurationError, match="give one of"):
        SignedTokens.of(JwtOptions(secret="0" * 32, jwks_url="https://keys.example/"))


@pytest.fixture
def signer() -> Signer:
    return Signer("one")


@pytest.fixture
def from_file(tmp_path: Path, signer: Signer) -> SignedTokens:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [signer.public]}))
    return SignedTokens.of(JwtOptions(jwks_file=str(file)))


async def test_keys_may_lie_in_a_file(signer: Signer, from_file: SignedTokens) -> None:
    assert (await from_file.verify(signer.token())).id == "jwt:anna"
    with pytest.raises(NotAllowed):
        await from_file.verify(Signer("other").token())
