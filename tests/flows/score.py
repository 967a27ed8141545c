"""A stage for conversations: scripted ports, an ear that plays, and virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vivavoce.contracts.events import ResponseCompleted
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.testing.speech import silence, speak, speech_like

LONG_REPLY = (
    "The sea covers most of the planet. It is deep and salt. Whales live in it, and very many fish. "
    "Ships cross it every day, and nobody has seen all of its floor."
)


@dataclass
class Stage:
    """One conversation and everything around it."""

    stt: ScriptedSpeechToText = field(default_factory=lambda: ScriptedSpeechToText(["what time is it"]))
    llm: ScriptedLanguageModel = field(default_factory=lambda: ScriptedLanguageModel(["It is late. Go to bed."]))
    tts: Sequence[ScriptedTextToSpeech] = field(default_factory=lambda: [ScriptedTextToSpeech()])
    turn: ScriptedTurnDetector | None = field(default_factory=lambda: ScriptedTurnDetector(0.95))
    options: ConversationOptions = field(default_factory=lambda: ConversationOptions(acknowledged=True))
    latency: float = 0.0

    async def __aenter__(self) -> Stage:
        self.clock = SystemClock()
        self.sink = LoopbackSink(self.clock, latency=self.latency)
        self.events = EventRecorder(self.clock)
        self.conversation = Conversation("test", self.ports(), self.options, self.sink, self.events, self.clock)
        if self.options.acknowledged:
            self.sink.on_played = self.conversation.played
        await self.conversation.start()
        return self

    def ports(self, **changes: Any) -> SessionPorts:
        return SessionPorts(
            stt=Choice("stt", {"scripted": self.stt}),
            llm=Choice("llm", {"scripted": self.llm}),
            tts=Choice("tts", {f"voice{index}": tts for index, tts in enumerate(self.tts)}),
            vad=EnergyVoiceActivityDetector(),
            turn=self.turn,
            **changes,
        )

    async def __aexit__(self, *_: object) -> None:
        self.sink.close()
        await self.conversation.close()

    def with_options(self, **changes: Any) -> Stage:
        self.options = replace(self.options, **changes)
        return self

    async def hear(self, *sounds: float) -> None:
        """Play sound to the microphone at real-time pace: positive seconds are speech, negative ones silence."""
        for seconds in sounds:
            pcm = speech_like(seconds) if seconds > 0 else silence(-seconds)
            await speak(self.conversation.hear, pcm, self.clock)

    async def until_completed(self, count: int = 1, limit: float = 60.0) -> list[ResponseCompleted]:
        """Keep the microphone running in silence until so many exchanges are over."""
        for _ in range(round(limit / 0.1)):
            if len(self.events.of(ResponseCompleted)) >= count:
                return self.events.of(ResponseCompleted)
            await self.hear(-0.1)
        raise AssertionError(f"not completed: {self.events.events}")
