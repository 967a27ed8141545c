"""Random clients of the Realtime door: whatever they send, the session lives or closes cleanly and leaves nothing behind."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest

from tests.flows.realtime_stage import RealtimeStage
from tests.flows.score import LONG_REPLY
from vivavoce.audio.resample import resample
from vivavoce.contracts.speech import Delta, ToolCall
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel
from vivavoce.testing.speech import silence, speech_like
from vivavoce.transports.realtime.configuration import FORMATS

SPEECH = resample(speech_like(0.7), 16_000, 24_000)
SILENCE = resample(silence(1.5), 16_000, 24_000)

NONSENSE: list[Any] = [
    None, True, -1, 1e308, 10**30, "", "root", "\ud83d", "x" * 300, [], [[]], [None, 3], {}, {"type": None},
    {"type": "message"}, {"type": "audio/pcmu"}, {"id": 7}, [{"type": "function", "name": 5}], {"audio": []},
]  # fmt: skip

KINDS = [
    "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
    "conversation.item.create", "conversation.item.retrieve", "conversation.item.delete", "conversation.item.truncate",
    "response.create", "response.cancel", "output_audio_buffer.clear",
]  # fmt: skip


class RandomClient:
    """Sends what makes sense, what nearly does, and what does not."""

    def __init__(self, stage: RealtimeStage, seed: int) -> None:
        self._stage = stage
        self._random = random.Random(seed)

    async def act(self) -> None:
        choice = self._random.random()
        if choice < 0.3:
            self._stage.append(self._random.choice([SPEECH, SILENCE, SPEECH[:4_801], b"\x01"]))
        elif choice < 0.75:
            self._stage.client.says(json.dumps(self._sensible()))
        elif choice < 0.95:
            self._stage.client.says(json.dumps(self._nearly()))
        else:
            self._stage.client.says(self._senseless())
        if self._random.random() < 0.6:
            await self._stage.settle(self._random.choice([0.0, 0.02, 0.3, 2.0]))

    def _item(self) -> str:
        known = [e["item"]["id"] for e in self._stage.of("conversation.item.added")]
        return self._random.choice([*known[-5:], "unknown"])

    def _sensible(self) -> dict[str, Any]:
        one = self._random.choice
        kind = one(KINDS)
        text = {"type": "message", "role": one(["user", "system"]), "content": [{"type": "input_text", "text": "Hello"}]}
        fields: dict[str, dict[str, Any]] = {
            "session.update": {"session": self._session()},
            "input_audio_buffer.append": {"audio": base64.b64encode(SPEECH).decode()},
            "conversation.item.create": {
                "item": one([text, {"type": "function_call_output", "call_id": "c", "output": "1"}])
            },
            "conversation.item.retrieve": {"item_id": self._item()},
            "conversation.item.delete": {"item_id": self._item()},
            "conversation.item.truncate": {
                "item_id": self._item(),
                "content_index": 0,
                "audio_end_ms": one([0, 700, 9_999]),
            },
            "response.create": {"response": one([{}, {"conversation": "none"}, {"output_modalities": ["text"]}])},
        }
        return {"type": kind, "event_id": str(self._random.random()), **fields.get(kind, {})}

    def _session(self) -> dict[str, Any]:
        one = self._random.choice
        detection: Any = one(
            [None, {"type": "server_vad", "create_response": one([True, False]), "interrupt_response": one([True, False])},
             {"type": "semantic_vad", "eagerness": one(["low", "high"])}]
        )  # fmt: skip
        listening = {"turn_detection": detection, "transcription": one([None, {"model": "whisper-1"}])}
        listening["format"] = one(list(FORMATS.values()))
        tools = one([[], [{"type": "function", "name": "weather", "parameters": {}}]])
        return {
            "type": "realtime",
            "audio": {"input": listening},
            "tools": tools,
            "output_modalities": [one(["audio", "text"])],
        }

    def _nearly(self) -> dict[str, Any]:
        event = self._sensible()
        for key in list(event):
            if self._random.random() < 0.4:
                event[key] = self._random.choice(NONSENSE)
            elif isinstance(event[key], dict) and event[key]:
                inner = self._random.choice(list(event[key]))
                event[key] = {**event[key], inner: self._random.choice(NONSENSE)}
        return event

    def _senseless(self) -> Any:
        huge = {"type": "session.update", "session": {"instructions": "x" * 200_000}}
        return self._random.choice(
            [
                "", "{", "[]", "3", "null", '{"type": NaN}', "[" * 5_000, b"\x00\x01", '"\\ud800"', json.dumps(huge),
                '{"type": "session.update", "session": {"max_output_tokens": 1e999}}',
            ]
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(24))
async def test_a_random_client(seed: int) -> None:
    call = ToolCall("call_1", "weather", {"city": "Jaén"})
    llm = ScriptedLanguageModel([LONG_REPLY, [Delta(tool_call=call)], "Short."])
    stt = ScriptedSpeechToText(["hello there", "no stop that please", "mm hmm", "tell me more"])
    async with RealtimeStage(stt=stt, llm=llm) as stage:
        client = RandomClient(stage, seed)
        for _ in range(120):
            if stage.closed is not None:
                break
            await client.act()
        await stage.settle(90.0)
        assert stage.closed in (None, 1008), stage.events[-3:]
        check(stage)
        if stage.closed is None:
            await alive(stage)


def check(stage: RealtimeStage) -> None:
    """The laws every client relies on."""
    opened: dict[str, str] = {}
    items: set[str] = set()
    for event in stage.events:
        kind = event["type"]
        if kind == "error":
            assert event["error"]["code"] not in ("internal_error", "invalid_api_key", "insufficient_quota")
        elif kind == "response.created":
            assert "in_progress" not in opened.values(), "one response at a time"
            opened[event["response"]["id"]] = "in_progress"
        elif kind == "response.done":
            assert opened[event["response"]["id"]] == "in_progress", "done once"
            opened[event["response"]["id"]] = event["response"]["status"]
            assert all(item["status"] != "in_progress" for item in event["response"]["output"])
        elif kind == "response.output_item.added":
            items.add(event["item"]["id"])
        elif kind.startswith("response.output") and kind != "response.output_item.done":
            assert event["item_id"] in items, "an item is added before anything is told of it"
            assert opened[event["response_id"]] == "in_progress"
    assert "in_progress" not in opened.values(), "every response is done in the end"
    committed = [e["item_id"] for e in stage.of("input_audio_buffer.committed")]
    assert len(set(committed)) == len(committed)
    started = [e["item_id"] for e in stage.of("input_audio_buffer.speech_started")]
    stopped = [e["item_id"] for e in stage.of("input_audio_buffer.speech_stopped")]
    assert started == stopped or started[:-1] == stopped, "speech that started stops"


async def alive(stage: RealtimeStage) -> None:
    """The session still does what sessions do."""
    stage.collect()
    before = len(stage.of("response.done"))
    stage.say("session.update", session={"type": "realtime", "output_modalities": ["text"], "tools": []})
    stage.say("response.create", response={"metadata": {"last": "yes"}})
    done = await stage.until("response.done", before + 1, seconds=60)
    assert done["response"]["metadata"] == {"last": "yes"}
