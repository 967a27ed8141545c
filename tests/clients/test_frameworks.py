"""Frameworks and a desktop program that speak through OpenAI's API: LiveKit, Pipecat, voice-mode. Headless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.conftest import Served, drive, got, raised
from tests.clients.sounds import decoded, recording
from tests.clients.test_openai import READ, SAID

pytestmark = [pytest.mark.engine, pytest.mark.process]

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frameworks")


@pytest.fixture(scope="module")
def livekit(folder: Path, server: Served) -> Seen:
    return drive("livekit", "livekit_plugin.py", server.url, str(recording(folder, *SAID)), str(folder))


@pytest.fixture(scope="module")
def pipecat(folder: Path, server: Served) -> Seen:
    return drive("pipecat", "pipecat_services.py", server.url, str(recording(folder, *SAID)), str(folder))


@pytest.fixture(scope="module")
def voicemode(folder: Path, server: Served) -> Seen:
    variables = {
        "VOICEMODE_TTS_BASE_URLS": f"{server.url}/v1",
        "VOICEMODE_STT_BASE_URLS": f"{server.url}/v1",
        "VOICEMODE_VOICES": "alloy",
        "VOICEMODE_BASE_DIR": str(folder / "voicemode"),
        "OPENAI_API_KEY": "unused",
        "HOME": str(folder),
    }
    driver = "voicemode_tools.py"
    return drive("voice-mode", driver, server.url, str(recording(folder, *SAID)), str(folder), **variables)


def audible(path: Path, form: str) -> None:
    samples = decoded(path, form)
    assert 3 * 24_000 < samples.size < 8 * 24_000
    assert np.abs(samples.astype(np.int32)).max() > 3_000


@pytest.mark.parametrize("act", ["speech", "speech as events", "speech as opus", "speech as wav", "speech as pcm"])
def test_livekit_speaks(livekit: Seen, folder: Path, act: str) -> None:
    spoken = got(livekit, act)
    assert spoken["rate"] == 24_000 and spoken["pieces"] > 1
    audible(folder / spoken["file"], "wav")


def test_livekit_stops_and_the_voice_is_free(livekit: Seen) -> None:
    assert got(livekit, "stopped")


@pytest.mark.parametrize("act", ["heard by whisper", "heard by its default"])
def test_livekit_hears(livekit: Seen, act: str) -> None:
    heard = got(livekit, act)
    assert heard["type"] == "final_transcript" and heard["text"] == READ
    assert heard["language"].startswith("en")


def test_livekit_is_told_what_is_wrong(livekit: Seen) -> None:
    error = raised(livekit, "wrong model")
    assert error["class"] == "APIStatusError" and error["status_code"] == 404
    assert "there is no tts model 'nobody'" in error["message"] and error["request_id"].startswith("req_")


def test_pipecat_speaks(pipecat: Seen, folder: Path) -> None:
    spoken = got(pipecat, "speech")
    assert spoken["rates"] == [24_000] and spoken["frames"] > 1 and spoken["stopped"] and not spoken["errors"]
    audible(folder / "pipecat.pcm", "pcm")


def test_pipecat_hears(pipecat: Seen) -> None:
    assert got(pipecat, "heard") == {"texts": [READ], "errors": []}


def test_pipecat_is_told_what_is_wrong(pipecat: Seen) -> None:
    assert any("there is no tts model 'nobody'" in error for error in got(pipecat, "refused"))


def test_voice_mode_speaks(voicemode: Seen, folder: Path, server: Served) -> None:
    spoken = got(voicemode, "speech")
    assert spoken["rate"] == 24_000 and spoken["endpoint"].startswith(server.url)
    audible(folder / "voicemode.pcm", "pcm")


def test_voice_mode_hears(voicemode: Seen) -> None:
    heard = got(voicemode, "heard")
    assert heard["error_type"] is None and heard["text"] == READ


def test_voice_mode_takes_silence_for_silence(voicemode: Seen) -> None:
    assert got(voicemode, "silence")["error_type"] == "no_speech"


def test_voice_mode_finds_the_voices(voicemode: Seen) -> None:
    listed = str(got(voicemode, "voices"))
    assert all(f"'{voice}'" in listed for voice in ("rms", "slt", "alloy"))


def test_nothing_is_left_behind(livekit: Seen, pipecat: Seen, voicemode: Seen, server: Served) -> None:
    assert livekit and pipecat and voicemode
    assert server.settles(server.jobs, 0) == 0
