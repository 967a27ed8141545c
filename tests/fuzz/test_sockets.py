"""Broken clients on the real sockets of a real server: it lives, everybody else is served, nothing is left behind.

The examples are the same in every run (hypothesis, derandomised). The same doors without sockets, with many more examples:
``test_doors.py``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection

from tests.fuzz.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, REASONED, TEXT, Attacker, frame
from tests.fuzz.serving import Server, serving

pytestmark = [pytest.mark.process, pytest.mark.engine]

UNREAD_MB = 48.0
"""What a peer that does not read may make the server hold: 8 MiB to be sent, and as much again on its way, several times."""

PATHS = ("/ws/audio", "/v1/realtime?model=gpt-realtime")
FIXED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)

Move = Callable[[Attacker], None]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


# --- what a client may do -----------------------------------------------------------------------------------------------

SENSIBLE: list[dict[str, Any]] = [
    {"type": "hello"}, {"type": "text", "text": "hello"}, {"type": "ping"}, {"type": "interrupt"}, {"type": "commit"},
    {"type": "reset"}, {"type": "played", "generation": 1, "samples": 10}, {"type": "setMode", "mode": "manual"},
    {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}, {"type": "response.create"},
    {"type": "input_audio_buffer.append", "audio": "AAAA"}, {"type": "input_audio_buffer.commit"},
    {"type": "response.cancel"},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []}},
]  # fmt: skip

opcodes = st.sampled_from([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, 3, 7, 11, 15])
sensible = st.sampled_from(SENSIBLE).map(lambda message: json.dumps(message).encode())
payloads = st.one_of(
    sensible,
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xfe", b"\xed\xa0\x80", b"{", b'{"type":1e999}', b"[" * 20_000, b"x" * 200_000, bytes(640)]),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


def sent(data: bytes) -> Move:
    return lambda attacker: attacker.send(data)


def pieces(payload: bytes, opcode: int, count: int, between: bytes) -> bytes:
    """A message in several frames, with something between them."""
    step = max(1, len(payload) // count)
    cut = [payload[at : at + step] for at in range(0, len(payload), step)] or [b""]
    out = []
    for number, piece in enumerate(cut):
        out.append(frame(opcode if number == 0 else CONTINUATION, piece, fin=number == len(cut) - 1))
    return between.join(out)


whole = st.builds(frame, st.sampled_from([TEXT, BINARY]), payloads).map(sent)
broken = st.builds(
    frame, opcodes, payloads, fin=st.booleans(), bits=st.sampled_from([0, 0, 0, 1, 4, 7]), masked=st.booleans()
).map(sent)
lying = st.builds(
    frame, st.sampled_from([TEXT, BINARY, PING, CLOSE]), st.binary(max_size=40),
    length=st.sampled_from([0, 1, 125, 126, 65_535, 2**20, 2**24, 2**32, 2**63 - 1, 2**64 - 1]),
).map(sent)  # fmt: skip
fragmented = st.builds(
    pieces, payloads, st.sampled_from([TEXT, BINARY]), st.integers(2, 9),
    st.sampled_from([b"", frame(PING, b"hi"), frame(PONG, b""), frame(TEXT, b"{}"), frame(CLOSE, b"\x03\xe8")]),
).map(sent)  # fmt: skip
abandoned = st.tuples(payloads, st.floats(0.0, 1.0)).map(
    lambda given: sent(frame(TEXT, given[0])[: round((len(given[0]) + 6) * given[1])])
)
garbage = st.binary(min_size=1, max_size=600).map(sent)
tiny = st.tuples(st.sampled_from([TEXT, BINARY, PING, PONG, CONTINUATION]), st.integers(1, 3_000)).map(
    lambda given: sent(frame(given[0], b"") * given[1])
)
drips = st.binary(min_size=2, max_size=24).map(
    lambda data: lambda attacker: [attacker.send(frame(TEXT, data)[at : at + 1]) for at in range(len(data) + 6)] and None
)
closing = st.tuples(st.sampled_from([0, 999, 1000, 1005, 1006, 1015, 4999, 65_535]), st.binary(max_size=130)).map(
    lambda given: sent(frame(CLOSE, given[0].to_bytes(2, "big") + given[1]))
)
ends: st.SearchStrategy[Move] = st.sampled_from([Attacker.stop_sending, Attacker.reset])
waiting: st.SearchStrategy[Move] = st.sampled_from([lambda attacker: attacker.read(0.02), lambda attacker: time.sleep(0.02)])
moves = st.lists(
    st.one_of(whole, whole, broken, lying, fragmented, abandoned, garbage, tiny, drips, closing, ends, waiting),
    min_size=1,
    max_size=8,
)


@FIXED
@given(path=st.sampled_from(PATHS), doing=moves)
def test_whatever_a_client_sends_others_are_served(server: Server, path: str, doing: list[Move]) -> None:
    attack(server, path, doing)


def attack(server: Server, path: str, doing: list[Move]) -> None:
    """Make these moves, and see how it ends and that others are served."""
    attacker = server.attacker(path)
    try:
        attacker.upgrade()
        for move in doing:
            move(attacker)
        attacker.read(0.1)
        if attacker.code is not None:
            # A close of the client's own comes back to it with its own code.
            echoed = attacker.code == 1005 or 3_000 <= attacker.code < 5_000
            assert echoed or attacker.code in REASONED, (attacker.code, attacker.reason)
        if attacker.dead and not attacker.ours:
            assert attacker.code is not None, "closed without a close frame"
        server.unharmed()
    finally:
        attacker.close()


@pytest.mark.slow
def test_nothing_is_left_behind(server: Server) -> None:
    """Rounds of broken clients leave no descriptor, task, thread, job, session or dead worker."""
    _round(server)
    before = server.settled()
    for _ in range(3):
        _round(server)
    assert server.no_more_than(before), (before, server.holdings())
    assert server.settled().workers == before.workers
    server.unharmed()
    server.witness.send(json.dumps({"type": "text", "text": "are you there"}))
    while json.loads(_text(server.witness))["type"] != "response_complete":
        pass


def _round(server: Server) -> None:
    """Ways to leave, forty of each at once."""
    ways: list[Callable[[Attacker], None]] = [
        Attacker.reset,
        Attacker.stop_sending,
        lambda attacker: attacker.send(frame(TEXT, b'{"type":"text","text":"hello"}')[:9]),
        lambda attacker: attacker.send(frame(TEXT, b"x", fin=False)),
        lambda attacker: attacker.send(frame(BINARY, bytes(640)) * 20),
        lambda attacker: attacker.send(frame(TEXT, b"\xff")),
        lambda attacker: attacker.send(frame(TEXT, b'{"type":"hello"}') + frame(TEXT, b'{"type":"text","text":"hello"}')),
    ]
    for path in PATHS:
        attackers = [server.attacker(path) for _ in range(20)]
        for number, attacker in enumerate(attackers):
            attacker.upgrade()
            ways[number % len(ways)](attacker)
        for attacker in attackers:
            attacker.close()
    server.unharmed()


def _text(connection: ClientConnection) -> str:
    while True:
        message = connection.recv(timeout=20)
        if isinstance(message, str):
            return message


@pytest.mark.parametrize(
    ("path", "what", "code"),
    [
        ("/ws/audio", frame(TEXT, b"\xff\xff"), 1007),
        ("/v1/realtime", frame(TEXT, b"\xff\xff"), 1007),
        ("/ws/audio", frame(TEXT, b"{}", masked=False), 1002),
        ("/v1/realtime", frame(TEXT, b"{}", bits=4), 1002),
        ("/ws/audio", frame(3, b""), 1002),
        ("/ws/audio", frame(CONTINUATION, b""), 1002),
        ("/ws/audio", frame(BINARY, b"", length=2**21), 1009),
        ("/v1/realtime", frame(TEXT, b"", length=2**25), 1009),
        ("/ws/audio", frame(PING, bytes(126)), 1002),
        ("/ws/audio", frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 5_000, 1008),
        ("/ws/audio", frame(CLOSE, b"\x03\xe8"), 1000),
        ("/v1/realtime", frame(TEXT, b"[]") * 60, 1008),
    ],
)
def test_a_refused_connection_is_told_why(server: Server, path: str, what: bytes, code: int) -> None:
    attacker = server.attacker(path)
    try:
        attacker.upgrade()
        attacker.send(what)
        attacker.read(15.0)
        assert attacker.code == code, (attacker.code, attacker.reason, attacker.messages()[-2:])
        assert attacker.dead, "the connection is closed behind it"
        server.unharmed()
    finally:
        attacker.close()


def test_a_client_that_does_not_read_is_dropped(server: Server) -> None:
    """It asks and asks and takes nothing: bounded memory, an end, and nobody else waits."""
    before = server.settled()
    for path, message in (
        ("/ws/audio", b'{"type":"ping","id":"' + b"x" * 100 + b'"}'),
        ("/ws/audio", b""),
        ("/v1/realtime", b'{"type":"session.update","session":{"type":"realtime","instructions":"' + b"x" * 60_000 + b'"}}'),
    ):
        attacker = server.attacker(path)
        try:
            attacker.upgrade()
            attacker._socket.settimeout(1.0)
            for _ in range(400):
                attacker.send(frame(TEXT, message) * 10 if message else frame(PING, bytes(125)) * 2_000)
                if attacker.dead:
                    break
            server.unharmed()
            assert server.holdings().memory < before.memory + UNREAD_MB, path
        finally:
            attacker.close()
    assert server.settled().tasks <= before.tasks
