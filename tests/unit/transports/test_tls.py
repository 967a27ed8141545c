"""The listener's certificate: what is wrong with one is said before anything listens, and what is right is spoken."""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus

from tests.unit.transports.certificates import Certificate, certificate
from tests.unit.transports.test_server import _json, serving
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.transports.options import ServerOptions, TlsOptions, check_binding
from vivavoce.transports.tls import context_of


def options_of(made: Certificate, password: str = "") -> TlsOptions:
    return TlsOptions(str(made.certificate), str(made.key), password)


def refused(options: TlsOptions) -> str:
    with pytest.raises(ConfigurationError) as caught:
        context_of(options)
    return caught.value.message


def test_without_a_certificate_there_is_no_tls() -> None:
    assert context_of(TlsOptions()) is None


def test_what_is_wrong_is_named_with_its_file(tmp_path: Path) -> None:
    one, other = certificate(tmp_path, "one"), certificate(tmp_path, "other")
    rsa = certificate(tmp_path, "rsa", algorithm="rsa")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    nowhere = tmp_path / "nowhere.pem"
    assert "without server.tls.certificate_file" in refused(TlsOptions(key_file=str(one.key)))
    assert f"certificate_file: {nowhere} cannot be read" in refused(TlsOptions(str(nowhere), str(one.key)))
    assert f"key_file: {nowhere} cannot be read" in refused(TlsOptions(str(one.certificate), str(nowhere)))
    for wrong in (other, rsa):
        message = refused(TlsOptions(str(one.certificate), str(wrong.key)))
        assert f"the key in {wrong.key} does not belong to the certificate in {one.certificate}" in message
    assert f"{garbage} holds no certificate" in refused(TlsOptions(str(garbage), str(one.key)))
    assert f"{one.key} holds no certificate" in refused(TlsOptions(str(one.key), str(one.certificate)))
    assert f"{one.certificate} holds no private key" in refused(TlsOptions(str(one.certificate)))
    assert "cannot be read" in refused(TlsOptions(str(tmp_path), str(one.key)))


def test_a_key_may_be_locked_and_may_stand_beside_the_certificate(tmp_path: Path) -> None:
    locked = certificate(tmp_path, "locked", password="over the hill")
    assert "set VIVAVOCE_SERVER__TLS__PASSWORD" in refused(options_of(locked))
    assert "is not the one" in refused(options_of(locked, "under the hill"))
    assert context_of(options_of(locked, "over the hill")) is not None
    together = tmp_path / "together.pem"
    plain = certificate(tmp_path, "plain")
    together.write_bytes(plain.certificate.read_bytes() + plain.key.read_bytes())
    assert context_of(TlsOptions(str(together))) is not None


def test_a_certificate_is_no_key_to_the_network(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    with pytest.raises(ConfigurationError, match="without an API key"):
        check_binding(ServerOptions(host="0.0.0.0", tls=options_of(made)))


@pytest.fixture
def made(tmp_path: Path) -> Certificate:
    return certificate(tmp_path)


@pytest.fixture
def context(made: Certificate) -> ssl.SSLContext:
    found = context_of(options_of(made))
    assert found is not None
    return found


@pytest.mark.real_time
async def test_wss_is_spoken_and_ws_is_not(made: Certificate, context: ssl.SSLContext) -> None:
    trusting = made.trusting()
    async with serving(tls=context) as running:
        secure = running.url.replace("ws:", "wss:")
        async with connect(secure, ssl=trusting, compression=None) as client:
            await client.send('{"type":"hello"}')
            await _json(client, "ready")
            await client.send(bytes(640))
            await client.send('{"type":"ping"}')
            await _json(client, "pong")
            assert ("hear", 640) in running.sessions.conversations[0].calls
            with pytest.raises(InvalidStatus) as foreign:
                await connect(secure, ssl=trusting, origin="https://evil.example")  # type: ignore[arg-type]
            assert foreign.value.response.status_code == 403
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(secure)
        with pytest.raises((OSError, EOFError, InvalidMessage)):
            await connect(running.url)


@pytest.mark.real_time
async def test_https_is_answered_and_nothing_older_than_tls_1_2(made: Certificate, context: ssl.SSLContext) -> None:
    old = made.trusting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(tls=context) as running:
        async with httpx.AsyncClient(verify=made.trusting(), trust_env=False) as client:
            assert (await client.get(f"https://127.0.0.1:{running.port}/nothing")).status_code == 404
        async with httpx.AsyncClient(verify=old, trust_env=False) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://127.0.0.1:{running.port}/nothing")
