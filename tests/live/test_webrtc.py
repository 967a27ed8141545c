"""Calls to the real server, over real sockets, with either library: turns, barge-in, hanging up, a killed media process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np
import pytest
import websockets

from tests.conftest import require
from tests.live.calling import SETTINGS, Caller, call, call_as_openai, caller, control
from tests.live.server import LiveServer, live_server, spoken

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

PACKAGES = {"aiortc": "aiortc", "wrtc": "webrtc"}


def settings(backend: str) -> tuple[str, ...]:
    require(find_spec(PACKAGES[backend]), f"{backend} is not installed (pip install 'vivavoce[webrtc,webrtc-native]')")
    return (*SETTINGS, "--set", f"webrtc.backend={backend}")


async def calls_of(server: LiveServer) -> float:
    return float((await server.get("/api/metrics"))["gauges"]["webrtc.calls"])


async def gone(server: LiveServer) -> bool:
    """Whether the last call, and its session, is over within a few seconds."""
    for _ in range(100):
        if await calls_of(server) == 0 and not (await server.get("/api/status"))["sessions"]:
            return True
        await asyncio.sleep(0.1)
    return False


async def asked(one: Caller, question: bytes, expected: str) -> None:
    """Ask until the answer holds ``expected``: on a machine that is late with packets, libwebrtc stretches what it hears."""
    for _ in range(3):
        before = len(one.of("response_complete"))
        one.microphone.say(question)
        done = await one.until("response_complete", before + 1)
        if expected in done["text"] and not done["interrupted"]:
            return
    raise AssertionError(f"never answered: {[event['text'] for event in one.of('transcription') if event['final']]}")


async def two_turns_barge_in_and_goodbye(server: LiveServer, tmp_path: Path) -> None:
    first, second = spoken(tmp_path, "what is twelve times twelve"), spoken(tmp_path, "what is seven plus eight")
    async with caller(server) as one:
        await call(one, {"silence_ms": 500})
        ready = await one.until("ready")
        assert ready["audio"]["output"]["rate"] == 24_000 and ready["settings"]["acknowledge"]
        await asked(one, bytes(16_000) + first, "144")
        before = await one.loud()
        await asked(one, second, "15")
        await one.loud(since=before)
        # Barge-in: a long answer is cut where it was heard to, and silence follows.
        replies = len(one.of("reply_started"))
        await one.say({"type": "text", "text": "what can you do"})
        await one.until("reply_started", replies + 1)
        await one.loud(frames=40, since=len(one.ear))
        one.microphone.say(first)
        cut = await one.until("interrupted")
        assert cut["at"] > 0.5 * 24_000 and cut["heard"], "where it was heard to, in samples"
        await asyncio.sleep(0.3)  # what was under way in the client's jitter buffer
        quiet = len(one.ear)
        await asyncio.sleep(0.2)
        assert max(int(np.abs(frame).max()) for frame in one.ear[quiet:]) < 500, "nothing is said on"
        await one.until("response_complete", len(one.of("response_complete")) + 1)
        [session] = (await server.get("/api/status"))["sessions"]
        assert session["transport"] == "webrtc" and session["audio"]["frames"] > 100
        await one.say({"type": "goodbye"})
        await asyncio.wait_for(one.over.wait(), 40)
        assert await gone(server)


async def a_call_without_a_data_channel_is_steered_by_its_socket(server: LiveServer, tmp_path: Path) -> None:
    async with caller(server, "something else") as one:
        body = await call(one, trickle=True)
        assert body["ice_servers"] == []
        _, _, video = body["sdp"].partition("m=video")
        assert "a=inactive" in video or video.startswith(" 0 "), "pictures are declined"
        async with control(one) as socket:
            candidates = [line for line in one.peer.localDescription.sdp.splitlines() if line.startswith("a=candidate")]
            for line in [*candidates, ""]:
                text = line.removeprefix("a=")
                wish = {"candidate": text, "sdpMid": "0", "sdpMLineIndex": 0} if text else None
                await socket.send(json.dumps({"type": "candidate", "candidate": wish}))
            assert json.loads(await socket.recv())["type"] == "ready"
            await socket.send(json.dumps({"type": "text", "text": "what is twelve times twelve"}))
            kinds = []
            while "response_complete" not in kinds:
                kinds.append(json.loads(await asyncio.wait_for(socket.recv(), 20))["type"])
            await one.loud()
            await socket.send(json.dumps({"type": "candidate", "candidate": "nonsense"}))
            await socket.send("{")
            errors = [json.loads(await socket.recv()) for _ in range(2)]
            assert {error["type"] for error in errors} == {"error"}
            async with httpx.AsyncClient(base_url=server.url) as http:
                assert (await http.delete(f"/webrtc/{one.id}")).status_code == 204
                assert (await http.delete("/webrtc/call_unknown")).status_code == 404
            assert json.loads(await socket.recv())["type"] == "goodbye"
            with pytest.raises(websockets.ConnectionClosedOK):
                await socket.recv()
        assert await gone(server)
        with pytest.raises(websockets.InvalidStatus):
            async with control(one):
                pass


async def a_killed_media_process_fails_its_calls_and_nothing_else(server: LiveServer) -> None:
    async with caller(server) as one:
        await call(one)
        await one.until("ready")
        async with control(one) as socket:
            await socket.send(json.dumps({"type": "ping"}))
            while json.loads(await socket.recv())["type"] != "pong":
                pass
            before = await server.workers()
            os.kill(before["webrtc"]["pid"], signal.SIGKILL)
            while (error := json.loads(await asyncio.wait_for(socket.recv(), 10)))["type"] != "error":
                pass
            assert error["code"] == "worker_lost" and error["retryable"]
            with pytest.raises(websockets.ConnectionClosedOK):
                await socket.recv()
        assert await gone(server)
        after = await server.workers()
        others = [name for name in before if name != "webrtc"]
        assert [after[name]["pid"] for name in others] == [before[name]["pid"] for name in others]
        assert after["webrtc"]["restarts"] == 1
    async with caller(server) as again:
        await call(again)
        await again.until("ready")


async def openais_call(server: LiveServer, tmp_path: Path) -> None:
    question = spoken(tmp_path, "what is twelve times twelve")
    session = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    async with caller(server, "oai-events") as one:
        answer = await call_as_openai(one, session)
        assert answer.headers["content-type"] == "application/sdp"
        await one.until("session.created")
        assert one.events[0]["type"] == "session.created"
        await one.say({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}})
        await one.until("session.updated")
        one.microphone.say(bytes(16_000) + question)
        transcript = await one.until("conversation.item.input_audio_transcription.completed")
        assert "twelve" in transcript["transcript"]
        await one.loud()
        done = await one.until("response.done")
        assert done["response"]["status"] == "completed"
        stopped = await one.until("output_audio_buffer.stopped")
        assert stopped["response_id"] == done["response"]["id"]
        kinds = [event["type"] for event in one.events]
        assert "response.output_audio.delta" not in kinds, "audio is heard, not told"
        assert kinds.index("output_audio_buffer.started") < kinds.index("response.done")
        # The client clears what it hears.
        await one.say({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "what can you do"}]}})  # fmt: skip
        await one.say({"type": "response.create"})
        await one.until("output_audio_buffer.started", 2)
        await one.loud(frames=20, since=len(one.ear))
        await one.say({"type": "output_audio_buffer.clear"})
        await one.until("output_audio_buffer.cleared")
        cut = (await one.until("response.done", 2))["response"]
        assert cut["status"] == "cancelled"
        # The server knows what was heard, and truncates by itself.
        truncated = await one.until("conversation.item.truncated")
        [item] = cut["output"]
        assert truncated["item_id"] == item["id"] and truncated["audio_end_ms"] > 0
        await one.say({"type": "conversation.item.retrieve", "item_id": item["id"]})
        [kept] = (await one.until("conversation.item.retrieved"))["item"]["content"]
        [whole] = item["content"]
        assert whole["transcript"].startswith(kept["transcript"]) and kept["transcript"] != whole["transcript"]
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.post(f"{one.location}/accept")).status_code == 501
            assert (await http.post(f"{one.location}/hangup")).status_code == 200
        await asyncio.wait_for(one.over.wait(), 40)
        assert await gone(server)
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.post(f"{one.location}/hangup")).status_code == 404


async def a_client_that_leaves_takes_its_call_along(server: LiveServer) -> None:
    async with caller(server) as one:
        await call(one)
        await one.until("ready")
    assert await gone(server)


async def offers_that_are_none_are_refused_with_a_reason(server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        for body in ("", "nonsense", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", "x" * 70_000):
            answer = await http.post("/webrtc/offer", json={"sdp": body, "type": "offer"})
            assert answer.status_code == 400 and answer.json()["error"]["code"] == "bad_offer", (body[:20], answer.text)
        assert (await http.post("/webrtc/offer", content=b"{")).status_code == 400
        assert (await http.post("/webrtc/offer", content=b" " * 1_000_000)).status_code == 413
        wish = {"sdp": "x", "type": "offer", "hello": {"audio": {"input_rate": 8000}}}
        assert (await http.post("/webrtc/offer", json=wish)).status_code == 400
        plain = {"content-type": "application/sdp"}
        assert (await http.post("/v1/realtime/calls", content="nonsense", headers=plain)).status_code == 400
    assert await gone(server)
    async with caller(server) as one, caller(server) as other:
        await call(one)
        await one.until("ready")  # one that leaves before that is only missed behind the connect timeout
        with pytest.raises(AssertionError, match="overloaded"):
            await call(other)


@pytest.mark.parametrize("backend", ["aiortc", "wrtc"])
async def test_conversations(backend: str, tmp_path: Path) -> None:
    async with live_server(*settings(backend)) as server:
        await two_turns_barge_in_and_goodbye(server, tmp_path)
        await openais_call(server, tmp_path)


@pytest.mark.parametrize("backend", ["aiortc", "wrtc"])
async def test_how_calls_begin_and_end(backend: str, tmp_path: Path) -> None:
    """A server starts slowly, so these share one; each leaves nothing behind."""
    async with live_server(*settings(backend), "--set", "webrtc.max_calls=1") as server:
        await a_call_without_a_data_channel_is_steered_by_its_socket(server, tmp_path)
        await offers_that_are_none_are_refused_with_a_reason(server)
        assert await gone(server)
        await a_client_that_leaves_takes_its_call_along(server)
        await a_killed_media_process_fails_its_calls_and_nothing_else(server)


async def test_a_missing_library_is_told_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in PACKAGES.values():
        (tmp_path / f"{package}.py").write_text("raise ImportError('not here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with live_server(*SETTINGS) as server, httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        for path, body in (("/webrtc/offer", b'{"sdp": "v=0"}'), ("/v1/realtime/calls", b"v=0")):
            answer = await http.post(path, content=body)
            assert answer.status_code == 501, answer.text
            assert "pip install 'vivavoce[webrtc" in answer.json()["error"]["message"]
            assert answer.headers["x-should-retry"] == "false"
