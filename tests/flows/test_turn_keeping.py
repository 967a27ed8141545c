"""What is kept of real turns: texts, times and the sound of both sides, folded from a conversation that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.flows.score import LONG_REPLY
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.events import ReplyStarted, ResponseCompleted, TurnContinued
from vivavoce.flow.clock import SystemClock
from vivavoce.observe.following import Witnesses
from vivavoce.observe.latency import LatencyLog
from vivavoce.observe.options import TurnOptions
from vivavoce.observe.turns import TurnStore
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions, SessionOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.sessions.registry import Sessions
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.testing.speech import silence, speak, speech_like

RECORDING = TurnOptions(audio=True)


@dataclass
class Watched:
    """A conversation that somebody follows."""

    clock: SystemClock
    store: TurnStore
    latency: LatencyLog
    sink: LoopbackSink
    events: EventRecorder
    conversation: Conversation

    async def hear(self, *sounds: float) -> None:
        for seconds in sounds:
            await speak(self.conversation.hear, speech_like(seconds) if seconds > 0 else silence(-seconds), self.clock)

    async def until_completed(self, count: int = 1) -> None:
        for _ in range(600):
            if len(self.events.of(ResponseCompleted)) >= count:
                return
            await self.hear(-0.1)
        raise AssertionError("not completed")


@asynccontextmanager
async def watched(options: TurnOptions, said: list[str], answer: ScriptedLanguageModel) -> AsyncIterator[Watched]:
    clock = SystemClock()
    ports = SessionPorts(
        stt=Choice("stt", {"scripted": ScriptedSpeechToText(said)}),
        llm=Choice("llm", {"scripted": answer}),
        tts=Choice("tts", {"scripted": ScriptedTextToSpeech()}),
        vad=EnergyVoiceActivityDetector(),
        turn=ScriptedTurnDetector(0.95),
    )
    store, latency = TurnStore(options, clock), LatencyLog(clock)
    sessions = Sessions(ports, SessionOptions(), clock, Witnesses(store, latency, clock))
    sink, events = LoopbackSink(clock), EventRecorder(clock)
    conversation = await sessions.open("test", ConversationOptions(acknowledged=True), sink, events)
    sink.on_played = conversation.played
    try:
        yield Watched(clock, store, latency, sink, events, conversation)
    finally:
        sink.close()
        await sessions.close(conversation)


async def test_a_turn_is_kept_with_its_texts_its_times_and_both_voices() -> None:
    async with watched(RECORDING, ["what time is it"], ScriptedLanguageModel(["It is late. Go to bed."])) as stage:
        await stage.hear(-0.5, 1.0)
        await stage.until_completed()
        [turn] = stage.store.latest(10)
        [done] = stage.events.of(ResponseCompleted)
    assert (turn.said, turn.reply.strip(), turn.heard) == ("what time is it", "It is late. Go to bed.", done.text)
    assert turn.waterfall == done.waterfall and turn.interrupted == "" and turn.transport == "test"
    kinds = [step.kind for step in turn.steps]
    for kind in ("speech_started", "speech_stopped", "transcript", "reply_started", "first_text", "completed"):
        assert kinds.count(kind) == 1, kinds
    assert [step.at for step in turn.steps] == sorted(step.at for step in turn.steps)
    assert turn.spoken is not None and turn.spoken.pcm == stage.sink.pcm(), "what is replayed is what was heard"
    assert turn.user is not None and turn.user.format == HEARING
    assert speech_like(1.0)[8_000:24_000] in turn.user.pcm, "the words themselves, sample by sample"
    seconds = HEARING.seconds(len(turn.user.pcm) // 2)
    assert 1.2 < seconds < 1.8 and 1.0 < turn.speech_end < seconds
    assert len(stage.latency.snapshot()[0]) == 1


async def test_nothing_is_recorded_unless_that_is_asked_for() -> None:
    async with watched(TurnOptions(), ["what time is it"], ScriptedLanguageModel(["It is late."])) as stage:
        await stage.hear(1.0)
        await stage.until_completed()
        [turn] = stage.store.latest(10)
    assert turn.said and turn.user is None and turn.spoken is None and stage.store.sound_bytes == 0


async def test_without_texts_only_times_are_kept() -> None:
    silent = TurnOptions(texts=False)
    async with watched(silent, ["my password is swordfish"], ScriptedLanguageModel(["Thank you, swordfish."])) as stage:
        await stage.hear(1.0)
        await stage.until_completed()
        [turn] = stage.store.latest(10)
    assert "swordfish" not in repr(turn) and turn.waterfall.total is not None


async def test_an_interrupted_reply_is_kept_as_far_as_it_was_heard() -> None:
    said = ["tell me about the sea", "what about the mountains"]
    answer = ScriptedLanguageModel([LONG_REPLY, "Good."])
    async with watched(RECORDING, said, answer) as stage:
        await stage.hear(1.0)
        while not stage.events.of(ReplyStarted):
            await stage.hear(-0.1)
        await stage.hear(-3.0, 1.5)
        await stage.until_completed(2)
        newer, older = stage.store.latest(10)
    assert older.interrupted == "speech" and 0 < len(older.heard) < len(older.reply)
    assert older.reply.startswith(older.heard) and "interrupted" in [step.kind for step in older.steps]
    [cut] = [event for event in stage.events.of(ResponseCompleted) if event.interrupted]
    assert older.spoken is not None
    assert older.spoken.pcm == stage.sink.pcm(cut.stamp.generation), "the recording ends where the ear stopped"
    assert newer.said == "what about the mountains" and newer.turn > older.turn


async def test_a_turn_taken_back_and_its_sequel_are_one() -> None:
    said = ["turn on the light", "in the kitchen please"]
    answer = ScriptedLanguageModel(lambda messages: messages[-1].text, first_token_latency=0.5)
    async with watched(RECORDING, said, answer) as stage:
        await stage.hear(1.0, -0.4, 1.2)
        await stage.until_completed()
        assert len(stage.events.of(TurnContinued)) == 1
        [turn] = stage.store.latest(10)
    assert turn.said == "turn on the light in the kitchen please"
    kinds = [step.kind for step in turn.steps]
    assert kinds.index("continued") > kinds.index("transcript"), "the earlier part is in the story"
    assert turn.user is not None and HEARING.seconds(len(turn.user.pcm) // 2) > 2.5, "and in the recording"


async def test_a_cough_is_no_turn() -> None:
    async with watched(RECORDING, [""], ScriptedLanguageModel(["What?"])) as stage:
        await stage.hear(0.1, -3.0)
        assert stage.store.latest(10) == []


async def test_a_typed_turn_has_a_reply_and_no_microphone() -> None:
    async with watched(RECORDING, ["nothing"], ScriptedLanguageModel(["It is late."])) as stage:
        stage.conversation.type("what time is it")
        await stage.until_completed()
        [turn] = stage.store.latest(10)
    assert turn.said == "what time is it" and turn.user is None and turn.spoken is not None
