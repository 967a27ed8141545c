"""The JavaScript client, installed as a package, against a real server with its real engines."""

from __future__ import annotations

import asyncio
import json
import shutil
import wave
from pathlib import Path
from typing import Any

import pytest

from tests.live.server import live_server, spoken
from tests.test_js_client import CLIENT, package, tools

__all__ = ["package", "tools"]

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def application(package: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and ``ws`` installed, as npm would."""
    folder = tmp_path_factory.mktemp("application")
    modules = folder / "node_modules"
    installed = modules / "@vivavoce" / "client"
    shutil.copytree(package[0], installed / "dist")
    shutil.copy(CLIENT / "package.json", installed)
    shutil.copytree(CLIENT / "node_modules" / "ws", modules / "ws")
    for script in (CLIENT / "examples" / "node" / "ask.mjs", HERE / "cut_talk.mjs"):
        shutil.copy(script, folder)
    return folder


async def _node(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "node", *arguments, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), 120)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_node_example_asks_and_keeps_the_answer(application: Path, tmp_path: Path) -> None:
    file = tmp_path / "reply.wav"
    async with live_server() as server:
        said = await _node(
            application, "ask.mjs", "what is twelve times twelve", f"ws://127.0.0.1:{server.port}/ws/audio", str(file)
        )
    assert "144" in said
    with wave.open(str(file)) as reply:
        assert (reply.getframerate(), reply.getnchannels(), reply.getsampwidth()) == (24_000, 1, 2)
        assert reply.getnframes() > 12_000


async def test_cut_in_mid_reply_and_in_mid_word_the_conversation_is_whole(application: Path, tmp_path: Path) -> None:
    speech = tmp_path / "speech.pcm"
    speech.write_bytes(spoken(tmp_path, "what is twelve times twelve"))
    async with live_server() as server:
        report: dict[str, Any] = json.loads(await _node(application, "cut_talk.mjs", str(server.port), str(speech), "3"))
    assert report["resumable"]
    assert (report["lost"], report["errors"], report["gaps"]) == ([], [], [])
    assert report["disconnected"] >= 7, "the wire was cut"
    assert report["resumed"] >= 7
    assert report["seq"] == list(range(1, len(report["seq"]) + 1)), "message for message"
    assert (report["breaks"], report["opened"]) == (0, 1), "sample for sample"
    typed, asked = report["replies"]
    assert not typed["interrupted"] and not asked["interrupted"]
    assert typed["samples"] == typed["played"] > 24_000, "every sample came and was played"
    assert "144" in asked["text"]
    assert report["heard"] == [report["spoken"]], "every sample of the microphone once"
    assert report["finals"] == ["what can you do", "what is twelve times twelve"], "every word once"
