"""Many at once, and many who leave: what they used is free again, and a second round takes no more than the first."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.live.server import LiveServer, live_server, spoken
from tests.live.watch import Holdings, fetch, gauges, holdings, settled

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
SENTENCE = "The ferry leaves the harbour at half past seven and comes back before noon, number {}."
LONG = "The ferry leaves the harbour at half past seven, crosses the bay in forty minutes, and returns before noon. " * 60
PARALLEL = 32
SOCKETS = 200
AWAY = 16
"""Sessions that may wait for their clients at one time."""
GROWTH = 4.0
"""Megabytes the server may grow with every settled round."""
MOST = 48.0
"""Megabytes it may grow in all of them together: what an allocator keeps back, and no more."""
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
        await _no_more(server, [await round_() for _ in range(4)][1:])


WINDOW = ("--set", "websocket.resume_window={}", "--set", f"websocket.resume_sessions={AWAY}")


@pytest.mark.parametrize("window", [0, 3])
async def test_idle_sockets_of_each_kind(window: int) -> None:
    """Who leaves without a word is waited for, or not at all; either way nothing is left in the end."""
    async with live_server(*LOOSE, *(word.format(window) for word in WINDOW)) as server:

        async def round_() -> Holdings:
            for path, hello in (("/ws/audio", '{"type":"hello"}'), ("/v1/realtime", None)):
                await _idle(server, path, hello)
            return await held(server)

        await _no_more(server, [await round_() for _ in range(4)])
        now = await asyncio.to_thread(gauges, server.port)
        assert now["socket.detached"] == 0
        gone = now["socket.resume_expired"] + now["socket.resume_displaced"]
        assert gone == (4 * SOCKETS // 2 if window else 0), "each was counted once"


async def test_sessions_left_without_a_word_wait_and_are_bounded() -> None:
    """So long a window that it ends for nobody: those who were left last wait, the others gave way to them."""
    async with live_server(*LOOSE, *(word.format(600) for word in WINDOW)) as server:
        await _idle(server, "/ws/audio", '{"type":"hello"}')
        most = 0.0

        async def counted() -> bool:
            nonlocal most
            now = await asyncio.to_thread(gauges, server.port)
            most = max(most, now["socket.detached"])
            return now["connections"] == 0 and now["socket.resume_displaced"] == SOCKETS // 2 - AWAY

        await until(counted)
        now = await asyncio.to_thread(gauges, server.port)
        assert (now["socket.detached"], now["sessions"], now["socket.resume_expired"]) == (AWAY, AWAY, 0)
        sessions = (await asyncio.to_thread(fetch, server.port, "/api/sessions"))["sessions"]
        assert [session["attached"] for session in sessions] == [False] * AWAY
        before = await asyncio.to_thread(holdings, server.port, server.process.pid)
        await _idle(server, "/ws/audio", '{"type":"hello"}')

        async def counted_again() -> bool:
            now = await asyncio.to_thread(gauges, server.port)
            return now["connections"] == 0 and now["socket.resume_displaced"] == SOCKETS - AWAY

        await until(counted_again)

        async def no_more() -> bool:
            return (await asyncio.to_thread(holdings, server.port, server.process.pid)).no_more_than(before)

        await until(no_more)
        assert (await asyncio.to_thread(gauges, server.port))["socket.detached"] == AWAY


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
        sessions = (await asyncio.to_thread(fetch, server.port, "/api/sessions"))["sessions"]
        assert sum(session["attached"] for session in sessions) == SOCKETS
    finally:
        for number, socket in enumerate(sockets):
            if number % 2:
                socket.transport.abort()
        await asyncio.gather(*(socket.close() for socket in sockets))
        await _let_go(server)


async def _let_go(server: LiveServer) -> None:
    async def gone() -> bool:
        return (await asyncio.to_thread(gauges, server.port))["connections"] == 0

    await until(gone)


async def _no_more(server: LiveServer, rounds: list[Holdings]) -> None:
    """The last round left no more behind than the first."""
    first, last = rounds[0], rounds[-1]
    assert last.workers == first.workers, "no worker died"
    # What leaks grows with every round. An allocator takes more now and then, when more happens to come together.
    for memory in ([one.memory for one in rounds], [one.worker_memory for one in rounds]):
        assert min(after - before for before, after in itertools.pairwise(memory)) < GROWTH, memory
        assert memory[-1] < memory[0] + MOST, memory

    async def no_more() -> bool:
        """Connections that were just closed are let go of a moment later."""
        return (await held(server)).no_more_than(first)

    try:
        await until(no_more)
    except TimeoutError:
        raise AssertionError(f"more than {first}: {await held(server)}") from None
