"""A conversation on virtual time that hears recordings through the real detectors: the same run gives the same result.

Silero and smart-turn run in this process on the very samples, so their judgements are real; what they take is a fixed number
of milliseconds of virtual time. The recogniser is not real: it knows the words and when they were spoken.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from bench.speech import FRAME, RATE, silero_model
from vivavoce.contracts.audio import AudioChunk
from vivavoce.contracts.engines import EngineTranscription, TranscriptionEngine
from vivavoce.contracts.events import SessionEvent
from vivavoce.contracts.ports import Clock, SpeechToText, Transcription, VoiceActivity
from vivavoce.contracts.speech import Capabilities, SpeechProbability, Transcript, TranscriptionOptions, TurnScore
from vivavoce.engines.silero import Silero
from vivavoce.engines.smart_turn import SmartTurn
from vivavoce.flow.clock import SystemClock
from vivavoce.flow.queue import BoundedQueue, WhenFull
from vivavoce.services.models import directory, locate
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.testing.virtual_time import VirtualTimeLoop

VAD_TAKES, TURN_TAKES, FINAL_TAKES, PARTIAL_TAKES = 0.006, 0.045, 0.06, 0.15
SECONDS_PER_CHARACTER = 0.06


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word and the samples at which it was spoken."""

    text: str
    start: int
    end: int


