"""Broken clients at a TLS port: plain text, garbage, handshakes that are given up at any point, and the moves of
``test_sockets.py`` inside of it. The server lives, others are served, nothing is left.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import require
from tests.fuzz import test_sockets
from tests.fuzz.serving import Server, serving
from tests.fuzz.test_sockets import PATHS, Move
from tests.unit.transports.certificates import certificate

pytestmark = [pytest.mark.process, pytest.mark.engine]

FIXED = settings(
    max_examples=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(made=certificate(tmp_path_factory.mktemp("tls"))) as running:
        yield running


@FIXED
@given(path=st.sampled_from(PATHS), doing=test_sockets.moves)
def test_whatever_a_client_sends_inside_of_tls_others_are_served(server: Server, path: str, doing: list[Move]) -> None:
    test_sockets.attack(server, path, doing)


Leave = Callable[[socket.socket], None]


def reset(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def wait_for_the_end(line: socket.socket) -> None:
    """Half of it is closed; the server closes the other."""
    line.shutdown(socket.SHUT_WR)
    while line.recv(65_536):
        pass


LEAVES: list[Leave] = [reset, socket.socket.close, wait_for_the_end]


def hello(version: ssl.TLSVersion) -> bytes:
    """The first bytes of a client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()
    raise AssertionError("a handshake without a server")


HELLOS = [hello(ssl.TLSVersion.TLSv1_2), hello(ssl.TLSVersion.TLSv1_3)]


def shaken(data: bytes, at: int, byte: int) -> bytes:
    """One byte is another."""
    at %= len(data)
    return data[:at] + bytes([byte]) + data[at + 1 :]


openings = st.one_of(
    st.sampled_from([
        b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\x16", b"\x16\x03\x01\xff\xff",
        b"\x15\x03\x03\x00\x02\x02\x28", b"\x17\x03\x03\x40\x00" + bytes(16_384), b"\x80\x2e\x01\x00\x02", b"x" * 100_000,
    ]),
    st.binary(max_size=600),
    st.tuples(st.sampled_from(HELLOS), st.floats(0.0, 1.0)).map(lambda given: given[0][: round(len(given[0]) * given[1])]),
    st.builds(shaken, st.sampled_from(HELLOS), st.integers(0, 2_000), st.integers(0, 255)),
    st.tuples(st.sampled_from(HELLOS), st.binary(min_size=1, max_size=300)).map(lambda given: given[0] + given[1]),
    st.sampled_from(HELLOS).map(lambda data: data + data),
)  # fmt: skip


def knock(server: Server, opening: bytes, leave: Leave) -> None:
    line = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    try:
        line.sendall(opening)
        leave(line)
    except ConnectionError:
        pass  # it had enough
    finally:
        line.close()


@settings(FIXED, max_examples=150)
@given(openings, st.sampled_from(LEAVES))
def test_handshakes_that_come_to_nothing(server: Server, opening: bytes, leave: Leave) -> None:
    knock(server, opening, leave)
    server.unharmed()


def test_who_is_silent_in_the_middle_of_a_handshake_keeps_nobody_waiting(server: Server) -> None:
    before = server.settled()
    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=60) for _ in range(50)]
    try:
        for number, line in enumerate(silent):
            line.sendall(HELLOS[number % 2][: 1 + number * 7])
        server.unharmed()
    finally:
        for line in silent:
            line.close()
    assert server.no_more_than(before), (before, server.holdings())


def test_handshakes_leave_nothing_behind(server: Server) -> None:
    def round_() -> None:
        for opening in (b"", b"GET / HTTP/1.1\r\n\r\n", *HELLOS, *(data[:90] for data in HELLOS), b"\x16\x03\x01\xff\xff"):
            for leave in LEAVES:
                for _ in range(4):
                    knock(server, opening, leave)
        for _ in range(10):  # a handshake that is whole, and an end without a word
            attacker = server.attacker(PATHS[0])
            attacker.reset()

    round_()
    before = server.settled()
    for _ in range(3):
        round_()
    assert server.no_more_than(before), (before, server.holdings())
    server.unharmed()


def test_nobody_renegotiates(server: Server) -> None:
    openssl = shutil.which("openssl")
    require(openssl, "openssl is not installed (Debian: apt-get install openssl)")
    assert openssl is not None
    words = [openssl, "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2", "-legacy_server_connect"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin is not None and client.stdout is not None
        for line in iter(partial(client.stdout.readline), b""):
            if b"Verify return code" in line or b"Extended master secret" in line:
                break
        client.stdin.write(b"R\n")  # the command of this client to renegotiate
        said, _ = client.communicate(timeout=120)
    assert b"RENEGOTIATING" in said and b"no renegotiation" in said, said
    server.unharmed()
