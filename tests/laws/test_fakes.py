"""The shipped fakes keep the laws of the ports, like everything else that enters by that door."""

from __future__ import annotations

from typing import Any

import pytest

from tests.laws import laws, waking
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.ports import (
    LanguageModel,
    SpeechToText,
    TextToSpeech,
    TurnDetector,
    VoiceActivityDetector,
    WakeWordDetector,
)
from vivavoce.contracts.speech import Delta, ToolCall
from vivavoce.testing.ports import (
    EnergyVoiceActivityDetector,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedTurnDetector,
    ScriptedWakeWordDetector,
    open_port,
)

Law = Any


def speech_to_text() -> dict[str, ScriptedSpeechToText]:
    slow = ScriptedSpeechToText("a long sentence of several words", final_latency=0.5, partial_every=0.05)
    slow.seconds_per_word = 0.1
    return {
        "one text": ScriptedSpeechToText("what time is it"),
        "slow": slow,
        "reads the audio": ScriptedSpeechToText(lambda pcm: f"{len(pcm) // HEARING.rate} half seconds"),
    }


def text_to_speech() -> dict[str, ScriptedTextToSpeech]:
    estimated = ScriptedTextToSpeech()
    estimated.exact = False
    return {
        "exact": ScriptedTextToSpeech(),
        "estimated": estimated,
        "instant": ScriptedTextToSpeech(first_latency=0, rtf=0),
        "silent voice": ScriptedTextToSpeech(tone=False),
    }


def language_models() -> dict[str, ScriptedLanguageModel]:
    call = Delta(tool_call=ToolCall("1", "clock", {}))
    return {
        "text": ScriptedLanguageModel(),
        "function": ScriptedLanguageModel(lambda messages: f"You said {messages[-1].text}"),
        "tool": ScriptedLanguageModel([[call, Delta("Done.")]]),
    }


@pytest.mark.parametrize("law", laws.SPEECH_TO_TEXT, ids=laws.name)
@pytest.mark.parametrize("kind", speech_to_text())
async def test_speech_to_text(kind: str, law: Law) -> None:
    port = speech_to_text()[kind]
    assert isinstance(port, SpeechToText)
    await law(port)
    assert port.tally.live == 0


@pytest.mark.parametrize("law", laws.TEXT_TO_SPEECH, ids=laws.name)
@pytest.mark.parametrize("kind", text_to_speech())
async def test_text_to_speech(kind: str, law: Law) -> None:
    port = text_to_speech()[kind]
    assert isinstance(port, TextToSpeech)
    await law(port)
    assert port.tally.live == 0


@pytest.mark.parametrize("law", laws.LANGUAGE_MODEL, ids=laws.name)
@pytest.mark.parametrize("kind", language_models())
async def test_language_model(kind: str, law: Law) -> None:
    port = language_models()[kind]
    assert isinstance(port, LanguageModel)
    await law(port)
    assert port.tally.live == 0


@pytest.mark.parametrize("law", laws.VOICE_ACTIVITY, ids=laws.name)
@pytest.mark.parametrize("latency", [0.0, 0.015])
async def test_voice_activity(latency: float, law: Law) -> None:
    port = EnergyVoiceActivityDetector(latency=latency)
    assert isinstance(port, VoiceActivityDetector)
    await law(port)
    assert port.tally.live == 0


@pytest.mark.parametrize("law", laws.TURN_DETECTOR, ids=laws.name)
async def test_turn_detector(law: Law) -> None:
    port = ScriptedTurnDetector(lambda pcm: 0.5)
    assert isinstance(port, TurnDetector)
    await law(port)
    assert port.tally.live == 0


@pytest.mark.parametrize("kind", ["stt", "llm", "tts", "vad", "turn"])
async def test_ports_that_come_by_the_entry_point(kind: str) -> None:
    kept = {
        "stt": laws.SPEECH_TO_TEXT,
        "llm": laws.LANGUAGE_MODEL,
        "tts": laws.TEXT_TO_SPEECH,
        "vad": laws.VOICE_ACTIVITY,
        "turn": laws.TURN_DETECTOR,
    }
    # Every utterance of a script is another text, so laws that compare two of them need a script of one line.
    settings = {"texts": ["what time is it"]} if kind == "stt" else {}
    for law in kept[kind]:
        await law(open_port(kind, "fake", settings))


@pytest.mark.parametrize("law", waking.WAKE_WORDS, ids=laws.name)
@pytest.mark.parametrize("latency", [0.0, 0.015])
async def test_wake_words(latency: float, law: waking.Law) -> None:
    port = ScriptedWakeWordDetector(latency=latency)
    assert isinstance(port, WakeWordDetector)
    await law(port, "hey_you", laws.tone(0.4))
    assert port.tally.live == 0


@pytest.mark.parametrize("law", waking.WAKE_WORDS, ids=laws.name)
async def test_wake_words_that_come_by_the_entry_point(law: waking.Law) -> None:
    port = open_port("wake", "fake", {"words": ["hallo"]})
    assert isinstance(port, WakeWordDetector)
    await law(port, "hallo", laws.tone(0.4))
