"""Who may knock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import ConfigurationError, NotAllowed
from vivavoce.transports.guard import Guard
from vivavoce.transports.options import ServerOptions, check_binding

OPTIONS = ServerOptions(allowed_hosts=("Voice.example",), allowed_origins=("https://app.example",))


def _headers(host: str | None, origin: str | None) -> list[tuple[bytes, bytes]]:
    return [(k, v.encode("latin-1")) for k, v in ((b"host", host), (b"origin", origin)) if v is not None]


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8765", None),
        ("localhost", None),
        ("LOCALHOST:1", None),
        ("[::1]:8765", None),
        ("127.1.2.3", None),
        ("voice.example", None),
        ("voice.example:443", "https://app.example"),
        ("voice.example:443", "https://voice.example:443"),
        ("127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("127.0.0.1:8765", "http://localhost:3000"),
        ("127.0.0.1:8765", "https://app.example"),
    ],
)
def test_friends_come_in(host: str, origin: str | None) -> None:
    Guard(OPTIONS).check(_headers(host, origin))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (None, None),
        ("", None),
        ("evil.example", None),
        ("localhost.evil.example", None),
        ("127.0.0.1.evil.example", None),
        ("evil.example:127", "http://evil.example:127"),
        ("localhost@evil.example", None),
        ("evil.example@localhost", None),
        ("localhost:8765:1", None),
        ("localhost:port", None),
        ("localhost/evil", None),
        ("127.0.0.1:8765", "http://evil.example"),
        ("127.0.0.1:8765", "null"),
        ("127.0.0.1:8765", ""),
        ("127.0.0.1:8765", "file://"),
        ("127.0.0.1:8765", "http://localhost.evil.example"),
        ("127.0.0.1:8765", "http://localhost@evil.example"),
        ("127.0.0.1:8765", "chrome-extension://localhost"),
        ("127.0.0.1:8765", "https://app.example.evil.example"),
        ("127.0.0.1:8765", "http://app.example"),
    ],
)
def test_strangers_stay_out(host: str | None, origin: str | None) -> None:
    with pytest.raises(NotAllowed):
        Guard(OPTIONS).check(_headers(host, origin))


def test_two_hosts_are_a_trick() -> None:
    with pytest.raises(NotAllowed):
        Guard(OPTIONS).check([(b"host", b"localhost"), (b"Host", b"evil.example")])


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_header_crashes_the_guard(host: bytes, origin: bytes) -> None:
    try:
        Guard(OPTIONS).check([(b"host", host), (b"origin", origin)])
    except NotAllowed as error:
        assert error.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_key(host: str) -> None:
    check_binding(ServerOptions(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "voice.example", ""])
def test_the_network_needs_a_key(host: str) -> None:
    with pytest.raises(ConfigurationError, match="API key"):
        check_binding(ServerOptions(host=host))
    check_binding(ServerOptions(host=host), protected=True)
