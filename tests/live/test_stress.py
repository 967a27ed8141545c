"""Many at once, and many who leave: what they used is free again, and a second round takes no more than the first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.live.server import LiveServer, live_server, spoken
from tests.live.watch import Holdings, fetch, gauges, settled

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SENTENCE = "The ferry leaves the harbour at half past seven and comes back before noon, number {}."
LONG = "The ferry leaves the harbour at half past seven, crosses the bay in forty minutes, and returns before noon. " * 60
PARALLEL = 32
SOCKETS = 200
GROWTH = 24.0
"""Megabytes the server may grow from one settled round to the last: what an allocator keeps back, and no more."""
LOOSE = ("--set", "server.rates.requests_per_minute=0", "--set", "sessions.max_sessions=500")


def body(form: str, text: str) -> dict[str, Any]:
    return {"model": "tts-1", "input": text, "voice": "alloy", "response_format": form}


async def held(server: LiveServer) -> Holdings:
    return await asyncio.to_thread(settled, server.port, server.process.pid)


async def busy(server: LiveServer) -> float:
    return (await asyncio.to_thread(gauges, server.port))["workers.jobs"]


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a process tells of nothing by itself
            await asyncio.sleep(0.02)


async def sentences(server: LiveServer, client: httpx.AsyncClient) -> None:
    """All formats at once: each is answered whole, or told to come back and answered then."""

    async def say(number: int) -> None:
        form = FORMATS[number % len(FORMATS)]
        for _ in range(60):
            answer = await client.post("/v1/audio/speech", json=body(form, SENTENCE.format(number)))
            if answer.status_code != 429:
                break
            assert answer.json()["error"]["retryable"]
            await asyncio.sleep(float(answer.headers["retry-after"]) / 4)
        assert answer.status_code == 200, answer.text
        assert len(answer.content) > 5_000, form

    await asyncio.gather(*(say(number) for number in range(PARALLEL)))


async def leavers(server: LiveServer, client: httpx.AsyncClient) -> None:
    """Readers who hang up with the first sound: the voice is free at once, not when the text is over."""

    async def leave(number: int) -> None:
        form = FORMATS[number % len(FORMATS)]
        async with client.stream("POST", "/v1/audio/speech", json=body(form, LONG)) as answer:
            if answer.status_code == 429:
                return
            async for piece in answer.aiter_bytes():
                assert piece
                break

    for _ in range(3):
        await asyncio.gather(*(leave(number) for number in range(8)))

        async def free() -> bool:
            return await busy(server) == 0

        await until(free)


async def slow(server: LiveServer) -> None:
    """A reader that takes nothing holds one voice and little memory; the others go on; when it goes, all is free."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**10)
    text = json.dumps(body("wav", LONG * 3)).encode()
    head = (
        f"POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(text)}"
    )
    writer.write(head.encode() + b"\r\n\r\n" + text)
    await reader.readexactly(64)
    before = await asyncio.to_thread(fetch, server.port, "/api/status")
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        for number in range(4):
            answer = await client.post("/v1/audio/speech", json=body("pcm", SENTENCE.format(number)))
            assert answer.status_code == 200
    assert before["status"] == "ok"
    writer.transport.abort()

    async def free() -> bool:
        return await busy(server) == 0

    await until(free)


async def abandoned_uploads(server: LiveServer, sound: bytes) -> None:
    """Uploads broken off in the middle, and recordings whose sender leaves while they are read."""
    head = (
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        "Content-Length: {}\r\n\r\n"
    )
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b\r\n'
    form += b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + sound + b"\r\n--b--\r\n"
    for part in (len(form) // 3, len(form)):
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(head.format(len(form)).encode() + form[:part])
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()


async def test_speech_at_once_and_abandoned(tmp_path: Path) -> None:
    pcm = await asyncio.to_thread(spoken, tmp_path, "what is twelve times twelve")
    sound = await asyncio.to_thread((tmp_path / "spoken.wav").read_bytes)
    assert pcm
    async with live_server(*LOOSE) as server:
        limits = httpx.Limits(max_connections=PARALLEL)

        async def round_() -> Holdings:
            async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as client:
                await sentences(server, client)
                await leavers(server, client)
            await slow(server)
            await abandoned_uploads(server, sound)
            return await held(server)

        # Threads and codecs get their memory in the first round.
        _, first, *_, last = [await round_() for _ in range(4)]
        await _no_more(server, first, last)


async def test_idle_sockets_of_each_kind() -> None:
    # Who leaves without a word would be waited for.
    async with live_server(*LOOSE, "--set", "websocket.resume_window=0") as server:

        async def round_() -> Holdings:
            for path, hello in (("/ws/audio", '{"type":"hello"}'), ("/v1/realtime", None)):
                await _idle(server, path, hello)
            return await held(server)

        first, *_, last = [await round_() for _ in range(3)]
        await _no_more(server, first, last)


async def _idle(server: LiveServer, path: str, hello: str | None) -> None:
    """Half of them leave without a word."""
    sockets: list[Any] = []
    try:
        for start in range(0, SOCKETS, 20):
            address = f"ws://127.0.0.1:{server.port}{path}"
            opening = [websockets.connect(address, compression=None, open_timeout=60) for _ in range(20)]
            sockets += await asyncio.gather(*opening)
            for socket in sockets[start:]:
                if hello:
                    await socket.send(hello)
                assert json.loads(await asyncio.wait_for(socket.recv(), 60))["type"] in ("ready", "session.created")
        assert len((await asyncio.to_thread(fetch, server.port, "/api/status"))["sessions"]) == SOCKETS
    finally:
        for number, socket in enumerate(sockets):
            if number % 2:
                socket.transport.abort()
        await asyncio.gather(*(socket.close() for socket in sockets))


POOL = 4


async def _no_more(server: LiveServer, first: Holdings, last: Holdings) -> None:
    """The last round left no more behind than the first."""
    assert last.workers == first.workers, "no worker died"
    assert last.memory < first.memory + GROWTH
    assert last.worker_memory < first.worker_memory + GROWTH

    async def no_more() -> bool:
        """Connections that were just closed are let go of a moment later."""
        now = await held(server)
        # A pool of threads fills up to its bound when it is first wanted.
        return now.descriptors <= first.descriptors and now.tasks <= first.tasks and now.threads <= first.threads + POOL

    try:
        await until(no_more, 30)
    except TimeoutError:
        raise AssertionError(f"more than {first}: {await held(server)}") from None
