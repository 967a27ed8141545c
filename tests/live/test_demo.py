"""What the README promises, run as its reader would run it."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = [str(ROOT / "examples" / name) for name in ("what-time-is-it.wav", "twelve-times-twelve.wav")]

pytestmark = [pytest.mark.engine, pytest.mark.process]


def vivavoce(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    run = subprocess.run(
        [sys.executable, "-m", "vivavoce", *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == code, run.stderr
    return run


def test_a_recorded_conversation_is_answered(tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    turns = json.loads(vivavoce("talk", *EXAMPLES, "-o", str(reply), "--json").stdout)
    assert [turn["said"] for turn in turns] == ["what time is it", "what is twelve times twelve"]
    assert "144" in turns[1]["reply"]
    assert all(turn["latency"]["total"] is not None for turn in turns)
    with wave.open(str(reply)) as recording:
        assert recording.getframerate() == 24_000
        samples = recording.readframes(recording.getnframes())
        assert 2 < recording.getnframes() / 24_000 < 20
    loudest = max(abs(int.from_bytes(samples[at : at + 2], "little", signed=True)) for at in range(0, len(samples), 64))
    assert loudest > 3000


def test_what_is_said_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"
    vivavoce("say", "set a timer for ten minutes", "--voice", "rms", "-o", str(path))
    assert "timer for" in vivavoce("transcribe", str(path)).stdout
    words = json.loads(vivavoce("transcribe", str(path), "--json").stdout)["words"]
    assert words[-1]["text"] == "minutes" and words[-1]["start"] > words[0]["end"]
    assert "-->" in vivavoce("transcribe", str(path), "--srt").stdout


def test_silence_gives_no_words(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as silent:
        silent.setnchannels(1)
        silent.setsampwidth(2)
        silent.setframerate(16_000)
        silent.writeframes(bytes(2 * 16_000 * 3))
    assert vivavoce("transcribe", str(path)).stdout.strip() == ""


def test_a_broken_recording_is_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF and then nothing")
    run = vivavoce("transcribe", str(path), code=2)
    assert run.stderr.startswith("error: ") and str(path) in run.stderr


def test_the_doctor_finds_everything_a_conversation_needs() -> None:
    found = json.loads(vivavoce("doctor", "--json").stdout)
    checks = found["checks"] if isinstance(found, dict) else found
    assert not [check for check in checks if check["status"] == "fail"]
