"""``offline``: proven where there is no network, with every attempt to reach one written down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, require

pytestmark = [pytest.mark.process, pytest.mark.engine]

RECORDER = """
import os, sys

def _note(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "127.0.0.1", "::1", "localhost"):
        with open(os.environ["RECORDED"], "a") as file:
            print(event, host, file=file)

sys.addaudithook(_note)
"""
"""Runs in every Python process, workers included, before anything else."""

USE = """
import asyncio, json, sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from tests.live.server import live_server, session

async def main() -> None:
    async with live_server("--set", "offline=true", "--set", f"models_dir={sys.argv[1]}") as server:
        def refused() -> dict:
            request = Request(server.url + "/api/models/whisper-tiny.en/pull", method="POST")
            try:
                urlopen(request, timeout=10)
            except HTTPError as error:
                return {"status": error.code, **json.load(error)}
            return {}
        refusal = await asyncio.to_thread(refused)
        models = await server.get("/api/models")
        async with session(server) as client:
            await client.say({"type": "text", "text": "what is twelve times twelve"})
            answer = await client.until("response_complete")
    told = {"refusal": refusal, "offline": models["offline"], "answer": answer["text"], "audio": len(client.audio)}
    print(json.dumps(told))

asyncio.run(main())
"""


def isolated(tmp_path: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command where there is nothing but loopback."""
    site = tmp_path / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(RECORDER)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
        "RECORDED": str(tmp_path / "recorded"),
        "HOME": os.environ.get("HOME", "/root"),
    }
    inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]
    return subprocess.run(
        ["unshare", "--net", *inside],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
        timeout=300,
    )


def vivavoce(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return isolated(tmp_path, sys.executable, "-m", "vivavoce", *arguments)


def recorded(tmp_path: Path) -> str:
    path = tmp_path / "recorded"
    return path.read_text() if path.exists() else ""


@pytest.fixture(autouse=True)
def namespace() -> None:
    tools = shutil.which("unshare") and shutil.which("ip")
    require(tools, "unshare and ip are not installed (Debian: apt-get install util-linux iproute2)")
    works = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    require(works.returncode == 0, "a network namespace cannot be made here (needs root)")


def test_the_commands_ask_nobody(tmp_path: Path) -> None:
    offline = ("--set", "offline=true", "--set", f"models_dir={tmp_path / 'models'}")
    listed = vivavoce(tmp_path, "models", "list", "--json", *offline)
    assert listed.returncode == 0, listed.stderr
    assert len(json.loads(listed.stdout)["models"]) > 30
    shown = vivavoce(tmp_path, "models", "info", "whisper-tiny.en", *offline)
    assert shown.returncode == 0 and "faster-whisper-tiny.en" in shown.stdout
    for name in ("whisper-tiny.en", "kokoro-v1.0", "silero-vad"):
        refused = vivavoce(tmp_path, "models", "pull", name, *offline)
        if name == "silero-vad" and refused.returncode == 0:
            continue  # the package that carries it is installed here
        assert refused.returncode == 5, (name, refused.stdout, refused.stderr)
        assert "`offline` is set, so no connection is made" in refused.stderr
        assert "vivavoce models import" in refused.stderr
    assert vivavoce(tmp_path, "doctor", *offline).returncode == 0
    assert recorded(tmp_path) == ""


def test_the_recorder_sees_what_is_tried(tmp_path: Path) -> None:
    """Without ``offline`` the same command tries, so its silence above means something."""
    tried = vivavoce(
        tmp_path, "models", "pull", "whisper-tiny.en", "--set", f"models_dir={tmp_path / 'm'}", "--set", "models.attempts=1"
    )
    assert tried.returncode == 5
    assert "getaddrinfo huggingface.co" in recorded(tmp_path)


def test_the_server_serves_and_asks_nobody(tmp_path: Path) -> None:
    done = isolated(tmp_path, sys.executable, "-c", USE, str(tmp_path / "models"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["offline"] is True
    assert told["refusal"]["status"] == 503 and told["refusal"]["error"]["code"] == "offline"
    assert "144" in told["answer"] and told["audio"] > 0
    assert recorded(tmp_path) == ""


def test_an_import_needs_no_network(tmp_path: Path) -> None:
    source = tmp_path / "voice"
    source.mkdir()
    (source / "en_US-mine-medium.onnx").write_bytes(b"x")
    (source / "en_US-mine-medium.onnx.json").write_bytes(b"{}")
    offline = ("--set", "offline=true", "--set", f"models_dir={tmp_path / 'models'}")
    done = vivavoce(tmp_path, "models", "import", str(source), "--name", "mine", *offline)
    assert done.returncode == 0, done.stderr
    listed = vivavoce(tmp_path, "models", "list", "--installed", "--engine", "piper", "--json", *offline)
    assert [model["name"] for model in json.loads(listed.stdout)["models"]] == ["mine"]
    assert recorded(tmp_path) == ""
