"""A turn's end is taken back when the speaker goes on before anything of the reply was heard that counts."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.flows.score import LONG_REPLY, Stage
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ResponseCompleted,
    ToolUsed,
    TranscriptUpdated,
    TurnContinued,
)
from vivavoce.contracts.speech import Delta, Message, ToolCall
from vivavoce.sessions.interruption import MAX_REOPENED
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel

LIGHT = ["turn on the light", "in the kitchen please"]


def echo(messages: Sequence[Message]) -> str:
    return f"You said {messages[-1].text}. {LONG_REPLY}"


def users(stage: Stage) -> list[str]:
    return [message.text for message in stage.conversation.history if message.role == "user"]


async def test_before_the_first_audio_both_parts_are_one_turn() -> None:
    llm = ScriptedLanguageModel(lambda messages: messages[-1].text, first_token_latency=0.5)
    async with Stage(stt=ScriptedSpeechToText(list(LIGHT)), llm=llm) as stage:
        await stage.hear(1.0, -0.4, 1.2)
        [done] = await stage.until_completed()
    whole = "turn on the light in the kitchen please"
    [continued] = stage.events.of(TurnContinued)
    assert continued.continues < continued.stamp.turn == done.stamp.turn
    assert done.text == whole and users(stage) == [whole]
    [withdrawn] = stage.events.of(ReplyInterrupted)
    assert withdrawn.reason == "replaced" and withdrawn.heard == "" and withdrawn.stamp.turn == continued.continues
    order = [type(e) for e in stage.events.events if isinstance(e, ReplyInterrupted | TurnContinued)]
    assert order == [ReplyInterrupted, TurnContinued]
    at = stage.events.events.index(continued)
    told = stage.events.events[at + 1]
    assert isinstance(told, TranscriptUpdated) and told.text.startswith("turn on the light") and not told.final
    asked = [messages[-1].text for messages in stage.llm.requests]
    assert asked[0] == "turn on the light" and asked[-1] == whole
    assert [m.text for m in stage.llm.requests[-1] if m.role == "user"] == [whole], "nothing is asked twice"


async def test_a_first_syllable_that_was_heard_counts_for_nothing() -> None:
    async with Stage(stt=ScriptedSpeechToText(list(LIGHT)), llm=ScriptedLanguageModel(echo)) as stage:
        await stage.hear(1.0)
        while not stage.sink.first_heard:
            await stage.hear(-0.02)
        await stage.hear(-0.08, 1.2)
        await stage.until_completed()
    [withdrawn] = stage.events.of(ReplyInterrupted)
    rate = stage.sink.format.rate
    assert 0.08 * rate < withdrawn.at < 0.3 * rate and withdrawn.at == stage.sink.played(withdrawn.stamp.generation)
    assert withdrawn.reason == "replaced" and len(stage.events.of(TurnContinued)) == 1
    assert users(stage) == ["turn on the light in the kitchen please"]
    assert not any(message.interrupted for message in stage.conversation.history)
    assert stage.sink.stale == []


async def test_a_speaker_who_hesitates_right_behind_the_decision_holds_the_floor() -> None:
    stt = ScriptedSpeechToText(["remind me to call the dentist", "um", "tomorrow morning please"])
    async with Stage(stt=stt, llm=ScriptedLanguageModel(echo)) as stage:
        await stage.hear(1.0)
        while not stage.sink.first_heard:
            await stage.hear(-0.02)
        await stage.hear(-0.1, 0.35, -0.8, 1.2)
        await stage.until_completed()
    assert users(stage) == ["remind me to call the dentist um tomorrow morning please"]
    assert stage.events.of(ReplyResumed) == [] and len(stage.events.of(TurnContinued)) == 1


async def test_what_was_heard_stands_and_speech_over_it_is_an_interruption() -> None:
    async with Stage(stt=ScriptedSpeechToText(list(LIGHT)), llm=ScriptedLanguageModel(echo)) as stage:
        await stage.hear(1.0)
        while not stage.sink.first_heard:
            await stage.hear(-0.02)
        await stage.hear(-0.6, 1.2)
        await stage.until_completed(2)
    assert stage.events.of(TurnContinued) == []
    assert [e.reason for e in stage.events.of(ReplyInterrupted)] == ["speech"]
    assert users(stage) == LIGHT
    assert stage.conversation.history[1].interrupted and stage.conversation.history[1].text.startswith("You said")


async def test_what_a_tool_has_done_stays_recorded() -> None:
    call = ToolCall("1", "set_timer", {"seconds": 600})

    def reply(messages: Sequence[Message]) -> str | list[Delta]:
        said = [message for message in messages if message.role == "user"][-1].text
        if messages[-1].role == "user" and said.startswith("set"):
            return [Delta(tool_call=call)]
        return f"Done with {said}."

    stt = ScriptedSpeechToText(["set a timer for ten minutes", "and call it pasta please"])
    async with Stage(stt=stt, llm=ScriptedLanguageModel(reply, first_token_latency=0.4)) as stage:
        await stage.hear(1.0)
        while not stage.events.of(ToolUsed):
            await stage.hear(-0.02)
        await stage.hear(1.2)
        await stage.until_completed(2)
        [used] = stage.events.of(ToolUsed)
    assert stage.sink.played(1) == 0, "nothing of the first reply was heard"
    assert stage.events.of(TurnContinued) == []
    roles = [(message.role, message.text) for message in stage.conversation.history]
    assert [role for role, _ in roles] == ["user", "assistant", "tool", "user", "assistant"]
    assert json.loads(roles[2][1]) == json.loads(used.result) and roles[4][1] == "Done with and call it pasta please."


async def test_what_was_merely_looked_up_goes_with_the_first_part() -> None:
    def reply(messages: Sequence[Message]) -> str | list[Delta]:
        if messages[-1].role == "user":
            return [Delta(tool_call=ToolCall("1", "list_timers", {}))]
        return "There is none."

    stt = ScriptedSpeechToText(["how many timers are there", "in the kitchen please"])
    async with Stage(stt=stt, llm=ScriptedLanguageModel(reply, first_token_latency=0.3)) as stage:
        await stage.hear(1.0, -0.45, 1.2)
        [done] = await stage.until_completed()
    assert len(stage.events.of(TurnContinued)) == 1 and done.text == "There is none."
    assert users(stage) == ["how many timers are there in the kitchen please"]


async def test_an_end_is_taken_back_only_so_often() -> None:
    parts = [f"turn on light {name}" for name in "abcdefghij"]
    llm = ScriptedLanguageModel(["Fine."], first_token_latency=3.0)
    async with Stage(stt=ScriptedSpeechToText(parts), llm=llm) as stage:
        for _ in parts:
            await stage.hear(1.0, -1.4)
        await stage.until_completed()
    turns = users(stage)
    assert len(turns) == 2, "the speech after the last time is an interruption like any other"
    assert turns[0].count("turn on") == MAX_REOPENED + 1
    assert " ".join(turns) == " ".join(parts), "no word is lost"
    assert len(stage.events.of(TurnContinued)) == len(parts) - 2


@pytest.mark.parametrize("mode", ["manual", "push_to_talk"])
async def test_what_the_client_ended_is_not_taken_back(mode: str) -> None:
    llm = ScriptedLanguageModel(["Fine."], first_token_latency=1.5)
    async with Stage(stt=ScriptedSpeechToText(list(LIGHT)), llm=llm).with_options(mode=mode) as stage:
        await stage.hear(1.0)
        stage.conversation.commit()
        for _ in range(40):
            await stage.clock.sleep(0.01)
        assert len(stage.events.of(ReplyStarted)) == 1
        await stage.hear(1.2)
        stage.conversation.commit()
        for _ in range(100):
            await stage.clock.sleep(0.1)
    assert stage.events.of(TurnContinued) == [] and users(stage) == LIGHT


async def test_who_was_cut_off_is_given_a_second_in_the_same_turn() -> None:
    stt = ScriptedSpeechToText(["turn on the light", "in the kitchen please", "and in the hall please"])
    llm = ScriptedLanguageModel(["Fine."], first_token_latency=0.5)
    async with Stage(stt=stt, llm=llm) as stage:
        await stage.hear(1.0, -0.4, 1.2, -0.8, 1.2)
        [done] = await stage.until_completed()
    assert len(stage.events.of(TurnContinued)) == 1, "the second pause is waited for"
    assert users(stage) == ["turn on the light in the kitchen please and in the hall please"]
    assert 0.95 < done.waterfall.wait <= 1.2


async def test_whoever_tells_something_long_is_given_time_and_a_short_command_is_not() -> None:
    stt = ScriptedSpeechToText(["we went to the sea and we stayed there", "then it rained all day"])
    async with Stage(stt=stt) as stage:
        await stage.hear(9.0, -0.7, 1.5)
        await stage.until_completed()
    assert stage.events.of(TurnContinued) == [] and len(stage.events.of(ReplyStarted)) == 1
    async with Stage(stt=ScriptedSpeechToText(["turn on the light"])) as stage:
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    assert done.waterfall.wait == 0


async def test_a_click_over_an_unheard_reply_leaves_it_as_it_is() -> None:
    llm = ScriptedLanguageModel(["Fine."], first_token_latency=0.8)
    async with Stage(llm=llm) as stage:
        await stage.hear(1.0, -0.3, 0.05)
        [done] = await stage.until_completed()
    assert len(stage.events.of(ReplyPaused)) == len(stage.events.of(ReplyResumed)) == 1
    assert done.text == "Fine." and users(stage) == ["what time is it"] and len(stage.llm.requests) == 1


async def test_nothing_is_heard_of_the_reply_while_a_slow_reading_is_awaited() -> None:
    stt = ScriptedSpeechToText(["turn on the light", "please"], final_latency=0.4)
    stt.seconds_per_word = 10.0
    async with Stage(stt=stt, llm=ScriptedLanguageModel(echo, first_token_latency=0.5)) as stage:
        await stage.hear(1.0, -0.8, 0.4)
        await stage.until_completed()
    assert stage.events.of(ReplyResumed) == [] and stage.sink.played(1) == 0
    assert users(stage) == ["turn on the light please"]
    assert [e.interrupted for e in stage.events.of(ResponseCompleted)] == [False]
