"""Another provider in the middle of an utterance and of a reply: no word is lost, none is said twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from vivavoce.contracts.errors import ProviderFailed
from vivavoce.contracts.events import ReplyInterrupted, ResponseCompleted, SessionFailed, SettingsChanged, TranscriptUpdated
from vivavoce.flow.clock import SystemClock
from vivavoce.providers.failover.chain import Chain, Member
from vivavoce.providers.failover.speech_to_text import FailoverSpeechToText
from vivavoce.providers.failover.text_to_speech import FailoverTextToSpeech
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.testing.speech import silence, speak, speech_like

LONG = "The sea covers most of the planet. It is deep and salt. Whales live in it, and very many fish. Ships cross it."


@dataclass
class Two:
    """A conversation with two of each kind, called a and b; what b says shows that it was asked."""

    stt: list[ScriptedSpeechToText] = field(
        default_factory=lambda: [ScriptedSpeechToText(["what time is it"]), ScriptedSpeechToText(["tell me more"])]
    )
    llm: list[ScriptedLanguageModel] = field(
        default_factory=lambda: [ScriptedLanguageModel([LONG]), ScriptedLanguageModel(["The other model speaks."])]
    )
    tts: list[ScriptedTextToSpeech] = field(default_factory=lambda: [ScriptedTextToSpeech(), ScriptedTextToSpeech()])
    chained: bool = False

    @asynccontextmanager
    async def talking(self) -> AsyncIterator[Two]:
        self.clock = SystemClock()
        self.sink = LoopbackSink(self.clock)
        self.events = EventRecorder(self.clock)
        stt = dict(zip("ab", self.stt, strict=True))
        tts = dict(zip("ab", self.tts, strict=True))
        ears = FailoverSpeechToText(Chain("ear", [Member(*pair) for pair in stt.items()], self.clock))
        voices = FailoverTextToSpeech(Chain("voice", [Member(*pair) for pair in tts.items()], self.clock))
        ports = SessionPorts(
            stt=Choice("stt", {"auto": ears} if self.chained else stt),
            llm=Choice("llm", dict(zip("ab", self.llm, strict=True))),
            tts=Choice("tts", {"auto": voices} if self.chained else tts),
            vad=EnergyVoiceActivityDetector(),
            turn=ScriptedTurnDetector(0.95),
        )
        options = ConversationOptions(acknowledged=True)
        self.conversation = Conversation("test", ports, options, self.sink, self.events, self.clock)
        self.sink.on_played = self.conversation.played
        await self.conversation.start()
        try:
            yield self
        finally:
            self.sink.close()
            await self.conversation.close()

    async def hear(self, seconds: float) -> None:
        pcm = speech_like(seconds) if seconds > 0 else silence(-seconds)
        await speak(self.conversation.hear, pcm, self.clock)

    async def completed(self, count: int = 1) -> ResponseCompleted:
        for _ in range(600):
            if len(self.events.of(ResponseCompleted)) >= count:
                return self.events.of(ResponseCompleted)[count - 1]
            await self.hear(-0.1)
        raise AssertionError(self.events.events)


async def test_in_the_middle_of_an_utterance() -> None:
    """The utterance that is going on is read to its end by the recogniser that began it; the next goes to the other."""
    async with Two().talking() as two:
        await two.hear(0.6)
        two.conversation.set_provider("stt", "b")
        await two.hear(0.6)
        await two.completed()
        await two.hear(1.0)
        await two.completed(2)
    finals = [event.text for event in two.events.of(TranscriptUpdated) if event.final]
    assert finals == ["what time is it", "tell me more"]
    assert [port.tally.finished for port in two.stt] == [1, 1]
    assert not two.events.of(SessionFailed)


async def test_another_model_before_the_turn_is_over_answers_it() -> None:
    async with Two().talking() as two:
        await two.hear(0.6)
        two.conversation.set_provider("llm", "b")
        await two.hear(0.6)
        done = await two.completed()
    assert done.text == "The other model speaks."


async def test_in_the_middle_of_a_reply() -> None:
    """The reply is written and spoken to its end by those that began it; the next comes from the others."""
    async with Two().talking() as two:
        await two.hear(1.0)
        await two.hear(-2.0)
        assert two.sink.played(1) > 0, "the reply is being heard"
        for kind in ("stt", "llm", "tts"):
            two.conversation.set_provider(kind, "b")
        done = await two.completed()
        assert done.text == LONG and not done.interrupted
        assert two.tts[0].texts[0].split() == LONG.split() and two.tts[1].tally.opened == 0
        await two.hear(1.0)
        second = await two.completed(2)
    assert second.text == "The other model speaks."
    assert two.tts[1].texts[-1].strip() == "The other model speaks."
    assert [event.text for event in two.events.of(TranscriptUpdated) if event.final] == ["what time is it", "tell me more"]
    assert [(event.name, event.value) for event in two.events.of(SettingsChanged)][:3] == [
        ("stt", "b"),
        ("llm", "b"),
        ("tts", "b"),
    ]
    assert not two.events.of(ReplyInterrupted) and not two.events.of(SessionFailed)
    assert two.sink.discontinuities == [] and two.sink.underruns == []


@pytest.mark.parametrize("at", ["open", "audio", "final"])
async def test_a_recogniser_that_fails_in_the_middle_is_not_noticed(at: str) -> None:
    two = Two(chained=True)
    two.stt[0].fail, two.stt[0].fail_at = ProviderFailed("gone"), at  # type: ignore[assignment]
    async with two.talking():
        await two.hear(1.2)
        done = await two.completed()
    assert [event.text for event in two.events.of(TranscriptUpdated) if event.final] == ["tell me more"]
    assert done.text == LONG and not two.events.of(SessionFailed)


@pytest.mark.parametrize("after", [0.0, 1.0, 3.0])
async def test_a_voice_that_fails_in_the_middle_is_not_noticed(after: float) -> None:
    two = Two(chained=True)
    two.tts[0].fail, two.tts[0].fail_after = ProviderFailed("gone"), after
    async with two.talking():
        await two.hear(1.2)
        done = await two.completed()
    assert done.text == LONG and not done.interrupted and not two.events.of(SessionFailed)
    assert two.tts[0].tally.failed and two.tts[1].tally.finished
    rest = two.tts[1].texts[0].strip()
    assert " ".join(LONG.split()).endswith(" ".join(rest.split())), "the other goes on with words of the reply to its end"
    assert two.sink.discontinuities == [] and two.sink.underruns == []
