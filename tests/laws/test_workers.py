"""The laws of the ports, kept by scripted engines in real worker processes."""

from __future__ import annotations

import pytest

from tests.laws import laws, waking
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool

pytestmark = [pytest.mark.process, pytest.mark.real_time]

ENGINES = (
    EngineOptions("stt", "test/echo"),
    EngineOptions("stt", "test/batch"),
    EngineOptions("tts", "test/tone"),
    EngineOptions("llm", "test/agent"),
    EngineOptions("turn", "test/turn"),
    EngineOptions("vad", "test/energy"),
    EngineOptions("wake", "test/wake"),
)
GROUP = WorkerOptions("all", ENGINES)


async def keep(law: laws.Law, port: str, engine: str, group: WorkerOptions = GROUP) -> None:
    """Run a law against a port of a fresh pool."""
    pool = WorkerPool([group], SystemClock())
    try:
        await pool.start()
        await law(getattr(pool, port)(engine))
    finally:
        await pool.close()


@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
async def test_speech_to_text(law: laws.Law) -> None:
    await keep(law, "speech_to_text", "test/echo")


@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
async def test_speech_to_text_in_batches(law: laws.Law) -> None:
    await keep(law, "speech_to_text", "test/batch")


@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
async def test_text_to_speech(law: laws.Law) -> None:
    await keep(law, "text_to_speech", "test/tone")


@pytest.mark.parametrize("law", laws.LANGUAGE_MODEL, ids=laws.name)
async def test_language_model(law: laws.Law) -> None:
    await keep(law, "language_model", "test/agent")


@pytest.mark.parametrize("law", laws.VOICE_ACTIVITY, ids=laws.name)
async def test_voice_activity(law: laws.Law) -> None:
    await keep(law, "voice_activity", "test/energy")


@pytest.mark.parametrize("law", laws.TURN_DETECTOR, ids=laws.name)
async def test_turn_detector(law: laws.Law) -> None:
    await keep(law, "turn_detector", "test/turn")


@pytest.mark.parametrize("law", waking.WAKE_WORDS, ids=laws.name)
async def test_wake_words(law: waking.Law) -> None:
    await keep(lambda port: law(port, "hey_you", laws.tone(0.4)), "wake_words", "test/wake")
