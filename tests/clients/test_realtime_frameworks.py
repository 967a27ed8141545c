"""LiveKit's and Pipecat's services for the Realtime protocol, at a real server. Headless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.conftest import Served, drive, got
from tests.clients.sounds import decoded, question_at_24_khz, understood

pytestmark = [pytest.mark.engine, pytest.mark.process]

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frameworks")


@pytest.fixture(scope="module")
def question(folder: Path) -> str:
    return str(question_at_24_khz(folder))


@pytest.fixture(scope="module")
def livekit(folder: Path, question: str, thinking: Served) -> Seen:
    return drive("livekit", "livekit_realtime.py", thinking.url, question, str(folder))


@pytest.fixture(scope="module")
def pipecat(folder: Path, question: str, thinking: Served) -> Seen:
    return drive("pipecat", "pipecat_realtime.py", thinking.url, question, str(folder))


def audible(path: Path, form: str) -> None:
    samples = decoded(path, form)
    assert 1.0 * 24_000 < samples.size < 5.0 * 24_000
    assert np.abs(samples.astype(np.int32)).max() > 3_000


def test_livekit_transcribes_a_stream(livekit: Seen) -> None:
    heard = got(livekit, "transcription")
    assert understood(heard["text"]) and heard["language"] == "en"
    kinds = [kind.rpartition(".")[2].lower() for kind in heard["kinds"]]
    assert kinds[0] == "start_of_speech" and kinds[-1] == "final_transcript" and "end_of_speech" in kinds


def test_livekit_is_spoken_to_and_answers(livekit: Seen, folder: Path) -> None:
    turn = got(livekit, "turn")
    assert understood(turn["heard"]) and turn["errors"] == []
    assert turn["said"] == f"You asked {turn['heard']}"
    told = [kind for kind in turn["told"] if kind != "input_audio_transcription_completed"]  # its name for partial ones, too
    assert told[:2] == ["input_speech_started", "input_speech_stopped"]
    audible(folder / "livekit-turn.wav", "wav")


def test_livekit_asks_in_writing(livekit: Seen) -> None:
    asked = got(livekit, "asked")
    assert (asked["said"], asked["errors"]) == ("You asked Where is the key?", [])
    assert 0.8 < asked["seconds"] < 4


def test_livekit_calls_a_tool(livekit: Seen) -> None:
    tool = got(livekit, "tool")
    assert tool == {"call": ["weather", '{"city": "Oslo"}'], "said": "The tool says it rains.", "errors": []}


def test_livekit_interrupts_with_its_voice(livekit: Seen) -> None:
    cut = got(livekit, "interruption")
    assert 0 < cut["cut"] < 50, "the story is a minute long"
    assert understood(cut["heard"]) and cut["errors"] == []
    assert cut["said"] == f"You asked {cut['heard']}"


def test_livekit_interrupts_by_its_word_and_asks_something_else(livekit: Seen) -> None:
    assert got(livekit, "stopped") == {"said": "You asked Where is the key?", "errors": []}


@pytest.mark.parametrize("act", ["transcription", "transcription by hand"])
def test_pipecat_transcribes_a_stream(pipecat: Seen, act: str) -> None:
    heard = got(pipecat, act)
    assert understood(*heard["texts"]) and heard["interim"] >= 1 and heard["errors"] == []
    proposed = {"ProposedUserStartedSpeakingFrame", "ProposedUserStoppedSpeakingFrame"}
    assert proposed <= set(heard["frames"]) or act == "transcription by hand"


def test_pipecat_is_spoken_to_and_answers(pipecat: Seen, folder: Path) -> None:
    turn = got(pipecat, "turn")
    assert understood(turn["said"].removeprefix("You asked "))
    assert (turn["rates"], turn["errors"]) == ([24_000], [])
    assert {"LLMFullResponseStartFrame", "TTSStartedFrame", "TTSAudioRawFrame"} <= set(turn["frames"])
    audible(folder / "pipecat-turn.pcm", "pcm")


def test_pipecat_asks_in_writing(pipecat: Seen) -> None:
    asked = got(pipecat, "asked")
    assert (asked["said"], asked["errors"]) == ("You asked Where is the key?", []) and 0.8 < asked["seconds"] < 4


def test_pipecat_calls_a_tool(pipecat: Seen) -> None:
    assert got(pipecat, "tool") == {"asked": [{"city": "Oslo"}], "said": 'The tool says "it rains".', "errors": []}


def test_pipecat_interrupts_with_its_voice(pipecat: Seen) -> None:
    cut = got(pipecat, "interruption")
    assert understood(*cut["heard"]) and cut["errors"] == []
    assert "ProposedUserStartedSpeakingFrame" in cut["frames"]


def test_nothing_is_left_behind(livekit: Seen, pipecat: Seen, thinking: Served) -> None:
    assert livekit and pipecat
    assert thinking.settles(thinking.jobs, 0) == 0
