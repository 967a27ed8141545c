"""OpenAI's Agents libraries at a real server: RealtimeSession in Python, which validates every frame, and in JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.conftest import Served, drive, drive_node, got
from tests.clients.sounds import decoded, question_at_24_khz, understood

pytestmark = [pytest.mark.engine, pytest.mark.process]

TOLD = "The tool says it rains in Oslo."

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module")
def question(folder: Path) -> str:
    return str(question_at_24_khz(folder))


@pytest.fixture(scope="module")
def python(folder: Path, question: str, thinking: Served) -> Seen:
    return drive("agents", "agents_realtime.py", thinking.url, question, str(folder), OPENAI_AGENTS_DISABLE_TRACING="1")


@pytest.fixture(scope="module")
def script(folder: Path, question: str, thinking: Served) -> Seen:
    return drive_node("agents_javascript.mjs", thinking.url, question, str(folder), OPENAI_AGENTS_DISABLE_TRACING="1")


def audible(path: Path) -> None:
    samples = decoded(path, "pcm")
    assert 1.0 * 24_000 < samples.size < 8.0 * 24_000
    assert np.abs(samples.astype(np.int32)).max() > 3_000


def test_every_frame_passes_the_strictest_judge(python: Seen) -> None:
    assert python["nonsense"] == 3, "the judge judges"
    assert python["wrong"] == []
    assert len(python["frames"]) > 100
    assert {
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.retrieved",
        "response.function_call_arguments.done",
        "response.output_text.done",
        "response.output_audio.done",
        "response.done",
    } <= set(python["frames"])


def test_a_spoken_question_calls_the_tool_and_is_answered_aloud(python: Seen, folder: Path) -> None:
    turn = got(python, "turn")
    assert (turn["asked"][0], turn["output"]) == ("Oslo", "it rains in Oslo")
    assert turn["said"] == TOLD
    assert [understood(heard) for heard in turn["heard"]] == [True]
    kinds = turn["kinds"]
    assert kinds.index("tool_start") < kinds.index("tool_end") < kinds.index("audio") < kinds.index("audio_end")
    audible(folder / "agents.pcm")


@pytest.mark.parametrize("act", ["message", "eager"])
def test_a_message_is_answered_aloud(python: Seen, act: str) -> None:
    message = got(python, act)
    assert message["said"] == "You asked Where is the key?" and "audio" in message["kinds"]
    assert "error" not in message["kinds"]


def test_words_over_a_reply_interrupt_it(python: Seen) -> None:
    assert got(python, "interruption") == {"status": "cancelled", "reason": "turn_detected"}


def test_the_program_interrupts_a_reply(python: Seen) -> None:
    stopped = got(python, "stopped")
    assert stopped["status"] == "cancelled" and "error" not in stopped["frames"]


def test_text_is_text(python: Seen) -> None:
    assert got(python, "in text") == {"said": "You asked Where is the key?", "audio": 0}


def test_javascript_knows_every_frame(script: Seen) -> None:
    assert script["nonsense"] == 2, "the judge judges"
    assert script["wrong"] == []
    assert len(script["frames"]) > 100


def test_javascript_calls_its_tool_for_a_spoken_question(script: Seen, folder: Path) -> None:
    turn = got(script, "turn")
    assert turn["cities"][0] == "Oslo" and turn["result"] == "it rains in Oslo"
    assert turn["said"] == TOLD and understood(*turn["heard"])
    kinds = turn["kinds"]
    assert kinds.index("sdk.agent_tool_start") < kinds.index("sdk.agent_tool_end") < kinds.index("sdk.audio")
    audible(folder / "script-agents.pcm")


def test_javascript_is_answered_aloud_and_in_text(script: Seen) -> None:
    message = got(script, "message")
    assert message["said"] == "You asked Where is the key?" and "sdk.audio" in message["kinds"]
    assert got(script, "in text") == {"said": "You asked Where is the key?", "audio": 0}


def test_javascript_interrupts_with_its_voice_and_by_its_word(script: Seen) -> None:
    assert got(script, "interruption") == {"status": "cancelled", "reason": "turn_detected"}
    assert got(script, "stopped") == {"status": "cancelled"}


def test_nothing_is_left_behind(python: Seen, script: Seen, thinking: Served) -> None:
    assert python and script
    assert thinking.settles(thinking.jobs, 0) == 0
