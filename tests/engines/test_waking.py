"""A conversation that sleeps, with the real detector of wake words, real voice activity and a real recogniser."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import ROOT, require
from tests.unit.workers.pools import running
from vivavoce.app.engines import worker_groups
from vivavoce.config.settings import Settings
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import UnknownName
from vivavoce.contracts.events import SessionFailed, Slept, SpeechStarted, TranscriptUpdated, Woke
from vivavoce.engines import micro_wakeword
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions, SessionOptions
from vivavoce.sessions.ports import Choice, SessionPorts, WakeWords
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.testing.speech import silence, speak
from vivavoce.workers.options import EngineOptions, WorkerOptions

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]
Read = Callable[[str], bytes]
OPTIONS = ConversationOptions(wake_words=("okay_nabu",), wake_timeout=2.0)
PATIENCE = 30.0
MISSING = "pymicro-wakeword is not installed: pip install 'vivavoce[wakeword]'"
CALLED = SessionOptions(conversation=OPTIONS)


def question() -> bytes:
    """ "What time is it", without the silence around it."""
    with wave.open(str(ROOT / "examples" / "what-time-is-it.wav")) as file:
        return trimmed(file.readframes(file.getnframes()))


def trimmed(pcm: bytes) -> bytes:
    samples = np.frombuffer(pcm, "<i2")
    loud = np.flatnonzero(np.abs(samples) > 800)
    return samples[loud[0] : loud[-1]].tobytes()


@pytest.fixture(params=[1, 2, 3])
def call(recording: Read, request: pytest.FixtureRequest) -> bytes:
    """A recording up to the end of the word: some have noise behind it, or the word once more."""
    require(micro_wakeword.pymicro_wakeword, MISSING)
    pcm = recording(f"wakeword/okay_nabu_{request.param}.wav")
    engine = micro_wakeword.MicroWakeWords({})
    stream = engine.open(("okay_nabu",))
    first, *_ = stream.send(pcm + silence(0.5))
    stream.close()
    engine.close()
    return pcm[: 2 * (first.at + HEARING.samples(0.05))]


@asynccontextmanager
async def session(options: ConversationOptions = OPTIONS) -> AsyncIterator[tuple[Conversation, EventRecorder]]:
    require(micro_wakeword.pymicro_wakeword, MISSING)
    groups = [
        WorkerOptions("ears", (EngineOptions("stt", "pocketsphinx"),)),
        WorkerOptions("activity", (EngineOptions("vad", "pysilero"),)),
        WorkerOptions("wake", (EngineOptions("wake", "micro_wakeword"),), prewarm=False, idle_unload=60.0),
    ]
    clock = SystemClock()
    async with running(*groups) as pool:
        ports = SessionPorts(
            stt=Choice("stt", {"pocketsphinx": pool.speech_to_text("pocketsphinx")}),
            llm=Choice("llm", {"scripted": ScriptedLanguageModel(["It is late."])}),
            tts=Choice("tts", {"scripted": ScriptedTextToSpeech()}),
            vad=pool.voice_activity("pysilero"),
            wake=WakeWords(pool.wake_words("micro_wakeword"), lambda: pool.describe("wake", "micro_wakeword")),
        )
        sink, events = LoopbackSink(clock), EventRecorder(clock)
        conversation = Conversation("test", ports, options, sink, events, clock)
        try:
            await conversation.start()
            yield conversation, events
        finally:
            sink.close()
            await conversation.close()


async def until(conversation: Conversation, events: EventRecorder, kind: type) -> None:
    """Keep the microphone running in silence until there is such an event."""
    async with asyncio.timeout(PATIENCE):
        while not events.of(kind):
            await speak(conversation.hear, silence(0.2), SystemClock())


def final(events: EventRecorder) -> str:
    return " ".join(event.text for event in events.of(TranscriptUpdated) if event.final)


async def test_word_and_question_in_one_breath(call: bytes) -> None:
    async with session() as (conversation, events):
        lead = silence(0.5)
        await speak(conversation.hear, lead + call + silence(0.1) + question(), SystemClock())
        await until(conversation, events, Slept)
    [woke] = events.of(Woke)
    assert woke.word == "okay_nabu"
    ended = HEARING.samples(0.5) + len(call) // 2
    assert woke.at == pytest.approx(ended, abs=HEARING.samples(0.2))
    assert all(event.at >= woke.at for event in events.of(SpeechStarted))
    assert "what time is it" in final(events)
    assert not {"nabu", "okay"} & set(final(events).split())
    assert events.of(SessionFailed) == []


async def test_nobody_is_woken_by_other_words(recording: Read) -> None:
    async with session() as (conversation, events):
        said = recording("wakeword/negative_hey_peppa_pig.wav") + recording("wakeword/alexa_1.wav") + question()
        await speak(conversation.hear, said + silence(1.5), SystemClock())
    assert events.events == []


async def test_a_word_nobody_knows_is_told_at_once_though_the_engine_was_not_loaded() -> None:
    with pytest.raises(UnknownName, match=r"'computer' here; there is alexa, hey_jarvis, hey_mycroft, okay_nabu"):
        async with session(replace(OPTIONS, wake_words=("computer",))):
            pass


def test_the_detector_is_loaded_at_the_start_only_where_all_need_it() -> None:
    require(micro_wakeword.pymicro_wakeword, MISSING)
    [asked] = worker_groups(Settings(), ("wake",))
    [always] = worker_groups(Settings(sessions=CALLED), ("wake",))
    assert (asked.prewarm, always.prewarm) == (False, True)
    assert asked.idle_unload is not None and always.idle_unload is None
