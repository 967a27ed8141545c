"""The real server with its real engines: spoken to, killed in parts, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
from pathlib import Path

import pytest

from tests.live.server import free_port, live_server, session, spoken

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

PATIENT = [f"--set=sessions.conversation.watchdogs.{name}=60" for name in ("transcript", "first_token", "first_audio")]
"""On a busy machine recogniser and voice take their time, and nobody is to lose patience: this is not about speed."""


async def test_a_spoken_question_is_answered_in_sound(tmp_path: Path) -> None:
    question = spoken(tmp_path, "what is twelve times twelve")
    async with live_server(*PATIENT) as server, session(server) as client:
        client.steady = True
        await client.hear(bytes(9600) + question)
        done = await client.until("response_complete", seconds=120)
        final = [event["text"] for event in client.of("transcription") if event["final"]]
        assert final == ["what is twelve times twelve"]
        assert "144" in done["text"] and not done["interrupted"]
        assert done["waterfall"]["total"] is not None
        headers = [struct.unpack("<BBHIII", frame[:16]) for frame in client.audio]
        assert {header[4] for header in headers} == {done["generation"]}
        offsets = [header[5] for header in headers]
        sizes = [(len(frame) - 16) // 2 for frame in client.audio]
        assert offsets == [sum(sizes[:index]) for index in range(len(sizes))], "without a gap"
        loudest = max(abs(sample) for frame in client.audio for (sample,) in struct.iter_unpack("<h", frame[16:]))
        assert loudest > 3000, "it can be heard"
        [status] = (await server.get("/api/status"))["sessions"]
        assert status["audio"]["frames"] > 50 and status["audio"]["gaps"] == 0
        metrics = await server.get("/api/metrics")
        assert metrics["counts"]["turns"] == 1


async def test_workers_are_killed_and_sessions_go_on(tmp_path: Path) -> None:
    question = spoken(tmp_path, "what time is it")
    half = len(question) // 4 * 2
    async with live_server() as server, session(server) as victim, session(server) as other:
        # In mid-utterance: the recogniser dies.
        await victim.hear(bytes(9600) + question[:half])
        killed = await server.kill_worker("pocketsphinx")
        await victim.hear(question[half:])
        error = await victim.until("error")
        assert error["code"] == "worker_lost" and error["retryable"]
        assert other.of("error") == []
        await victim.hear(bytes(32000))
        await _ready_again(server, "pocketsphinx", killed)
        await other.hear(bytes(9600) + question)
        assert "text" in await other.until("response_complete")
        # In mid-reply: the voice dies; the other voice goes on with the next sentence, or the reply ends with a reason.
        voice = (await server.get("/api/config"))["providers"]["tts"][0]
        await victim.say({"type": "text", "text": "what can you do"})
        await victim.until("reply_started")
        killed = await server.kill_worker(voice)
        await victim.until("response_complete", len(victim.of("response_complete")) + 1)
        await _ready_again(server, voice, killed)
        # The detector of everybody dies: both sessions hear again.
        killed = await server.kill_worker("silero")
        await _ready_again(server, "silero", killed)
        before = len(victim.of("response_complete"))
        await victim.hear(bytes(32000) + question)
        await victim.until("response_complete", before + 1)


async def _ready_again(server: object, group: str, killed: int) -> None:
    for _ in range(300):
        worker = (await server.workers())[group]  # type: ignore[attr-defined]
        if worker["state"] == "ready" and worker["pid"] != killed:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{group} did not come back: {worker}")


async def test_misuse_is_told_and_survived() -> None:
    async with live_server("--dev") as server, session(server) as client:
        await client.say({"type": "nonsense"})
        await client.socket.send("{not json")
        await client.socket.send(b"\0")
        await client.say({"type": "text", "text": ""})
        await client.say({"type": "setProvider", "kind": "tts", "name": "nobody"})
        for _ in range(4):
            await client.hear(bytes(640))
        await client.until("error", 5)
        assert all(event["code"] and event["message"] for event in client.of("error"))
        await client.say({"type": "text", "text": "hello"})
        await client.until("response_complete")
        for _ in range(2000):
            await client.say({"type": "ping"})
        await client.hear(bytes(6400))
        assert any(event["code"] == "limit_exceeded" for event in client.of("error"))
        assert (await server.get("/health"))["ready"]


async def test_a_stop_says_goodbye_and_leaves_nothing_behind() -> None:
    async with live_server() as server:
        workers = [int(worker["pid"]) for worker in (await server.workers()).values()]
        async with session(server) as client:
            server.process.terminate()
            while not client.of("goodbye"):
                client.changed.clear()
                await asyncio.wait_for(client.changed.wait(), 20)
        assert await asyncio.wait_for(server.process.wait(), 20) in (0, -signal.SIGTERM)
        assert not [pid for pid in workers if os.path.exists(f"/proc/{pid}")]  # noqa: PTH110, ASYNC240


async def test_a_setting_that_is_found_wrong_while_workers_start_is_the_only_thing_told() -> None:
    secret = ("--set", "server.jwt.secret=short")
    command = [sys.executable, "-m", "vivavoce", "serve", "--port", str(free_port()), *secret]
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, told = await process.communicate()
    assert process.returncode == 3
    heading, *rest = told.decode().splitlines()
    assert heading.startswith("Vivavoce listens")
    assert rest == ["error: server.jwt.secret has fewer than 32 characters; make one with openssl rand"]
