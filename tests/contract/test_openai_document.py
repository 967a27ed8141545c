"""Bodies and realtime events of a real server, held against OpenAI's own OpenAPI document."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from tests.conftest import require
from tests.contract import openai_document as theirs
from tests.live.server import LiveServer, live_server, spoken

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]


@pytest.fixture(autouse=True)
def here() -> None:
    require(theirs.found(), "no .venv-contract (scripts/contract-environment.sh makes it)")
    theirs.document()


def recording(pcm: bytes) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(pcm)
    return out.getvalue()


def good(name: str, body: Any) -> None:
    assert theirs.problems(name, body) == []


def events(answer: httpx.Response) -> list[Any]:
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def test_rest_bodies(tmp_path: Path) -> None:
    sound = recording(bytes(9_600) + await asyncio.to_thread(spoken, tmp_path, "what is twelve times twelve") + bytes(9_600))
    async with live_server() as server, httpx.AsyncClient(base_url=f"{server.url}/v1", timeout=60) as client:
        good("ListModelsResponse", (await client.get("/models")).json())
        good("Model", (await client.get("/models/whisper-1")).json())
        await _speech(client)
        await _transcriptions(client, sound)
        await _chat(client)
        await _secrets(client)
        await _errors(client, sound)


async def _speech(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        "/audio/speech", json={"model": "gpt-4o-mini-tts", "input": "Hello there.", "voice": "alloy", "stream_format": "sse"}
    )
    heard = events(answer)
    assert {event["type"] for event in heard} == {"speech.audio.delta", "speech.audio.done"}
    for event in heard:
        good(theirs.response_schema("/audio/speech", "text/event-stream"), event)


async def _transcriptions(client: httpx.AsyncClient, sound: bytes) -> None:
    async def ask(**fields: Any) -> httpx.Response:
        data = {"model": "whisper-1", **fields}
        return await client.post("/audio/transcriptions", files={"file": ("a.wav", sound)}, data=data)

    body = (await ask()).json()
    assert body["text"] == "what is twelve times twelve"
    good("CreateTranscriptionResponseJson", body)
    both = {"timestamp_granularities[]": ["word", "segment"]}
    verbose = (await ask(response_format="verbose_json", **both)).json()
    assert verbose["words"] and verbose["segments"]
    good("CreateTranscriptionResponseVerboseJson", verbose)
    good("CreateTranscriptionResponseDiarizedJson", (await ask(response_format="diarized_json")).json())
    told = events(await ask(stream="true"))
    assert told[-1]["type"] == "transcript.text.done"
    for event in told:
        good(theirs.response_schema("/audio/transcriptions", "text/event-stream"), event)


async def _chat(client: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {"model": "default", "messages": [{"role": "user", "content": "what is twelve times twelve"}]}
    answer = (await client.post("/chat/completions", json=body)).json()
    assert "144" in answer["choices"][0]["message"]["content"]
    good("CreateChatCompletionResponse", answer)
    streamed = await client.post(
        "/chat/completions", json={**body, "stream": True, "stream_options": {"include_usage": True}}
    )
    for event in events(streamed):
        good("CreateChatCompletionStreamResponse", event)


async def _secrets(client: httpx.AsyncClient) -> None:
    for session in ({"type": "realtime", "instructions": "Be brief."}, {"type": "transcription"}):
        answer = (await client.post("/realtime/client_secrets", json={"session": session})).json()
        good("RealtimeCreateClientSecretResponse", answer)


async def _errors(client: httpx.AsyncClient, sound: bytes) -> None:
    speech = {"model": "tts-1", "input": "Hello.", "voice": "alloy"}
    answers: Sequence[tuple[int, httpx.Response]] = (
        (400, await client.post("/audio/speech", json={**speech, "speed": 99})),
        (400, await client.post("/audio/speech", content=b"{")),
        (404, await client.post("/audio/speech", json={**speech, "model": "nobody"})),
        (400, await client.post("/audio/transcriptions", files={"file": b"nonsense"}, data={"model": "whisper-1"})),
        (400, await client.post("/audio/translations", files={"file": ("a.wav", sound)}, data={"model": "whisper-1"})),
        (404, await client.get("/models/nobody")),
        (404, await client.get("/nowhere")),
        (403, await client.get("/models", headers={"host": "evil.example"})),
    )
    for status, answer in answers:
        assert answer.status_code == status, answer.text
        good("ErrorResponse", answer.json())


class Talker:
    """A realtime client whose every received frame is judged."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []

    async def say(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            told = await asyncio.wait_for(self._socket.recv(), 60)
            event: dict[str, Any] = json.loads(told)
            self.events.append(event)
            schema = theirs.server_events().get(event["type"])
            assert schema is not None, f"OpenAI has no event {event['type']!r}"
            good(schema, event)
            if event["type"] == kind:
                return event

    async def hear(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 4_800):
            await self.say("input_audio_buffer.append", audio=base64.b64encode(pcm[start : start + 4_800]).decode())
            await asyncio.sleep(0.05)


async def test_realtime_events(tmp_path: Path) -> None:
    from vivavoce.audio.resample import resample

    question = await asyncio.to_thread(spoken, tmp_path, "what is twelve times twelve")
    sound = resample(bytes(9_600) + question + bytes(96_000), 16_000, 24_000)
    async with live_server() as server:
        talker = await _typed(server)
        assert {"response.output_audio.delta", "response.output_text.delta", "error"} <= {e["type"] for e in talker.events}
        async with websockets.connect(f"ws://127.0.0.1:{server.port}/v1/realtime?model=gpt-realtime") as socket:
            talker = Talker(socket)
            await talker.until("session.created")
            listening = {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}}
            await talker.say("session.update", session={"type": "realtime", "audio": {"input": listening}})
            await talker.until("session.updated")
            hearing = asyncio.ensure_future(talker.hear(sound))
            done = await talker.until("response.done")
            await hearing
            assert done["response"]["status"] == "completed"
            assert "conversation.item.input_audio_transcription.completed" in {e["type"] for e in talker.events}


async def _typed(server: LiveServer) -> Talker:
    """Typed turns, a commit by hand, tools, and mistakes."""
    async with websockets.connect(f"ws://127.0.0.1:{server.port}/v1/realtime?model=gpt-realtime") as socket:
        talker = Talker(socket)
        await talker.until("session.created")
        tools = [{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}]
        await talker.say("session.update", session={"type": "realtime", "tools": tools, "instructions": "Be brief."})
        await talker.until("session.updated")
        text = [{"type": "input_text", "text": "what is twelve times twelve"}]
        for modality in ("audio", "text"):
            await talker.say("conversation.item.create", item={"type": "message", "role": "user", "content": text})
            item = (await talker.until("conversation.item.done"))["item"]["id"]
            await talker.say("conversation.item.retrieve", item_id=item)
            await talker.until("conversation.item.retrieved")
            await talker.say("response.create", response={"output_modalities": [modality]})
            assert (await talker.until("response.done"))["response"]["status"] == "completed"
        await talker.say("conversation.item.delete", item_id=item)
        await talker.until("conversation.item.deleted")
        await talker.say("input_audio_buffer.commit", event_id="mine")
        assert (await talker.until("error"))["error"]["event_id"] == "mine"
        await talker.say("input_audio_buffer.clear")
        await talker.until("input_audio_buffer.cleared")
        await talker.say("session.update", session={"type": "realtime", "output_modalities": ["text", "smell"]})
        await talker.say("nonsense")
        await talker.until("error")
        return talker
