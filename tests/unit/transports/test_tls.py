"""The listener's certificate: what is wrong with one is said before anything listens, and what is right is spoken."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus

from tests.unit.transports.certificates import Certificate, certificate
from tests.unit.transports.test_server import _json, serving
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.transports.certificates import end_of
from vivavoce.transports.options import ServerOptions, TlsOptions, check_binding
from vivavoce.transports.tls import Tls, context_of


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


def dated(ends: datetime, begins: datetime = datetime(1970, 1, 1, tzinfo=UTC)) -> bytes:
    """A certificate in PEM form, by another library; not every ``openssl`` can be given dates."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a" * 60), x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")] * 3)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begins, ends)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@settings(max_examples=60, derandomize=True, database=None)
@given(st.integers(400 * 86_400, 253_402_300_799))
def test_the_end_of_a_certificate_is_read_in_both_forms_of_time(seconds: int) -> None:
    ends = datetime.fromtimestamp(seconds, UTC)
    pem = dated(ends)
    assert end_of(b"Bag Attributes\n" + pem + dated(ends - timedelta(days=300))) == ends.timestamp()


def test_a_certificate_that_is_cut_off_has_no_end() -> None:
    pem = dated(datetime(2030, 5, 6, tzinfo=UTC))
    for size in range(len(pem) - 20):
        with pytest.raises(ValueError, match=r"certificate"):
            end_of(pem[:size])
    der = base64.b64decode(b"".join(pem.splitlines()[1:-1]))
    for size in range(len(der) // 2):
        cut = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der[:size]) + b"\n-----END CERTIFICATE-----\n"
        with pytest.raises(ValueError, match=r"certificate"):
            end_of(cut)


@pytest.mark.real_time
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_renewed_pair_is_shown_to_new_clients_and_old_ones_stay(tmp_path: Path, version: ssl.TLSVersion) -> None:
    old, new = certificate(tmp_path, "old"), certificate(tmp_path, "new", algorithm="rsa")
    files = certificate(tmp_path, "files")
    files.renew(old)
    tls = await asyncio.to_thread(Tls, options_of(files))
    old_trust, new_trust = old.trusting(), new.trusting()
    for trust in (old_trust, new_trust):
        trust.maximum_version = version
    async with serving(tls=tls.context) as running:
        secure = running.url.replace("ws:", "wss:")
        async with connect(secure, ssl=old_trust, compression=None) as before:
            await before.send('{"type":"hello"}')
            await _json(before, "ready")
            assert not await asyncio.to_thread(tls.refresh), "nothing has changed"
            files.renew(new)
            assert await asyncio.to_thread(tls.refresh) and not await asyncio.to_thread(tls.refresh)
            for named in ("127.0.0.1", "localhost"):  # no server name is sent for an address
                async with connect(secure, ssl=new_trust, server_hostname=named, compression=None) as after:
                    await after.send('{"type":"hello"}')
                    await _json(after, "ready")
                with pytest.raises(ssl.SSLCertVerificationError):
                    await connect(secure, ssl=old_trust, server_hostname=named)
            await before.send('{"type":"ping"}')
            await _json(before, "pong")
            for path in (files.certificate, files.key):
                path.unlink()
            for path, source in ((files.certificate, old.certificate), (files.key, old.key)):
                path.symlink_to(source)  # as certbot does it
            assert await asyncio.to_thread(tls.refresh)
            async with connect(secure, ssl=old_trust, compression=None):
                pass


@pytest.mark.real_time
async def test_a_broken_pair_is_refused_and_the_old_one_serves_on(tmp_path: Path) -> None:
    old, new = certificate(tmp_path, "old"), certificate(tmp_path, "new")
    files = certificate(tmp_path, "files")
    files.renew(old)
    tls = await asyncio.to_thread(Tls, options_of(files))
    ends = tls.ends
    whole, key = new.certificate.read_bytes(), new.key.read_bytes()

    def wrong() -> Iterator[tuple[str, str]]:
        files.certificate.write_bytes(whole)
        yield "does not belong", "the certificate is there before its key"
        files.certificate.write_bytes(whole[: len(whole) // 2])
        yield "holds no certificate", "half of it is written"
        files.certificate.write_bytes(b"")
        yield "holds no certificate", "nothing of it is written"
        files.certificate.write_bytes(whole)
        files.key.write_bytes(key[: len(key) // 2])
        yield "cannot be used|holds no private key", "half of the key is written"
        files.key.unlink()
        yield "cannot be read", "the key is about to be put there"

    async with serving(tls=tls.context) as running:
        secure = running.url.replace("ws:", "wss:")
        for message, why in wrong():
            for _ in range(2):  # it stays wrong for as long as it is wrong
                with pytest.raises(ConfigurationError, match=message):
                    await asyncio.to_thread(tls.refresh)
            async with connect(secure, ssl=old.trusting(), compression=None) as client:
                await client.send('{"type":"hello"}')
                assert await _json(client, "ready"), why
        assert tls.ends == ends
        files.key.write_bytes(key)
        assert await asyncio.to_thread(tls.refresh)
        async with connect(secure, ssl=new.trusting()):
            pass


@pytest.mark.real_time
async def test_clients_that_come_while_the_pair_is_renewed_again_and_again_see_one_or_the_other(tmp_path: Path) -> None:
    one, other = certificate(tmp_path, "one"), certificate(tmp_path, "other", algorithm="rsa")
    files = certificate(tmp_path, "files")
    files.renew(one)
    tls = await asyncio.to_thread(Tls, options_of(files))
    either = ssl.create_default_context(cafile=str(one.certificate))
    either.load_verify_locations(other.certificate)
    refusals = 0
    async with serving(tls=tls.context) as running:

        async def come() -> None:
            async with connect(running.url.replace("ws:", "wss:"), ssl=either, compression=None) as client:
                await client.send('{"type":"hello"}')
                await _json(client, "ready")

        for number in range(12):
            coming = asyncio.gather(*(come() for _ in range(4)))
            for source, path in (((other, one)[number % 2].certificate, files.certificate),
                                 ((other, one)[number % 2].key, files.key)):  # fmt: skip
                shutil.copy(source, path)
                try:
                    await asyncio.to_thread(tls.refresh)
                except ConfigurationError:
                    refusals += 1
            await coming
    assert refusals == 12, "each time the key followed its certificate"
