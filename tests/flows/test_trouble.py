"""Conversations in which something goes wrong, and timers, tools and settings."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.flows.score import LONG_REPLY, Stage
from vivavoce.contracts.errors import InvalidAudio, InvalidText, ProviderFailed, UnknownName, WorkerLost
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyStarted,
    ResponseCompleted,
    SessionFailed,
    SettingsChanged,
    SpeechStopped,
    ToolUsed,
    TranscriptUpdated,
    TurnDiscarded,
)
from vivavoce.contracts.speech import Delta, Message, ToolCall
from vivavoce.sessions.options import WatchdogOptions
from vivavoce.testing.hearing import ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech


def failing_voice(after: float) -> ScriptedTextToSpeech:
    voice = ScriptedTextToSpeech(name="failing")
    voice.fail, voice.fail_after = WorkerLost("the process died"), after
    return voice


def answering(call: ToolCall) -> ScriptedLanguageModel:
    def reply(messages: Sequence[Message]) -> str | list[Delta]:
        last = messages[-1]
        return f"Done: {last.text}" if last.role == "tool" else [Delta(tool_call=call)]

    return ScriptedLanguageModel(reply)


async def test_a_voice_that_dies_in_mid_reply_is_replaced_at_the_next_sentence() -> None:
    stage = Stage(llm=ScriptedLanguageModel([LONG_REPLY]), tts=[failing_voice(1.0), ScriptedTextToSpeech(name="second")])
    async with stage:
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    [failure] = stage.events.of(SessionFailed)
    assert failure.code == "worker_lost" and failure.retryable
    assert not done.interrupted and done.text == LONG_REPLY
    said_again = stage.tts[1].texts[0]
    assert said_again.strip() and LONG_REPLY.endswith(said_again.strip())
    assert stage.sink.discontinuities == []


async def test_the_last_voice_dies_and_the_session_goes_on() -> None:
    stage = Stage(llm=ScriptedLanguageModel([LONG_REPLY, "Better now."]), tts=[failing_voice(1.0)])
    stage.stt = ScriptedSpeechToText(["tell me about the sea", "are you there"])
    async with stage:
        await stage.hear(1.2)
        [first] = await stage.until_completed()
        assert first.interrupted
        assert [e.reason for e in stage.events.of(ReplyInterrupted)] == ["failed"]
        assert LONG_REPLY.startswith(first.text)
        stage.tts[0].fail = None
        await stage.hear(1.2)
        _, second = await stage.until_completed(2)
    assert second.text == "Better now."


async def test_a_language_model_that_fails_is_answered_for() -> None:
    llm = ScriptedLanguageModel(["never said"], fail=ProviderFailed("it answered 503"))
    async with Stage(llm=llm) as stage:
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    assert done.text == stage.options.watchdogs.fallback
    assert "provider_failed" in {e.code for e in stage.events.of(SessionFailed)}
    assert stage.conversation.history[-1].text == stage.options.watchdogs.fallback


async def test_a_language_model_that_thinks_for_ever_is_answered_for() -> None:
    llm = ScriptedLanguageModel(["too late"], first_token_latency=3600.0)
    async with Stage(llm=llm).with_options(watchdogs=WatchdogOptions(first_token=3.0)) as stage:
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    assert done.text == stage.options.watchdogs.fallback
    assert done.waterfall.first_audio is not None and 3.0 < done.waterfall.first_audio < 4.0


async def test_a_transcriber_that_fails_loses_the_turn_but_not_the_session() -> None:
    stt = ScriptedSpeechToText(["lost", "what time is it"], fail=WorkerLost("the process died"))
    async with Stage(stt=stt) as stage:
        await stage.hear(1.0)
        await stage.hear(-2.0)
        assert [e.code for e in stage.events.of(SessionFailed)] == ["worker_lost"]
        assert [e.reason for e in stage.events.of(TurnDiscarded)] == ["empty"]
        stt.fail = None
        await stage.hear(1.0)
        [done] = await stage.until_completed()
    assert done.text


async def test_a_transcriber_that_is_late_is_told_of_and_what_it_had_read_counts() -> None:
    stt = ScriptedSpeechToText(["what time is it", "tell me more"], final_latency=3600.0)
    async with Stage(stt=stt) as stage:
        await stage.hear(1.6)
        [done] = await stage.until_completed()
        assert done.text
        assert [e.code for e in stage.events.of(SessionFailed)] == ["transcription_late"]
        stt.partial_every = 100.0  # not even partials
        await stage.hear(1.6)
        await stage.hear(-8.0)
        assert [e.code for e in stage.events.of(SessionFailed)] == ["transcription_late"] * 2
        assert [e.reason for e in stage.events.of(TurnDiscarded)] == ["empty"]


async def test_a_tool_with_side_effects_runs_only_after_the_decision() -> None:
    call = ToolCall("1", "set_timer", {"seconds": 5, "label": "pasta"})
    async with Stage(llm=answering(call), turn=ScriptedTurnDetector(0.1)) as stage:
        await stage.hear(1.0)
        [done] = await stage.until_completed()
        [used] = stage.events.of(ToolUsed)
        assert stage.events.times(ToolUsed)[0] >= stage.events.times(ReplyStarted)[0]
        assert json.loads(used.result)["timer"]["label"] == "pasta"
        assert done.text.startswith("Done:")
        [*_, rung] = await stage.until_completed(2, limit=20)
    assert rung.text == "Your pasta timer is done."
    roles = [message.role for message in stage.conversation.history]
    assert roles == ["user", "assistant", "tool", "assistant", "assistant"]


async def test_a_turn_judged_over_too_soon_goes_on() -> None:
    stt = ScriptedSpeechToText(["turn on the light", "in the kitchen please"])
    llm = ScriptedLanguageModel(lambda messages: messages[-1].text, first_token_latency=0.5)
    async with Stage(stt=stt, llm=llm) as stage:
        await stage.hear(1.0, -0.4, 1.2)
        [done] = await stage.until_completed()
    assert done.text == "turn on the light in the kitchen please"
    users = [message.text for message in stage.conversation.history if message.role == "user"]
    assert users == ["turn on the light in the kitchen please"]


async def test_a_stream_that_stops_in_mid_word_ends_the_word() -> None:
    async with Stage() as stage:
        await stage.hear(0.9)
        await stage.clock.sleep(5.0)
        assert len(stage.events.of(SpeechStopped)) == 1
        assert len(stage.events.of(ResponseCompleted)) == 1
        await stage.hear(-0.2)
        assert stage.conversation.statistics.gaps == 1


async def test_manual_turns_end_by_commit_only() -> None:
    async with Stage(stt=ScriptedSpeechToText(["one", "two"])).with_options(mode="manual") as stage:
        await stage.hear(0.8, -3.0, 0.8, -3.0)
        assert stage.events.of(ReplyStarted) == []
        stage.conversation.commit()
        await stage.until_completed()
    assert [e.text for e in stage.events.of(TranscriptUpdated) if e.final] == ["one two"]


async def test_commit_without_a_turn_says_so() -> None:
    async with Stage() as stage:
        stage.conversation.commit()
        assert [e.reason for e in stage.events.of(TurnDiscarded)] == ["empty"]


async def test_interrupt_and_reset_by_the_client() -> None:
    async with Stage(llm=ScriptedLanguageModel([LONG_REPLY])) as stage:
        await stage.hear(1.2)
        await stage.hear(-2.0)
        stage.conversation.interrupt()
        assert stage.events.of(ReplyInterrupted)[0].reason == "command"
        assert stage.conversation.history[-1].interrupted
        stage.conversation.reset()
        assert stage.conversation.history == ()
        await stage.hear(-0.5)
    assert stage.sink.stale == []


async def test_providers_change_in_mid_session() -> None:
    async with Stage(tts=[ScriptedTextToSpeech(name="one"), ScriptedTextToSpeech(name="two")]) as stage:
        stage.conversation.set_provider("tts", "voice1")
        with pytest.raises(UnknownName, match="voice0, voice1"):
            stage.conversation.set_provider("tts", "nobody")
        stage.conversation.type("hello")
        await stage.until_completed()
    assert stage.tts[0].texts == [] and stage.tts[1].texts
    assert SettingsChanged("tts", "voice1") in stage.events.events


async def test_bad_input_is_refused_and_nothing_is_lost() -> None:
    async with Stage() as stage:
        with pytest.raises(InvalidAudio, match="even"):
            stage.conversation.hear(b"odd")
        with pytest.raises(InvalidAudio):
            stage.conversation.hear(b"")
        with pytest.raises(InvalidText):
            stage.conversation.type("   ")
        with pytest.raises(UnknownName, match="language"):
            stage.conversation.set_language("tlh")
        for _ in range(50):
            stage.conversation.played(99, 10**9)
            stage.conversation.played(-1, -5)
        await stage.hear(1.0)
        [done] = await stage.until_completed()
    assert done.text


async def test_closing_in_the_middle_leaves_nothing_behind() -> None:
    for moment in (0.3, 0.9, 1.1, 1.3, 1.7, 2.5):
        async with Stage(llm=ScriptedLanguageModel([LONG_REPLY])) as stage:
            await stage.hear(1.0)
            await stage.hear(-max(0.02, moment - 1.0))
        for port in (stage.stt, stage.llm, stage.tts[0]):
            assert port.tally.live == 0, (moment, port)


async def test_speculation_is_off_where_work_is_metered() -> None:
    llm = ScriptedLanguageModel(["Fine."])
    llm.metered = True
    async with Stage(llm=llm, turn=ScriptedTurnDetector(0.1)) as stage:
        await stage.hear(1.0)
        [done] = await stage.until_completed()
    assert not done.waterfall.speculated and len(llm.requests) == 1


async def test_an_echo_of_the_reply_does_not_cut_it() -> None:
    stt = ScriptedSpeechToText(["tell me about the sea", "the sea covers most of the planet"])
    async with Stage(stt=stt, llm=ScriptedLanguageModel([LONG_REPLY])) as stage:
        await stage.hear(1.2)
        await stage.hear(-3.0)
        await stage.hear(1.5)
        [done] = await stage.until_completed()
    assert done.text == LONG_REPLY and not done.interrupted
    assert [e.reason for e in stage.events.of(TurnDiscarded)] == ["echo"]


async def test_a_network_that_stalls_and_catches_up_leaves_no_gap() -> None:
    async with Stage() as stage:
        for _ in range(3):
            await stage.hear(-1.0)
            await stage.clock.sleep(0.6)  # nothing arrives …
            for _ in range(30):
                stage.conversation.hear(bytes(640))  # … and then all of it at once
        assert stage.conversation.statistics.gaps == 0
        await stage.hear(1.0)
        [done] = await stage.until_completed()
        assert done.waterfall.total is not None and done.waterfall.total < 0.6


async def test_a_microphone_that_was_off_leaves_a_gap() -> None:
    async with Stage() as stage:
        await stage.hear(-1.0)
        await stage.clock.sleep(5.0)
        await stage.hear(-1.0)
        statistics = stage.conversation.statistics
        assert statistics.gaps == 1 and 4.7 < statistics.gap_seconds < 5.1


async def test_a_word_read_late_still_becomes_a_turn() -> None:
    stt = ScriptedSpeechToText(["my code is five", "eight"], final_latency=0.5)
    async with Stage(stt=stt, llm=ScriptedLanguageModel([LONG_REPLY])) as stage:
        await stage.hear(1.2)
        await stage.hear(-2.0)
        await stage.hear(0.35)
        await stage.until_completed(2)
    finals = [event.text for event in stage.events.of(TranscriptUpdated) if event.final]
    assert finals[-1] == "eight"
