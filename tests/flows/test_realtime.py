"""The Realtime door from end to end: real conversation, scripted ports, virtual time."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.flows.realtime_stage import RATE, RealtimeStage, messages
from tests.flows.score import LONG_REPLY
from tests.unit.transports.entrances import entrance
from vivavoce.audio.codecs import g711
from vivavoce.audio.resample import resample
from vivavoce.contracts.access import Principal
from vivavoce.contracts.errors import ProviderFailed
from vivavoce.contracts.speech import Delta, ToolCall
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel
from vivavoce.testing.speech import speech_like
from vivavoce.transports.access import Credentials

TRANSCRIBED = {"input": {"transcription": {"model": "gpt-4o-mini-transcribe", "language": "en"}}}
MANUAL = {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}}

TURN_BY_HAND = [
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]
SPOKEN_TURN = [
    "input_audio_buffer.speech_started",
    "conversation.item.input_audio_transcription.delta",
    "input_audio_buffer.speech_stopped",
    *TURN_BY_HAND[:3],
    *TURN_BY_HAND[4:],
]


def long_winded(**more: Any) -> RealtimeStage:
    return RealtimeStage(llm=ScriptedLanguageModel([LONG_REPLY]), **more)


def pcm(seconds: float) -> bytes:
    return resample(speech_like(seconds), 16_000, RATE)


async def test_a_spoken_turn_has_its_events_in_order() -> None:
    async with RealtimeStage() as stage:
        first = await stage.client.json()
        assert first["type"] == "session.created"
        assert first["session"]["model"] == "gpt-realtime"
        stage.say("session.update", session={"type": "realtime", "audio": TRANSCRIBED, "instructions": "Be brief."})
        second = await stage.client.json()
        assert second["type"] == "session.updated", "the very next frame"
        await stage.speak(1.2, -1.5)
        done = await stage.until("response.done")
        assert stage.kinds() == SPOKEN_TURN
        assert done["response"]["status"] == "completed"
        (said,) = done["response"]["output"]
        assert said["content"] == [{"type": "output_audio", "transcript": "It is late. Go to bed."}]
        started = stage.of("input_audio_buffer.speech_started")[0]
        stopped = stage.of("input_audio_buffer.speech_stopped")[0]
        assert type(started["audio_start_ms"]) is int
        assert 1100 < stopped["audio_end_ms"] - started["audio_start_ms"] < 1400
        completed = stage.of("conversation.item.input_audio_transcription.completed")[0]
        assert completed["item_id"] == started["item_id"] == stopped["item_id"]
        assert completed["usage"]["type"] == "tokens"
        assert 11 <= completed["usage"]["input_token_details"]["audio_tokens"] <= 14
        assert all(len(base64.b64decode(e["delta"])) <= RATE * 2 // 5 for e in stage.of("response.output_audio.delta"))
        assert len(stage.audio()) / RATE / 2 == pytest.approx(22 * 0.06, abs=0.2)
        assert messages(stage.llm.requests[-1]) == [("system", "Be brief."), ("user", "what time is it")]


async def test_event_ids_are_all_different() -> None:
    async with RealtimeStage() as stage:
        await stage.speak(1.2, -1.5)
        await stage.until("response.done")
        ids = [event["event_id"] for event in stage.events]
        assert len(set(ids)) == len(ids)


async def test_without_transcription_asked_for_none_is_told() -> None:
    async with RealtimeStage() as stage:
        await stage.speak(1.2, -1.5)
        await stage.until("response.done")
        assert not [kind for kind in stage.kinds() if "transcription" in kind]
        stage.say("conversation.item.retrieve", item_id=stage.of("conversation.item.done")[0]["item"]["id"])
        found = await stage.until("conversation.item.retrieved")
        assert found["item"]["content"] == [{"type": "input_audio", "transcript": "what time is it"}]


async def test_speech_over_a_response_interrupts_it_and_history_keeps_what_was_heard() -> None:
    stt = ScriptedSpeechToText(["tell me about the sea", "no please stop that now", "go on"])
    async with long_winded(stt=stt) as stage:
        await stage.update(audio=TRANSCRIBED)
        await stage.speak(1.2, -2.5, 1.2)
        done = await stage.until("response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        kinds = stage.kinds()
        second = [i for i, kind in enumerate(kinds) if kind == "input_audio_buffer.speech_started"][1]
        assert second < kinds.index("response.done")
        assert kinds[second + 1 : kinds.index("response.done") + 1] == [
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
        (item,) = done["response"]["output"]
        assert item["status"] == "incomplete"
        stage.say("conversation.item.retrieve", item_id=item["id"])
        heard = (await stage.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
        assert heard
        assert LONG_REPLY.startswith(heard)
        assert heard != LONG_REPLY
        count = len(stage.of("response.output_audio.delta"))
        await stage.speak(-1.0)
        later = [e for e in stage.of("response.output_audio.delta")[count:] if e["item_id"] == item["id"]]
        assert not later, "nothing of it is played any more"
        await stage.until("response.created", 2)
        assert ("assistant", heard) in messages(stage.llm.requests[-1])


async def test_a_hum_over_a_response_is_not_told_at_all() -> None:
    stt = ScriptedSpeechToText(["tell me about the sea", "mm hmm"])
    async with long_winded(stt=stt) as stage:
        await stage.speak(1.2, -2.5, 0.3, -2.0)
        done = await stage.until("response.done")
        assert done["response"]["status"] == "completed"
        assert len(stage.of("input_audio_buffer.speech_started")) == 1
        assert len(stage.audio()) / RATE / 2 == pytest.approx(len(LONG_REPLY) * 0.06, rel=0.1)


async def test_a_client_may_decide_about_responses_itself() -> None:
    detection = {"type": "server_vad", "create_response": False, "interrupt_response": False, "silence_duration_ms": 300}
    stt = ScriptedSpeechToText(["tell me about the sea", "what about whales"])
    async with long_winded(stt=stt) as stage:
        updated = await stage.update(audio={"input": {**TRANSCRIBED["input"], "turn_detection": detection}})
        assert updated["session"]["audio"]["input"]["turn_detection"]["prefix_padding_ms"] == 300
        await stage.speak(1.2, -1.5)
        heard = await stage.until("conversation.item.input_audio_transcription.completed")
        assert not stage.of("response.created")
        stage.say("response.create", response={"metadata": {"input_item_id": heard["item_id"]}})
        created = await stage.until("response.created")
        assert created["response"]["metadata"] == {"input_item_id": heard["item_id"]}
        await stage.speak(-1.0, 1.0, -1.0)
        second = await stage.until("conversation.item.input_audio_transcription.completed", 2)
        assert second["transcript"] == "what about whales"
        assert not stage.of("response.done"), "speech leaves the response alone"
        stage.say("response.cancel")
        done = await stage.until("response.done")
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        assert done["response"]["metadata"] == {"input_item_id": heard["item_id"]}
        stage.say("response.create")
        await stage.until("response.created", 2)
        said = messages(stage.llm.requests[-1])
        assert [text for role, text in said if role == "user"] == ["tell me about the sea", "what about whales"]


async def test_a_turn_by_hand() -> None:
    async with RealtimeStage() as stage:
        await stage.update(audio=MANUAL)
        await stage.speak(0.3, -0.8, 0.9)
        assert stage.kinds() == ["session.created", "session.updated"], "no turn detection"
        stage.say("input_audio_buffer.commit")
        stage.say("response.create")
        await stage.until("response.done")
        assert stage.kinds(after="session.updated") == TURN_BY_HAND
        assert stage.of("conversation.item.input_audio_transcription.completed")[0]["transcript"] == "what time is it"
        assert messages(stage.llm.requests[-1])[-1] == ("user", "what time is it")


async def test_a_whole_recording_at_once_and_its_commit() -> None:
    """As examples do it: append a file, commit, ask. What stands behind the commit waits for its transcript."""
    async with RealtimeStage() as stage:
        await stage.update(audio=MANUAL)
        for _ in range(10):
            stage.append(pcm(3.0))
        stage.say("input_audio_buffer.commit")
        stage.say("response.create")
        stage.append(pcm(2.0))
        stage.say("input_audio_buffer.commit")
        await stage.until("response.done", seconds=60)
        await stage.until("conversation.item.input_audio_transcription.completed", 2, seconds=60)
        assert stage.stt.tally.finished == 2
        assert not stage.of("error")


async def test_more_audio_than_a_turn_may_have_is_one_item_until_it_is_committed() -> None:
    async with RealtimeStage(stt=ScriptedSpeechToText(["one", "two"])) as stage:
        await stage.update(audio=MANUAL)
        await stage.speak(70.0)
        stage.say("input_audio_buffer.commit")
        completed = await stage.until("conversation.item.input_audio_transcription.completed", seconds=60)
        assert completed["transcript"] == "one two"


async def test_a_cleared_buffer_leaves_nothing() -> None:
    async with RealtimeStage() as stage:
        await stage.update(audio=MANUAL)
        await stage.speak(1.0)
        stage.say("input_audio_buffer.clear")
        await stage.until("input_audio_buffer.cleared")
        stage.say("input_audio_buffer.commit", event_id="mine")
        error = await stage.until("error")
        assert error["error"]["code"] == "input_audio_buffer_commit_empty"
        assert error["error"]["event_id"] == "mine"
        assert error["error"]["type"] == "invalid_request_error"
        assert stage.stt.tally.cancelled == 1


async def test_committing_silence_gives_an_empty_transcript() -> None:
    async with RealtimeStage() as stage:
        await stage.update(audio=TRANSCRIBED)
        await stage.speak(-0.5)
        stage.say("input_audio_buffer.commit")
        completed = await stage.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == ""
        assert not stage.of("response.created")


async def test_a_recogniser_that_fails_is_told_with_the_item() -> None:
    stt = ScriptedSpeechToText(["what time is it"])
    stt.fail = ProviderFailed("no ears today")
    async with RealtimeStage(stt=stt) as stage:
        await stage.update(audio=MANUAL)
        await stage.speak(1.0)
        stage.say("input_audio_buffer.commit")
        failed = await stage.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == "provider_failed"
        assert not stage.of("error"), "an error event would end several clients"


async def test_speech_that_cannot_be_read_is_told_as_an_item_that_failed() -> None:
    stt = ScriptedSpeechToText(["what time is it"])
    stt.fail = ProviderFailed("no ears today")
    async with RealtimeStage(stt=stt) as stage:
        await stage.update(audio=TRANSCRIBED)
        await stage.speak(1.2, -1.5)
        failed = await stage.until("conversation.item.input_audio_transcription.failed")
        assert failed["error"]["code"] == "provider_failed"
        kinds = stage.kinds(after="session.updated")
        told = ["conversation.item.input_audio_transcription.failed"]
        assert kinds == [*SPOKEN_TURN[:6], *told]
        assert failed["item_id"] == stage.of("input_audio_buffer.committed")[0]["item_id"]
        stt.fail = None
        await stage.speak(1.2, -1.5)
        await stage.until("response.done")


async def test_a_language_model_that_fails_fails_the_response() -> None:
    llm = ScriptedLanguageModel(["never"], fail=ProviderFailed("no mind today"))
    async with RealtimeStage(llm=llm) as stage:
        await stage.speak(1.2, -1.5)
        done = await stage.until("response.done")
        assert done["response"]["status"] == "failed"
        assert done["response"]["status_details"]["error"]["code"] == "provider_failed"
        assert not stage.of("error")


TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


async def test_a_tool_goes_round() -> None:
    call = ToolCall("call_7", "weather", {"city": "Jaén"})
    llm = ScriptedLanguageModel([[Delta(tool_call=call)], "It is sunny."])
    async with RealtimeStage(llm=llm) as stage:
        await stage.update(tools=[TOOL])
        stage.say("conversation.item.create", item=user("How is the weather in Jaén?"))
        stage.say("response.create")
        done = await stage.until("response.done")
        assert "weather" in [tool.name for tool in llm.tools[0]]
        assert stage.kinds(after="response.created") == [
            "response.output_item.added",
            "conversation.item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
        assert stage.of("response.function_call_arguments.done")[0]["name"] == "weather"
        (item,) = done["response"]["output"]
        assert (item["type"], item["status"], item["call_id"]) == ("function_call", "completed", "call_7")
        output = {"type": "function_call_output", "call_id": "call_7", "output": '{"sky": "clear"}'}
        stage.say("conversation.item.create", item=output)
        stage.say("response.create")
        done = await stage.until("response.done", 2)
        assert done["response"]["output"][0]["content"][0]["transcript"] == "It is sunny."
        asked = llm.requests[-1]
        assert asked[-2].tool_calls == (call,)
        assert (asked[-1].role, asked[-1].text, asked[-1].tool_call_id) == ("tool", '{"sky": "clear"}', "call_7")


async def test_words_before_a_tool_call_are_said_first() -> None:
    call = ToolCall("call_8", "weather", {})
    llm = ScriptedLanguageModel([[Delta("Let me look. "), Delta(tool_call=call)]])
    async with RealtimeStage(llm=llm) as stage:
        await stage.update(tools=[TOOL])
        stage.say("response.create")
        done = await stage.until("response.done")
        said, called = done["response"]["output"]
        assert said["content"][0]["transcript"] == "Let me look."
        assert called["type"] == "function_call"
        assert [e["output_index"] for e in stage.of("response.output_item.done")] == [0, 1]


async def test_no_tool_is_offered_where_none_is_wanted() -> None:
    async with RealtimeStage() as stage:
        await stage.update(tools=[TOOL], tool_choice="none")
        stage.say("response.create")
        await stage.until("response.done")
        assert "weather" not in [tool.name for tool in stage.llm.tools[-1]]


async def test_text_alone_is_not_synthesised() -> None:
    async with RealtimeStage(llm=ScriptedLanguageModel(["**Plain** text, 3 words."])) as stage:
        await stage.update(output_modalities=["text"])
        stage.say("conversation.item.create", item=user("Write."))
        stage.say("response.create")
        done = await stage.until("response.done")
        assert done["response"]["output"][0]["content"] == [{"type": "output_text", "text": "**Plain** text, 3 words."}]
        assert stage.kinds(after="response.created") == [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
        ]
        assert stage.tts.tally.opened == 0
        assert stage.of("response.content_part.added")[0]["part"] == {"type": "text", "text": ""}
        stage.say("response.create", response={"output_modalities": ["audio"]})
        await stage.until("response.done", 2)
        assert stage.tts.tally.opened == 1
        assert ("assistant", "**Plain** text, 3 words.") in messages(stage.llm.requests[-1])


async def test_a_long_text_is_no_silence() -> None:
    """Half a minute of writing: no watchdog of audio ends it."""
    text = " ".join(["word"] * 400)
    llm = ScriptedLanguageModel([text], tokens_per_second=12)
    async with RealtimeStage(llm=llm) as stage:
        await stage.update(output_modalities=["text"])
        stage.say("response.create")
        done = await stage.until("response.done", seconds=60)
        assert done["response"]["status"] == "completed"
        assert done["response"]["output"][0]["content"][0]["text"] == text


async def test_an_out_of_band_response_leaves_no_trace() -> None:
    llm = ScriptedLanguageModel(lambda asked: f"About {asked[-1].text}.")
    async with RealtimeStage(llm=llm) as stage:
        stage.say("conversation.item.create", item={**user("the sea"), "id": "mine"})
        wish = {
            "conversation": "none",
            "instructions": "Classify.",
            "input": [{"type": "item_reference", "id": "mine"}, user("whales")],
            "metadata": {"topic": "fish"},
            "output_modalities": ["text"],
        }
        stage.say("response.create", response=wish)
        done = await stage.until("response.done")
        assert done["response"]["metadata"] == {"topic": "fish"}
        assert done["response"]["conversation_id"] is None
        assert messages(llm.requests[-1]) == [("system", "Classify."), ("user", "the sea"), ("user", "whales")]
        assert len(stage.of("conversation.item.added")) == 1
        stage.say("response.create")
        await stage.until("response.done", 2)
        assert [text for role, text in messages(llm.requests[-1]) if role != "system"] == ["the sea"]


async def test_out_of_band_responses_wait_and_others_are_refused() -> None:
    async with long_winded() as stage:
        stage.say("response.create")
        await stage.until("response.created")
        stage.say("response.create", event_id="twice")
        error = await stage.until("error")
        assert error["error"]["code"] == "conversation_already_has_active_response"
        assert error["error"]["event_id"] == "twice"
        for number in range(2):
            stage.say("response.create", response={"conversation": "none", "metadata": {"n": str(number)}})
        await stage.until("response.done", 3, seconds=120)
        assert [e["response"]["metadata"] for e in stage.of("response.done")] == [None, {"n": "0"}, {"n": "1"}]


async def test_truncating_shortens_history() -> None:
    async with long_winded() as stage:
        stage.say("response.create")
        item = (await stage.until("response.output_item.added"))["item"]["id"]
        await stage.settle(6.0)
        stage.say("response.cancel")
        await stage.until("response.done")
        stage.say("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=2_000)
        told = await stage.until("conversation.item.truncated")
        assert told["audio_end_ms"] == 2_000
        stage.say("conversation.item.retrieve", item_id=item)
        heard = (await stage.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
        assert LONG_REPLY.startswith(heard)
        assert 2.0 / 0.06 - 12 <= len(heard) <= 2.0 / 0.06
        stage.say("response.create")
        await stage.until("response.created", 2)
        assert ("assistant", heard) in messages(stage.llm.requests[-1])
        stage.say("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=10**9)
        clamped = await stage.until("conversation.item.truncated", 2)
        assert 5_000 < clamped["audio_end_ms"] < 8_000, "clamped to the audio that was sent"
        assert not stage.of("error")


async def test_a_response_that_was_heard_to_its_end_can_be_truncated_too() -> None:
    async with RealtimeStage(llm=ScriptedLanguageModel(["One two three. Four five six seven."])) as stage:
        stage.say("response.create")
        done = await stage.until("response.done")
        item = done["response"]["output"][0]["id"]
        stage.say("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=0)
        await stage.until("conversation.item.truncated")
        stage.say("response.create")
        await stage.until("response.done", 2)
        assert [role for role, _ in messages(stage.llm.requests[-1])] == ["system"], "nothing of it was heard"


async def test_cancelling_what_is_not_there() -> None:
    async with RealtimeStage() as stage:
        stage.say("response.cancel", event_id="c")
        error = (await stage.until("error"))["error"]
        assert error["code"] == "response_cancel_not_active"
        assert error["message"].startswith("Cancellation failed")
        assert error["event_id"] == "c"


async def test_items_come_and_go() -> None:
    async with RealtimeStage() as stage:
        stage.say("conversation.item.create", item={**user("second"), "id": "two"})
        stage.say("conversation.item.create", item={**user("first"), "id": "one"}, previous_item_id="root")
        stage.say("conversation.item.create", item={**user("middle"), "id": "mid"}, previous_item_id="one")
        stage.say("conversation.item.create", item={**user("again"), "id": "two"}, event_id="dup")
        error = (await stage.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("item_create_duplicate_item_id", "dup")
        added = [(e["previous_item_id"], e["item"]["id"]) for e in stage.of("conversation.item.added")]
        assert added == [(None, "two"), (None, "one"), ("one", "mid")]
        stage.say("conversation.item.delete", item_id="mid")
        assert (await stage.until("conversation.item.deleted"))["item_id"] == "mid"
        stage.say("response.create")
        await stage.until("response.done")
        assert [text for role, text in messages(stage.llm.requests[-1]) if role == "user"] == ["first", "second"]
        stage.say("conversation.item.retrieve", item_id="gone", event_id="rci_gone")
        error = (await stage.until("error", 2))["error"]
        assert (error["code"], error["event_id"]) == ("item_retrieve_invalid_item_id", "rci_gone")


async def test_an_item_behind_a_reply_nobody_heard_keeps_its_place() -> None:
    async with long_winded() as stage:
        stage.say("conversation.item.create", item={**user("first"), "id": "one"})
        stage.say("response.create")
        reply = (await stage.until("response.output_item.added"))["item"]["id"]
        await stage.settle(1.0)
        stage.say("response.cancel")
        stage.say("conversation.item.truncate", item_id=reply, content_index=0, audio_end_ms=0)
        stage.say("conversation.item.create", item={**user("second"), "id": "two"}, previous_item_id=reply)
        stage.say("response.create")
        await stage.until("response.created", 2)
        assert [text for _, text in messages(stage.llm.requests[-1])][1:] == ["first", "second"]
        assert not stage.of("error")


async def test_a_deleted_spoken_turn_is_forgotten() -> None:
    async with RealtimeStage() as stage:
        await stage.speak(1.2, -1.5)
        await stage.until("response.done")
        item = stage.of("input_audio_buffer.committed")[0]["item_id"]
        stage.say("conversation.item.delete", item_id=item)
        stage.say("response.create")
        await stage.until("response.done", 2)
        assert "user" not in [role for role, _ in messages(stage.llm.requests[-1])]


async def test_a_transcription_session_never_answers() -> None:
    async with RealtimeStage(query="intent=transcription") as stage:
        created = await stage.until("session.created")
        assert created["session"]["type"] == "transcription"
        assert created["session"]["object"] == "realtime.transcription_session"
        assert "instructions" not in created["session"]
        session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
        stage.say("session.update", session=session)
        await stage.until("session.updated")
        await stage.speak(1.2, -1.5)
        completed = await stage.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "what time is it"
        await stage.speak(-1.0)
        assert not stage.of("response.created")
        assert stage.llm.tally.opened == 0


@pytest.mark.parametrize(
    ("kind", "encode", "decode"),
    [
        ("audio/pcmu", g711.encode_ulaw, g711.decode_ulaw),
        ("audio/pcma", g711.encode_alaw, g711.decode_alaw),
    ],
)
async def test_telephone_audio(kind: str, encode: Any, decode: Any) -> None:
    async with RealtimeStage() as stage:
        updated = await stage.update(audio={"input": {"format": {"type": kind}}, "output": {"format": {"type": kind}}})
        assert updated["session"]["audio"]["output"]["format"] == {"type": kind}
        telephone = encode(resample(speech_like(1.2), 16_000, 8_000) + bytes(2 * 8_000 * 2))
        for start in range(0, len(telephone), 160):
            stage.append(telephone[start : start + 160])
            await stage.settle(0.02)
        await stage.until("response.done")
        sound = decode(stage.audio())
        assert len(sound) / 2 / 8_000 == pytest.approx(22 * 0.06, abs=0.2)
        assert max(abs(int.from_bytes(sound[i : i + 2], "little", signed=True)) for i in range(0, len(sound), 2)) > 1_000


async def test_a_key_for_others_opens_the_session_it_is_bound_to() -> None:
    door = entrance({"secret": Principal("me", frozenset({"converse"}))})
    me = await door.access.recognise(Credentials("secret"))
    key = await door.access.ephemeral_key(me, {"instructions": "Be kind.", "model": "bound"}, 30)
    for headers in (
        {"authorization": f"Bearer {key}"},
        {"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{key}"},
    ):
        async with RealtimeStage(entrance=door, headers=headers) as stage:
            created = await stage.until("session.created")
            assert created["session"]["instructions"] == "Be kind."
            assert created["session"]["model"] == "bound"
            offered = "sec-websocket-protocol" in headers
            assert stage.first["subprotocol"] == ("realtime" if offered else None), "only `realtime` is echoed"
    async with RealtimeStage(entrance=door, headers={"authorization": "Bearer ek_wrong"}, accepted=False) as stage:
        assert stage.first["status"] == 401


async def test_the_beta_is_refused_with_a_name_for_what_is_spoken() -> None:
    async with RealtimeStage(headers={"openai-beta": "realtime=v1"}) as stage:
        error = await stage.until("error")
        assert "GA" in error["error"]["message"]
        await stage.settle(0.1)
        assert stage.closed is not None


async def test_wishes_are_clamped_not_refused() -> None:
    async with RealtimeStage() as stage:
        updated = await stage.update(
            output_modalities=["text", "audio"],
            max_output_tokens=10**9,
            audio={
                "input": {
                    "format": {"type": "audio/pcm", "rate": 16_000},
                    "turn_detection": {"type": "server_vad", "threshold": 7, "silence_duration_ms": -5},
                },
                "output": {"voice": {"id": "tone"}, "speed": 99},
            },
            tool_choice="maybe",
            unheard_of={"x": 1},
        )
        session = updated["session"]
        assert session["output_modalities"] == ["audio"]
        assert session["max_output_tokens"] == 4096
        assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24_000}
        detection = session["audio"]["input"]["turn_detection"]
        assert (detection["threshold"], detection["silence_duration_ms"]) == (1.0, 0)
        assert (session["audio"]["output"]["voice"], session["audio"]["output"]["speed"]) == ("tone", 1.5)
        assert session["tool_choice"] == "auto"
        assert "unheard_of" not in session
        assert not stage.of("error")


async def test_the_length_of_responses_is_limited() -> None:
    """Of those that follow a turn, and of one that is asked for."""
    async with RealtimeStage(llm=ScriptedLanguageModel(["one two three four five"])) as stage:
        await stage.update(max_output_tokens=2)
        await stage.speak(1.2, -1.5)
        first = await stage.until("response.done")
        assert first["response"]["output"][0]["content"][0]["transcript"] == "one two"
        stage.say("response.create", response={"max_output_tokens": 3})
        second = await stage.until("response.done", 2)
        assert second["response"]["output"][0]["content"][0]["transcript"] == "one two three"


async def test_openais_voices_are_spoken_by_those_there_are() -> None:
    async with RealtimeStage() as stage:
        await stage.update(audio={"output": {"voice": "cedar"}})
        stage.say("response.create")
        await stage.until("response.done")
        assert stage.tts.asked[-1].voice in ("tone", "low")


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