class KnowingSpeechToText:
    """Reads the words whose middle lies in the audio it was given: partials 150 ms behind a word, the final after 60 ms."""

    def __init__(self, words: Sequence[TimedWord], clock: Clock) -> None:
        self.words = words
        self.clock = clock
        self.capabilities = Capabilities(name="knowing", concurrency=100)

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Begin an utterance."""
        return _Knowing(self)


class _Knowing:
    def __init__(self, port: KnowingSpeechToText) -> None:
        self._port = port
        self._start = -1
        self._end = 0
        self._shown = ""
        self._finished = False
        self._out: BoundedQueue[Transcript] = BoundedQueue(256, WhenFull.DROP_OLDEST)

    def send(self, chunk: AudioChunk) -> None:
        if self._start < 0:
            self._start = chunk.offset
        self._end = chunk.end
        text = self._reading(self._end - round(PARTIAL_TAKES * RATE))
        if text != self._shown:
            self._shown = text
            self._out.offer(Transcript(text))

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._port.clock.call_later(FINAL_TAKES, self._conclude)

    def cancel(self) -> None:
        self._finished = True
        self._out.close()

    def __aiter__(self) -> AsyncIterator[Transcript]:
        return self._out

    def _conclude(self) -> None:
        if not self._out.closed:
            self._out.offer(Transcript(self._reading(self._end), final=True))
            self._out.close()

    def _reading(self, until: int) -> str:
        return " ".join(w.text for w in self._port.words if self._start <= (w.start + w.end) // 2 < until)


class ReadingSpeechToText:
    """An engine's utterances in this process, on the very samples; what reading takes is a fixed time."""

    def __init__(self, engine: TranscriptionEngine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.capabilities = engine.capabilities
        self.opened = 0

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Begin an utterance."""
        self.opened += 1
        return _Reading(self.engine.open(options), self.clock)


class _Reading:
    def __init__(self, utterance: EngineTranscription, clock: Clock) -> None:
        self._utterance = utterance
        self._clock = clock
        self._finished = False
        self._out: BoundedQueue[Transcript] = BoundedQueue(256, WhenFull.DROP_OLDEST)

    def send(self, chunk: AudioChunk) -> None:
        if not self._finished:
            partial = self._utterance.send(chunk.pcm)
            if partial is not None:
                self._clock.call_later(FINAL_TAKES, lambda: self._tell(partial))

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            final = self._utterance.finish()
            self._clock.call_later(FINAL_TAKES, lambda: self._tell(final))

    def cancel(self) -> None:
        if not self._finished:
            self._finished = True
            self._utterance.close()
        self._out.close()

    def __aiter__(self) -> AsyncIterator[Transcript]:
        return self._out

    def _tell(self, transcript: Transcript) -> None:
        if not self._out.closed:
            self._out.offer(transcript)
            if transcript.final:
                self._out.close()


class RealVoiceActivity:
    """Silero in this process, its results a fixed time later."""

    def __init__(self, clock: Clock) -> None:
        self._engine = Silero({"model": str(silero_model())})
        self._clock = clock
        self.capabilities = self._engine.capabilities

    def open(self, on_result: Callable[[SpeechProbability], None], on_error: Callable[[Exception], None]) -> VoiceActivity:
        """Begin a stream."""
        return _RealStream(self._engine, self._clock, on_result)


class _RealStream:
    def __init__(self, engine: Silero, clock: Clock, on_result: Callable[[SpeechProbability], None]) -> None:
        self._engine, self._clock, self._on_result = engine, clock, on_result
        self._slot = engine.open()
        self._rest = b""
        self._end = 0
        self._closed = False

    def send(self, chunk: AudioChunk) -> None:
        self._rest += chunk.pcm
        while len(self._rest) >= 2 * FRAME:
            frame, self._rest = self._rest[: 2 * FRAME], self._rest[2 * FRAME :]
            self._end += FRAME
            ((probability, level),) = self._engine.detect([(self._slot, frame)])
            result = SpeechProbability(self._end, probability, level)
            self._clock.call_later(VAD_TAKES, lambda result=result: self._tell(result))  # type: ignore[misc]

    def _tell(self, result: SpeechProbability) -> None:
        if not self._closed:
            self._on_result(result)

    def reset(self) -> None:
        self._rest = b""

    def close(self) -> None:
        self._closed = True
        self._engine.release(self._slot)


class RealTurnDetector:
    """smart-turn in this process, its score a fixed time later."""

    def __init__(self, clock: Clock) -> None:
        path = locate("smart-turn", directory(""))
        self._engine = SmartTurn({"model": str(path)}) if path else None
        self._clock = clock
        self.capabilities = Capabilities(name="smart_turn")

    @property
    def present(self) -> bool:
        """Whether the model's file is there."""
        return self._engine is not None

    async def score(self, pcm: bytes) -> TurnScore:
        """See TurnDetector."""
        assert self._engine is not None
        value = self._engine.score(pcm)
        await self._clock.sleep(TURN_TAKES)
        return TurnScore(value)


@dataclass
class Performance:
    """What came of one track."""

    events: list[tuple[float, SessionEvent]]
    sink: LoopbackSink
    origin: float
    resumed: list[tuple[int, int]] = field(default_factory=list)
    """Where the session said the reply goes on, and where the ear stood."""
    turns: list[str] = field(default_factory=list)
    """What history holds of the user in the end."""


Recogniser = Callable[[Clock], SpeechToText]


def knowing(words: Sequence[TimedWord]) -> Recogniser:
    """A recogniser that knows what is said in the track."""
    return lambda clock: KnowingSpeechToText(words, clock)


def perform(
    track: bytes,
    recogniser: Recogniser,
    reply: str,
    *,
    typed: bool,
    options: ConversationOptions,
) -> Performance:
    """Play ``track`` (16 kHz) into a fresh conversation. ``typed`` begins a reply by a typed turn, at the track's start."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_perform(track, recogniser, reply, typed, options))


async def _perform(
    track: bytes, recogniser: Recogniser, reply: str, typed: bool, options: ConversationOptions
) -> Performance:
    clock = SystemClock()
    sink = LoopbackSink(clock)
    events = EventRecorder(clock)
    turn = RealTurnDetector(clock)
    ports = SessionPorts(
        stt=Choice("stt", {"recogniser": recogniser(clock)}),
        llm=Choice("llm", {"scripted": ScriptedLanguageModel([reply])}),
        tts=Choice("tts", {"scripted": ScriptedTextToSpeech(seconds_per_character=SECONDS_PER_CHARACTER)}),
        vad=RealVoiceActivity(clock),
        turn=turn if turn.present else None,
    )
    performance = Performance([], sink, clock.now())

    def listen(event: SessionEvent) -> None:
        if type(event).__name__ == "ReplyResumed":
            performance.resumed.append((event.at, sink.played(event.stamp.generation)))  # type: ignore[union-attr]
        events(event)

    conversation = Conversation("bench", ports, options, sink, listen, clock)
    sink.on_played = conversation.played
    await conversation.start()
    try:
        if typed:
            conversation.type("tell me something")
        step = 2 * round(0.02 * RATE)
        for number, start in enumerate(range(0, len(track), step)):
            await clock.sleep(max(0.0, performance.origin + (number + 1) * 0.02 - clock.now()))
            conversation.hear(track[start : start + step])
        performance.turns = [message.text for message in conversation.history if message.role == "user"]
    finally:
        sink.close()
        await conversation.close()
    performance.events = list(events.timed)
    return performance
