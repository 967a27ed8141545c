"""The real server, called by a word: over the wire, with scripted engines."""

from __future__ import annotations

import json

import pytest
import websockets

from tests.live.server import live_server, session
from vivavoce.testing.speech import silence, speech_like

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]


async def test_a_client_that_asks_for_it_is_heard_only_behind_the_word() -> None:
    async with live_server("--dev") as server:
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/ws/audio", compression=None) as socket:
            await socket.send(json.dumps({"type": "hello", "wake_words": ["abracadabra"]}))
            error = json.loads(await socket.recv())
            assert (error["type"], error["code"]) == ("error", "unknown_wake_word")
            assert "there is computer, hey_you" in error["message"]
            await socket.send(json.dumps({"type": "hello"}))  # another hello may follow
            assert json.loads(await socket.recv())["type"] == "ready"
        async with session(server, wake_words=["computer"], wake_timeout=1.0) as client:
            [ready] = client.of("ready")
            assert ready["settings"]["wake_words"] == ["computer"] and ready["settings"]["wake_timeout"] == 1.0
            await client.hear(silence(0.3) + speech_like(0.2) + silence(0.5))
            assert [event["type"] for event in client.events] == ["ready"]
            await client.hear(speech_like(0.3) + silence(0.4) + speech_like(1.2) + silence(0.5))
            woke = await client.until("woke")
            assert woke["word"] == "computer"
            await client.until("response_complete")
            assert client.of("speech_started")[0]["at"] >= woke["at"]
            await client.hear(silence(0.2))
            await client.until("slept")
        listed = (await server.get("/api/providers"))["providers"]
        assert {line["kind"] for line in listed} == {"stt", "llm", "tts"}
        assert listed == (await server.get("/api/status"))["providers"]
