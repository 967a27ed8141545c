"""The Python examples, run as their reader would run them, against a real server with its built-in engines."""

from __future__ import annotations

import asyncio
import sys
import wave
from pathlib import Path

import pytest

from tests.live.server import live_server

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "examples" / "python"

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]


async def example(name: str, *arguments: str, typed: str = "") -> str:
    """What it prints. It must end well, and by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(PYTHON / name), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(120):
        told, wrong = await process.communicate(typed.encode())
    assert process.returncode == 0, wrong.decode()
    assert wrong == b""
    return told.decode()


async def test_a_recording_is_answered(tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    async with live_server() as server:
        url = f"ws://127.0.0.1:{server.port}/ws/audio"
        told = await example("converse.py", str(ROOT / "examples" / "twelve-times-twelve.wav"), str(reply), url)
    assert "understood: what is twelve times twelve" in told
    assert "144" in told
    assert "ms behind the end of speech" in told
    with wave.open(str(reply)) as recording:
        assert recording.getnframes() / recording.getframerate() > 1
        samples = memoryview(recording.readframes(recording.getnframes())).cast("h")
    assert max(samples) > 3_000


async def test_a_text_is_spoken_while_it_is_written(tmp_path: Path) -> None:
    reply = tmp_path / "reply.wav"
    async with live_server() as server:
        url = f"ws://127.0.0.1:{server.port}/v1/speech/sessions/ws"
        typed = "The ferry leaves at half past seven.\nIt is back before noon.\n"
        told = await example("speak_while_writing.py", str(reply), url, typed=typed)
    assert f"{len(typed)} characters" in told
    assert told.rstrip().endswith("complete")
    assert reply.read_bytes()[:4] == b"RIFF"
    assert reply.stat().st_size > 48_000
