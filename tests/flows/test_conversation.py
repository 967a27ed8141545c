"""Whole conversations on virtual time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.flows.score import LONG_REPLY, Stage
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ResponseCompleted,
    SessionFailed,
    SpeechStarted,
    TranscriptUpdated,
    TurnDiscarded,
)
from vivavoce.contracts.speech import Message
from vivavoce.sessions.options import Mode
from vivavoce.testing.hearing import ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.testing.speech import speak


def about(messages: Sequence[Message]) -> str:
    return LONG_REPLY if "sea" in messages[-1].text else "Fine."


def silent_voice() -> ScriptedTextToSpeech:
    voice = ScriptedTextToSpeech(name="silent")
    voice.stall = 0.0
    return voice


async def test_one_exchange() -> None:
    async with Stage() as stage:
        await stage.hear(-0.5, 1.2)
        [done] = await stage.until_completed()
    assert stage.events.of(SessionFailed) == []
    assert [e.text for e in stage.events.of(TranscriptUpdated) if e.final] == ["what time is it"]
    assert done.text == "It is late. Go to bed." and not done.interrupted
    assert stage.conversation.history == (Message("user", "what time is it"), Message("assistant", done.text))
    assert stage.sink.underruns == stage.sink.discontinuities == stage.sink.stale == []
    fall = done.waterfall
    assert fall.speculated and fall.revisions == 1
    assert fall.total is not None and fall.total < 0.45, fall


async def test_the_prepared_reply_is_released_by_the_decision() -> None:
    async with Stage(turn=ScriptedTurnDetector(0.1)) as stage:
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    fall = done.waterfall
    assert fall.decision is not None and fall.first_audio is not None and fall.first_sent is not None
    assert fall.first_audio < fall.decision, "the reply was ready before the decision"
    assert fall.first_sent - fall.decision < 0.002
    assert abs(fall.decision - fall.wait) < 0.03


async def test_a_pause_within_a_turn_does_not_end_it() -> None:
    stt = ScriptedSpeechToText(["my number is", "five five five"])
    async with Stage(stt=stt, turn=ScriptedTurnDetector(0.1)) as stage:
        await stage.hear(1.0, -0.5, 1.0)
        [done] = await stage.until_completed()
    assert [e.text for e in stage.events.of(TranscriptUpdated) if e.final] == ["my number is five five five"]
    assert done.waterfall.revisions == 2
    assert len([m for m in stage.conversation.history if m.role == "user"]) == 1


async def test_speech_over_the_reply_cuts_it_and_history_keeps_what_was_heard() -> None:
    stt = ScriptedSpeechToText(["tell me about the sea", "no I want to hear about the mountains"])
    stt.seconds_per_word = 0.2  # two words are there before the decision is due
    async with Stage(stt=stt, llm=ScriptedLanguageModel(about)) as stage:
        await stage.hear(1.2)
        await stage.hear(-2.5)
        await stage.hear(1.5)
        first, second = await stage.until_completed(2)
    [cut] = stage.events.of(ReplyInterrupted)
    assert cut.reason == "speech" and first.interrupted and second.text == "Fine."
    assert cut.heard and LONG_REPLY.startswith(cut.heard) and len(cut.heard) < len(LONG_REPLY)
    played = stage.sink.played(cut.stamp.generation)
    assert cut.at == played, "history is cut where the ear was"
    paused = stage.events.times(ReplyPaused)[0]
    onset = stage.events.times(SpeechStarted)[1]
    assert paused - onset < 0.001
    assert stage.sink.stale == []
    assert stage.conversation.history[1] == Message("assistant", cut.heard, interrupted=True)


async def test_a_backchannel_resumes_at_the_exact_sample() -> None:
    stt = ScriptedSpeechToText(["tell me about the sea", "mm hmm"])
    async with Stage(stt=stt, llm=ScriptedLanguageModel([LONG_REPLY])) as stage:
        await stage.hear(1.2)
        await stage.hear(-2.5)
        await stage.hear(0.3)
        [done] = await stage.until_completed()
    [resumed] = stage.events.of(ReplyResumed)
    assert resumed.reason == "backchannel"
    assert done.text == LONG_REPLY and not done.interrupted
    assert [e.reason for e in stage.events.of(TurnDiscarded)] == ["backchannel"]
    generation = done.stamp.generation
    assert stage.sink.discontinuities == [] and stage.sink.underruns == []
    pieces = [heard for heard in stage.sink.heard if heard.stamp.generation == generation]
    position = 0
    for piece in pieces:
        assert piece.offset == position, "not a sample is lost or repeated"
        position += len(piece.pcm) // 2
    assert position == stage.sink.played(generation)


async def test_a_click_is_no_turn() -> None:
    async with Stage() as stage:
        await stage.hear(-0.5, 0.03, -1.5)
        assert [e.reason for e in stage.events.of(TurnDiscarded)] == ["noise"]
        assert stage.events.of(ResponseCompleted) == [] and stage.conversation.history == ()


async def test_a_silent_voice_gives_way_to_the_next() -> None:
    async with Stage(tts=[silent_voice(), ScriptedTextToSpeech()]) as stage:
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    assert done.text == "It is late. Go to bed." and not done.interrupted
    assert [e.code for e in stage.events.of(SessionFailed)] == ["deadline_exceeded"]


async def test_a_client_that_acknowledges_nothing_is_reckoned_by_the_clock() -> None:
    stage = Stage().with_options(acknowledged=False)
    async with stage:
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    assert done.text == "It is late. Go to bed." and not done.interrupted
    assert done.waterfall.finished is not None and done.waterfall.finished > 1.0


async def test_a_typed_turn() -> None:
    async with Stage() as stage:
        stage.conversation.type("what time is it")
        [done] = await stage.until_completed()
    assert done.text == "It is late. Go to bed."
    assert stage.llm.requests[0][-1] == Message("user", "what time is it")


async def test_push_to_talk() -> None:
    async with Stage().with_options(mode="push_to_talk") as stage:
        await stage.hear(0.8)
        stage.conversation.commit()
        for _ in range(100):
            await stage.clock.sleep(0.1)
        [done] = stage.events.of(ResponseCompleted)
    assert done.text == "It is late. Go to bed."


async def test_the_lead_ahead_of_the_ear_is_bounded() -> None:
    async with Stage(llm=ScriptedLanguageModel([LONG_REPLY * 3])) as stage:
        await stage.hear(1.2)
        await stage.until_completed()
    assert 0.3 < stage.sink.max_lead <= stage.options.reply.max_lead + 0.021


@pytest.mark.parametrize("mode", ["auto", "push_to_talk"])
async def test_the_chunk_that_opens_a_reading_is_read_once(mode: Mode) -> None:
    heard: list[bytes] = []

    def read(pcm: bytes) -> str:
        heard.append(pcm)
        return "hello"

    said = bytes(range(1, 201)) * 128  # 0.8 s in which no two chunks of 20 ms are alike
    async with Stage(stt=ScriptedSpeechToText(read)).with_options(mode=mode) as stage:
        await speak(stage.conversation.hear, said, stage.clock)
        stage.conversation.commit()
        await stage.hear(-0.5)
    assert max(heard, key=len)[: len(said)] in said + bytes(len(said))
