"""The doors behind a real server and real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tests.fuzz.raw import CONTINUATION, TEXT, frame
from tests.unit.transports.entrances import entrance
from tests.wire.stage import STAMP, ScriptedSessions, quick
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.contracts.events import ReplyStarted, ResponseCompleted, Waterfall
from vivavoce.flow.clock import SystemClock
from vivavoce.transports.http.handler import application
from vivavoce.transports.options import MAX_AUDIO_MESSAGE, ResumeOptions, ServerOptions
from vivavoce.transports.server import Server, listen
from vivavoce.transports.ws.handler import WebSocketDoor, install

pytestmark = pytest.mark.real_time


class Running:
    def __init__(
        self, options: ServerOptions, drain: float = 5.0, tls: ssl.SSLContext | None = None, resume: float = 60.0
    ) -> None:
        self.sessions = ScriptedSessions()
        self.door = WebSocketDoor(
            self.sessions, options, SystemClock(), entrance(), None, ResumeOptions(resume_window=resume)
        )
        app = application()
        install(app, self.door)
        self.listener = listen(options)
        self.port: int = self.listener.getsockname()[1]
        self.server = Server(
            app, options, lambda: self.door.drain(drain), tls, log_level="error", loop="none", lifespan="off"
        )

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/audio"


@asynccontextmanager
async def serving(
    options: ServerOptions | None = None, drain: float = 5.0, tls: ssl.SSLContext | None = None, resume: float = 60.0
) -> AsyncIterator[Running]:
    running = Running(options or ServerOptions(port=0), drain, tls, resume)
    task = asyncio.get_running_loop().create_task(running.server._serve([running.listener]))
    try:
        await _until(lambda: running.server.started)
        yield running
    finally:
        running.server.should_exit = True
        await asyncio.wait_for(task, 30)
        running.listener.close()


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - uvicorn tells of neither
        await asyncio.sleep(0.01)


async def _json(connection: ClientConnection, kind: str) -> dict[str, object]:
    async with asyncio.timeout(10):
        while True:
            message = await connection.recv()
            if isinstance(message, str):
                found: dict[str, object] = json.loads(message)
                if found["type"] == kind:
                    return found


async def test_a_real_client_talks() -> None:
    async with serving() as running, connect(running.url, compression=None) as client:
        await client.send('{"type":"hello"}')
        await _json(client, "ready")
        await client.send(bytes(640))
        await client.send(bytes(MAX_AUDIO_MESSAGE))
        await client.send('{"type":"ping"}')
        await _json(client, "pong")
        conversation = running.sessions.conversations[0]
        assert conversation.calls == [("start",), ("hear", 640), ("hear", MAX_AUDIO_MESSAGE)]
        conversation.say(STAMP, 480)
        assert len(await client.recv()) == 16 + 960


async def test_compression_is_not_agreed_on() -> None:
    async with serving() as running, connect(running.url, compression="deflate") as client:
        assert client.response is not None
        assert "sec-websocket-extensions" not in client.response.headers


async def test_a_foreign_page_is_told_no_before_the_upgrade() -> None:
    async with serving() as running:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await connect(running.url, origin=websockets.Origin("https://evil.example"))
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["error"]["code"] == "origin_not_allowed"


async def test_a_message_beyond_all_bounds_closes_only_that_connection() -> None:
    async with serving() as running, connect(running.url) as other:
        async with connect(running.url) as client:
            await client.send(bytes(MAX_AUDIO_MESSAGE + 100_000))
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009
        await other.send('{"type":"hello"}')
        await _json(other, "ready")


@pytest.mark.parametrize(
    ("sent", "code", "reason"),
    [
        (frame(TEXT, b"\xff"), 1007, "UTF-8"),
        (frame(TEXT, b"{", fin=False) + frame(CONTINUATION, b"", fin=False) * 5_000, 1008, "frames"),
        (frame(TEXT, b"{}", bits=4), 1002, "reserved"),
    ],
)
async def test_broken_frames_are_refused_with_a_reason_and_are_no_error_of_ours(
    sent: bytes, code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as running, connect(running.url) as other:
        async with connect(running.url) as client:
            await client.send('{"type":"hello"}')
            await _json(client, "ready")
            running.sessions.conversations[0].say(STAMP, 480)  # something is on its way when the connection breaks
            client.transport.write(sent)
            async with asyncio.timeout(20):
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    while True:
                        await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == code
            assert reason in closed.value.rcvd.reason
        await other.send('{"type":"hello"}')
        await _json(other, "ready")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_refusal_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as running:
        with pytest.raises(websockets.InvalidStatus):
            await connect(running.url, origin=websockets.Origin("https://evil.example"))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_stop_lets_the_reply_end_and_says_goodbye() -> None:
    async with serving() as running, connect(running.url) as client:
        await client.send('{"type":"hello"}')
        await _json(client, "ready")
        conversation = running.sessions.conversations[0]
        conversation.emit(ReplyStarted(STAMP))
        running.server.should_exit = True
        await asyncio.sleep(0.5)
        conversation.emit(ResponseCompleted(STAMP, "Hi.", False, Waterfall()))
        await _json(client, "response_complete")
        assert (await _json(client, "goodbye"))["reason"] == "server is stopping"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


async def test_a_second_signal_does_not_wait_for_the_reply() -> None:
    async with serving(drain=60) as running, connect(running.url) as client:
        await client.send('{"type":"hello"}')
        await _json(client, "ready")
        running.sessions.conversations[0].emit(ReplyStarted(STAMP))
        running.server.should_exit = True
        await asyncio.sleep(0.3)
        assert client.close_code is None
        running.server.force_exit = True
        await asyncio.wait_for(client.wait_closed(), 10)


@asynccontextmanager
async def unread(running: Running) -> AsyncIterator[socket.socket]:
    """A peer with a session that reads nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(raw, ("127.0.0.1", running.port))
        await loop.sock_sendall(
            raw,
            b"GET /ws/audio HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        assert b"101" in await loop.sock_recv(raw, 1_000)
        await loop.sock_sendall(raw, b"\x81\x90\0\0\0\0" + b'{"type":"hello"}')
        told = b""
        while b'"type":"ready"' not in told:  # a session that is still being opened would hear nothing of its end
            told += await loop.sock_recv(raw, 4_096)
        yield raw
    finally:
        raw.close()


async def _say_until(running: Running, condition: Callable[[], bool]) -> None:
    """Speak to it on and on; what waits for it is bounded all the while."""
    conversation, offset = running.sessions.conversations[0], 0
    while not condition():
        conversation.say(STAMP, 24_000, offset)
        offset += 24_000
        assert running.door.snapshot()["outbox_bytes_max"] <= ServerOptions().sockets.outbox_bytes
        await asyncio.sleep(0)


def _nobody_there(running: Running) -> bool:
    return not running.door.connections and not running.server.server_state.connections


async def test_a_peer_that_stops_reading_is_dropped_when_too_much_waits_for_it() -> None:
    # The kernel has no part in this: it would wait for ten minutes.
    options = quick(ServerOptions(port=0, unread_timeout=600.0), close_wait=0.5)
    async with serving(options) as running, asyncio.timeout(120):
        async with unread(running):
            await _say_until(running, lambda: bool(running.door.snapshot()["slow_clients"]))
            await _until(lambda: not running.door.connections)
            assert running.sessions.conversations[0].closed == 1, "nobody waits for one who does not read"
            assert len(running.sessions) == 0
        await _until(lambda: _nobody_there(running))


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT is Linux's")
async def test_a_peer_that_stops_reading_is_cut_off_and_leaves_nothing_behind() -> None:
    # Whether the kernel or the door finds out first is a matter of speed; either way all of it is gone.
    options = quick(ServerOptions(port=0, unread_timeout=1.0), close_wait=0.5)
    async with serving(options, resume=0.0) as running, asyncio.timeout(120), unread(running):
        await _say_until(running, lambda: not running.door.connections)
        await _until(lambda: _nobody_there(running))
        assert running.sessions.conversations[0].closed == 1
        assert len(running.sessions) == 0


def test_a_taken_port_is_explained() -> None:
    first = listen(ServerOptions(port=0))
    first.listen()
    port = first.getsockname()[1]
    try:
        with pytest.raises(ConfigurationError, match="choose another port"):
            listen(ServerOptions(port=port))
    finally:
        first.close()


async def test_messages_keep_their_order_whichever_way_they_go() -> None:
    async with serving() as running, connect(running.url, compression=None) as client:
        await client.send(json.dumps({"type": "hello"}))
        await _json(client, "ready")
        conversation = running.sessions.conversations[0]
        expected: list[tuple[object, ...]] = [("start",)]
        for round_ in range(300):
            for size in range(2, 2 + 2 * (round_ % 4), 2):
                await client.send(bytes(size))
                expected.append(("hear", size))
            await client.send(
                json.dumps({"type": "commit"} if round_ % 2 else {"type": "played", "generation": 1, "samples": 5})
            )
            expected.append(("commit",) if round_ % 2 else ("played", 1, 5))
            if round_ % 20 == 0:
                await asyncio.sleep(0.35)  # fewer acknowledgements a second than the limit
        async with asyncio.timeout(10):
            await _until(lambda: len(conversation.calls) == len(expected))
        assert conversation.calls == expected


async def test_audio_out_keeps_its_order_whichever_way_it_goes() -> None:
    async with serving() as running, connect(running.url, compression=None) as client:
        await client.send(json.dumps({"type": "hello"}))
        await _json(client, "ready")
        conversation = running.sessions.conversations[0]
        for turn in range(40):
            conversation.emit(ReplyStarted(STAMP))
            for frame in range(turn % 5):
                conversation.say(STAMP, 10 + frame, offset=turn)
            await asyncio.sleep(0)
        for turn in range(40):
            assert isinstance(await client.recv(), str)
            for frame in range(turn % 5):
                message = await client.recv()
                assert isinstance(message, bytes) and len(message) == 16 + 2 * (10 + frame)
