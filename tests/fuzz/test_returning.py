"""Clients on real sockets whose connections break at any point, and who come back, rightly or wrongly; also over TLS.

What they were sent has no gap and nothing twice; whoever may not come back gets nothing; in the end nothing is left.
Without sockets, and with many more examples: ``test_resuming.py``.
"""

from __future__ import annotations

import json
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.raw import BINARY, CLOSE, TEXT, Attacker, frame
from tests.fuzz.serving import Server, serving
from tests.unit.transports.certificates import certificate

pytestmark = [pytest.mark.process, pytest.mark.engine]

FIXED = settings(
    max_examples=12, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)  # fmt: skip
MEMORY_MB = 24.0
"""What all examples together may make the server grow: what an allocator keeps back, and no more."""

Way = Literal["right", "again", "wrong token", "used token", "seq too high", "samples too high", "another's"]
WAYS: list[Way] = ["right", "again", "wrong token", "used token", "seq too high", "samples too high", "another's"]
seen: Counter[str] = Counter()


@pytest.fixture(scope="module", params=["open", "tls"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = certificate(tmp_path_factory.mktemp("tls")) if request.param == "tls" else None
    # On a busy machine the way back takes its time; those who stay away say goodbye in the end.
    with serving("--set", "websocket.resume_window=600", made=made) as running:
        yield running


class Returner:
    """Keeps the books of what it was sent."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._line: Attacker | None = None
        self._booked = 0
        self.session = self.token = ""
        self._used: list[str] = []
        self._seq = 0
        self._over = 0
        self._audio: dict[int, int] = {}
        self._lines: list[Attacker] = []

    def begin(self) -> None:
        self._line = self._new_line()
        self.say({"type": "hello", "acknowledge": True})
        ready = self._answer(self._line)
        assert ready["type"] == "ready", ready
        self.session, self.token, self._seq, self._booked = ready["session"], ready["resume"]["token"], 1, 1

    def say(self, message: dict[str, Any]) -> None:
        assert self._line is not None
        self._line.send(frame(TEXT, json.dumps(message).encode()))

    def hear(self, quiet: float) -> None:
        """Take what comes."""
        if self._line is not None:
            self._line.read(quiet)
            self._book(self._line)

    def ask(self) -> None:
        """Talk, and take a part of the answer."""
        if self._line is not None:
            self.say({"type": "text", "text": "hello"})
            self._line.send(frame(BINARY, bytes(640)) * 3)
            self.hear(0.01)

    def cut(self, how: int) -> None:
        """The connection breaks; or it seems to live, and is taken over."""
        line, self._line = self._line, None
        if line is None:
            return
        whole = frame(TEXT, b'{"type":"ping","id":"' + b"x" * 90 + b'"}')
        if how % 5 == 1:
            line.send(whole[: 1 + how * 7 % len(whole)])
        elif how % 5 == 2:
            line.send(whole * 3)
            line.stop_sending()
        elif how % 5 == 3:
            return  # nobody says that it is gone
        elif how % 5 == 4:
            line.send(frame(BINARY, bytes(640)) * how)
        if how % 5 != 2:
            line.reset()

    def resume(self, way: Way, amount: int, other: Returner) -> None:
        if way == "used token" and self._line is not None:
            self.say({"type": "ping"})  # a token is used up when its successor is known to have arrived
            self.hear(0.5)
        seq = max(1, self._seq - amount) if way == "again" else self._seq
        newest = max(self._audio, default=None)
        samples = 0 if newest is None else self._audio[newest]
        wish = {"type": "resume", "session": self.session, "token": self.token, "seq": seq,
                "generation": newest, "samples": samples}  # fmt: skip
        match way:
            case "wrong token":
                wish["token"] = self.token[::-1]
            case "used token" if self._used and self._line is not None:
                wish["token"] = self._used[-1]
            case "seq too high":
                wish["seq"] = seq + 1_000
            case "samples too high":
                wish |= {"generation": (newest or 0) + 10, "samples": 10**6}
            case "another's" if other.session and other is not self:
                wish["session"] = other.session
            case _:
                way = "right"
        line = self._new_line()
        line.send(frame(TEXT, json.dumps(wish).encode()))
        answer = self._answer(line)
        seen[f"{way}: {answer.get('code', answer['type'])}"] += 1
        if way != "right":
            assert answer["type"] == "error" and answer["code"] in ("session_not_found", "resume_gap"), (way, answer)
            line.send(frame(CLOSE, b"\x03\xe8"))
            return
        assert answer["type"] == "session_resumed", answer
        if self._line is not None:
            self._line.read(0.05)  # of the one that was taken over nothing counts any more
        self._used.append(self.token)
        self._line, self.token, self._seq, self._booked = line, answer["resume"]["token"], seq, 1
        self.say({"type": "ping"})
        self._book(line)

    def end(self) -> None:
        """Come back for the last time, hear the rest, and say goodbye."""
        self.resume("right", 0, self)
        assert self._line is not None
        self.say({"type": "goodbye"})
        end = time.monotonic() + 60
        while self._line.code is None and time.monotonic() < end:
            self.hear(0.1)
        assert self._line.code == 1000, (self._line.code, self._line.reason)

    def close(self) -> None:
        for line in self._lines:
            line.close()

    def _new_line(self) -> Attacker:
        line = self._server.attacker("/ws/audio")
        self._lines.append(line)
        line.upgrade()
        return line

    def _answer(self, line: Attacker) -> dict[str, Any]:
        end = time.monotonic() + 60
        while not line.frames and not line.dead:
            assert time.monotonic() < end, "no answer"
            line.read(0.01)
        opcode, payload = line.frames[0]
        assert opcode == TEXT
        found: dict[str, Any] = json.loads(payload)
        return found

    def _book(self, line: Attacker) -> None:
        for opcode, payload in line.frames[self._booked :]:
            if opcode == TEXT:
                event = json.loads(payload)
                assert event["seq"] == self._seq + 1, (event, self._seq)
                self._seq = event["seq"]
                if event["type"] == "interrupted":
                    self._over = event["generation"]
            elif opcode == BINARY:
                generation, offset = struct.unpack_from("<II", payload, 8)
                assert generation > self._over
                assert offset == self._audio.get(generation, 0), "no sample is missing and none comes twice"
                self._audio[generation] = offset + (len(payload) - 16) // 2
        self._booked = len(line.frames)


Move = tuple[Literal["ask", "hear", "cut", "back"], int, Way, int]
moves = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "hear", "cut", "cut", "back", "back", "back"]),
        st.integers(0, 1),
        st.sampled_from([*WAYS, "right"]),
        st.integers(0, 9),
    ),
    min_size=4,
    max_size=14,
)


def test_who_comes_back_misses_nothing_and_nobody_else_comes_in(server: Server) -> None:
    _break(server, [("ask", 0, "right", 1), ("cut", 0, "right", 1)])
    before = server.settled()
    seen.clear()

    @FIXED
    @given(moves)
    def break_and_return(doing: list[Move]) -> None:
        _break(server, doing)

    break_and_return()
    assert server.no_more_than(before), (before, server.holdings())
    assert server.settled().workers == before.workers
    assert server.holdings().memory < before.memory + MEMORY_MB
    for kind in ("right: session_resumed", "wrong token: session_not_found", "used token: session_not_found",
                 "seq too high: resume_gap", "another's: session_not_found"):  # fmt: skip
        assert seen[kind], seen


def _break(server: Server, doing: list[Move]) -> None:
    people = [Returner(server) for _ in range(2)]
    try:
        for person in people:
            person.begin()
        for kind, who, way, amount in doing:
            person, other = people[who], people[1 - who]
            if kind == "ask":
                person.ask()
            elif kind == "hear":
                person.hear(0.02 * amount)
            elif kind == "cut":
                person.cut(amount)
            else:
                person.resume(way, amount, other)
        for person in people:
            person.end()
        server.unharmed()
    finally:
        for person in people:
            person.close()


def test_two_come_back_at_once(server: Server) -> None:
    """Both with the same right token: the session goes on over one of them, and the other is told."""
    before = server.settled()
    for _ in range(10):
        _both(server)
    assert server.no_more_than(before), (before, server.holdings())
    server.unharmed()


def _both(server: Server) -> None:
    first = server.attacker("/ws/audio")
    lines = [server.attacker("/ws/audio") for _ in range(2)]
    try:
        first.upgrade()
        first.send(frame(TEXT, b'{"type":"hello"}'))
        _until(lambda: first.messages(), first)
        [ready] = first.messages()
        first.reset()
        for line in lines:
            line.upgrade()
        wish = {"type": "resume", "session": ready["session"], "token": ready["resume"]["token"], "seq": 1}
        for line in lines:
            line.send(frame(TEXT, json.dumps(wish).encode()))
        _until(lambda: all(line.messages() for line in lines), *lines)
        assert [line.messages()[0]["type"] for line in lines] == ["session_resumed"] * 2
        _until(lambda: any(line.code == 4001 for line in lines), *lines)
        [winner] = [line for line in lines if line.code is None]
        winner.send(frame(TEXT, b'{"type":"goodbye"}'))
        _until(lambda: winner.code == 1000, winner)
    finally:
        for line in (first, *lines):
            line.close()


def _until(condition: Callable[[], object], *lines: Attacker) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, [(line.code, line.reason, line.messages()) for line in lines]
        for line in lines:
            line.read(0.01)
