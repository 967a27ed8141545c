"""Models, voices, chat and speech sessions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.unit.transports.openai.doors import Door
from vivavoce.contracts.errors import ProviderFailed
from vivavoce.contracts.speech import Message, ToolCall
from vivavoce.sessions.speech_sessions import SpeechSessionOptions
from vivavoce.testing.speaking import ScriptedLanguageModel
from vivavoce.transports.aliases import SPEECH_MODELS, TRANSCRIPTION_MODELS, VOICES
from vivavoce.transports.openai.options import OpenAIOptions


async def test_models_are_listed_under_their_own_names_and_under_openais() -> None:
    async with Door().client() as client:
        listed = (await client.get("/v1/models")).json()
        one = (await client.get("/v1/models/whisper-1")).json()
        unknown = await client.get("/v1/models/some/body")
        names = (await client.get("/v1/audio/models")).json()
    ids = [model["id"] for model in listed["data"]]
    assert ids[:3] == ["ears", "mouth", "mind"]
    assert set(ids) >= {*SPEECH_MODELS, *TRANSCRIPTION_MODELS, "gpt-realtime"}
    assert {model["object"] for model in listed["data"]} == {"model"}
    assert (one["id"], one["alias_of"], one["kind"]) == ("whisper-1", "ears", "stt")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert {"mouth", *SPEECH_MODELS} == {model["id"] for model in names["models"]}


async def test_voices_have_both_shapes() -> None:
    async with Door().client() as client:
        body = (await client.get("/v1/audio/voices")).json()
    assert body["voices"] == body["data"]
    assert [voice["id"] for voice in body["voices"]] == ["tone", "low", *VOICES]
    assert all(voice["name"] for voice in body["voices"])


# --- chat


def asked(**changes: Any) -> dict[str, Any]:
    return {"model": "mind", "messages": [{"role": "user", "content": "Is it late?"}], **changes}


async def test_chat_answers_whole_and_streamed_alike() -> None:
    async with Door().client() as client:
        whole = (await client.post("/v1/chat/completions", json=asked())).json()
        streamed = await client.post("/v1/chat/completions", json=asked(stream=True, stream_options={"include_usage": True}))
    lines = [line[6:] for line in streamed.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"] == "It is late. Go to bed."
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    assert whole["choices"][0]["finish_reason"] == "stop"


async def test_messages_reach_the_model_as_they_are() -> None:
    seen: list[Any] = []

    def reply(messages: Any) -> str:
        seen.extend(messages)
        return "Yes."

    door = Door(llm=ScriptedLanguageModel(reply))
    call = {"id": "c1", "type": "function", "function": {"name": "clock", "arguments": '{"zone": "UTC"}'}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What "}, {"type": "text", "text": "time?"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]
    async with door.client() as client:
        assert (await client.post("/v1/chat/completions", json=asked(messages=messages))).status_code == 200
    assert seen == [
        Message("system", "Be brief."),
        Message("user", "What time?"),
        Message("assistant", "", tool_calls=(ToolCall("c1", "clock", {"zone": "UTC"}),)),
        Message("tool", "noon", tool_call_id="c1"),
    ]


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages.0.content"),
        ({"model": "nobody"}, 404, "model"),
        ({"tools": [{"type": "magic"}]}, 400, "tools.0"),
        ({"modalities": ["text", "audio"]}, 400, "modalities"),
    ],
)
async def test_what_is_wrong_with_a_chat_is_named(changes: dict[str, Any], status: int, param: str) -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/chat/completions", json=asked(**changes))
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)


async def test_a_failing_model_is_no_success() -> None:
    door = Door()
    door.llm.fail = ProviderFailed("the service said no")
    async with door.client() as client:
        for stream in (False, True):
            assert (await client.post("/v1/chat/completions", json=asked(stream=stream))).status_code == 502


# --- speech sessions


async def opened(client: httpx.AsyncClient, **fields: Any) -> str:
    answer = await client.post("/v1/speech/sessions", json=fields)
    assert answer.status_code == 201
    return f"/v1/speech/sessions/{answer.json()['id']}"


async def test_text_appended_by_one_request_is_heard_by_another() -> None:
    door = Door()
    async with door.client() as client:
        path = await opened(client, voice="nova", response_format="pcm")
        listening = door.visit(f"{path}/audio", method="GET")
        assert (await client.post(f"{path}/text", json={"text": "First of all this, and "})).status_code == 202
        assert (await listening.next())["status"] == 200
        assert (await client.get(f"{path}/audio")).status_code == 409
        await client.post(f"{path}/text", json={"text": "then that."})
        assert (await client.post(f"{path}/end")).status_code == 202
        heard = b""
        while (message := await listening.next()).get("more_body"):
            heard += message["body"]
        assert (await client.get(path)).status_code == 404
    said = door.tts.texts[0]
    assert said.split() == ["First", "of", "all", "this,", "and", "then", "that."]
    assert len(heard) / 48_000 == pytest.approx(len(said) * door.tts.seconds_per_character, rel=0.1)


async def test_a_flush_speaks_half_a_sentence_and_delete_silences() -> None:
    door = Door()
    async with door.client() as client:
        path = (
            "/v1/speech/sessions/" + (await client.post("/v1/speech/sessions", json={"response_format": "pcm"})).json()["id"]
        )
        listening = door.visit(f"{path}/audio", method="GET")
        await client.post(f"{path}/text", json={"text": "Well", "flush": True})
        assert (await listening.next())["status"] == 200
        assert (await client.delete(path)).status_code == 204
        async with asyncio.timeout(5):
            await asyncio.wait([listening.task])
        assert door.tts.tally.live == 0
        assert (await client.post(f"{path}/text", json={"text": "more"})).status_code == 404


async def test_sessions_are_independent_bounded_and_forgotten_when_idle() -> None:
    door = Door(OpenAIOptions(sessions=SpeechSessionOptions(max_sessions=2, idle=30)))
    async with door.client() as client:
        for _ in range(2):
            assert (await client.post("/v1/speech/sessions", json={})).status_code == 201
        full = await client.post("/v1/speech/sessions", json={})
        assert (full.status_code, full.headers["retry-after"]) == (429, "5")
        await asyncio.sleep(31)
        assert door.tts.tally.live == 0
        assert (await client.post("/v1/speech/sessions", json={})).status_code == 201


async def test_a_writer_far_ahead_of_the_voice_waits_and_is_then_refused() -> None:
    options = SpeechSessionOptions(max_waiting=1_000, patience=5)
    door = Door(OpenAIOptions(sessions=options))
    sentence = "The ferry leaves at half past seven. "
    async with door.client() as client:
        path = await opened(client)
        assert (await client.post(f"{path}/text", json={"text": sentence * 60})).status_code == 202
        answer = await client.post(f"{path}/text", json={"text": sentence * 20})
    assert answer.status_code == 429


async def test_a_listener_that_leaves_ends_its_session() -> None:
    door = Door()
    async with door.client() as client:
        path = (
            "/v1/speech/sessions/" + (await client.post("/v1/speech/sessions", json={"response_format": "pcm"})).json()["id"]
        )
        listening = door.visit(f"{path}/audio", method="GET")
        await client.post(f"{path}/text", json={"text": "A sentence that is spoken. " * 50})
        await listening.next()
        await listening.leave()
        assert door.tts.tally.live == 0
        assert (await client.get(path)).status_code == 404
