"""Real servers with the real built-in engines, and clients nobody here wrote in environments of their own.

The environments are made by ``scripts/client-environments.sh``; ``make test-outside`` runs it all.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.conftest import ROOT, require
from tests.live.server import STARTS_WITHIN, free_port

HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / ".venv-clients"
PATIENT = ("--set", "sessions.conversation.watchdogs.transcript=60", "--set", "discovery.services=[]")
"""A busy machine is no reason to lose a word, and what else runs on this machine is no part of the test."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs."""

    url: str
    pid: int

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def jobs(self) -> int:
        return sum(worker["jobs"] + worker["waiting"] for worker in self.get("/api/status")["workers"])

    def settles(self, what: Callable[[], Any], wanted: Any, seconds: float = 20.0) -> Any:
        """``what`` once it is ``wanted``, or what it is in the end."""
        for _ in range(round(seconds / 0.1)):
            if what() == wanted:
                return wanted
            time.sleep(0.1)
        return what()


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server that wants keys. ``key`` makes a new one with a budget of its own."""

    served: Served
    settings: tuple[str, ...]

    def key(self, name: str, scope: str = "converse") -> str:
        made = subprocess.run(
            [sys.executable, "-m", "vivavoce", "key", "create", name, "--scope", scope, "--json", *self.settings],
            check=True,
            capture_output=True,
            text=True,
        )
        key = str(json.loads(made.stdout)["key"])
        if self.served.url:
            assert self.served.settles(lambda: self._known(key), True), "the server looks for new keys every two seconds"
        return key

    def _known(self, key: str) -> bool:
        asked = Request(f"{self.served.url}/v1/realtime/client_secrets", b"{}", {"Authorization": f"Bearer {key}"})
        try:
            with urlopen(asked, timeout=10):
                return True
        except HTTPError as error:
            return error.code != 401


def _serve(*arguments: str) -> Iterator[Served]:
    require(shutil.which("flite"), "flite is not installed (Debian: apt-get install flite)")
    port = free_port()
    command = [sys.executable, "-m", "vivavoce", "serve", "--port", str(port), *PATIENT, *arguments]
    process = subprocess.Popen(command)
    served = Served(f"http://127.0.0.1:{port}", process.pid)
    try:
        for _ in range(round(STARTS_WITHIN / 0.1)):
            assert process.poll() is None, "the server did not start"
            try:
                if served.get("/health")["ready"]:
                    break
            except OSError:
                time.sleep(0.1)
        yield served
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def server() -> Iterator[Served]:
    yield from _serve("--set", "engines.llm=commands")


@pytest.fixture(scope="session")
def mind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Arguments of a server with a language model beside it that calls tools and can talk at length (``mind``)."""
    mind = subprocess.Popen([sys.executable, "-m", "tests.clients.mind"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert mind.stdout is not None
    try:
        url = mind.stdout.readline().strip()
        settings = tmp_path_factory.mktemp("thinking") / "vivavoce.yaml"
        settings.write_text(json.dumps({"providers": [{"name": "mind", "url": url, "llm": "test-model"}]}))
        yield ("--config", str(settings), "--set", "engines.llm=mind")
    finally:
        mind.terminate()
        mind.wait(10)
        mind.stdout.close()


@pytest.fixture(scope="session")
def thinking(mind: tuple[str, ...]) -> Iterator[Served]:
    """A server with ``mind`` beside it."""
    yield from _serve(*mind)


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """1 000 characters a minute for each key."""
    yield from serve_guarded(tmp_path_factory.mktemp("keys"), "--set", "server.rates.characters_per_minute=1000")


def serve_guarded(folder: Path, *arguments: str) -> Iterator[Guarded]:
    """Keys lie in ``folder``; guessing is free, as a new key is asked with until it is known."""
    settings = ("--set", f"server.keys_file={folder / 'keys.json'}", "--set", "server.rates.wrong_guesses=10000")
    Guarded(Served("", 0), settings).key("first")
    for served in _serve(*settings, *arguments):
        yield Guarded(served, settings)


def drive(environment: str, driver: str, *arguments: str, seconds: float = 400.0, **variables: str) -> dict[str, Any]:
    """Run a driver inside an environment and read what it saw."""
    python = ENVIRONMENTS / environment / "bin" / "python"
    require(python.exists(), f"{environment} is not installed (scripts/client-environments.sh {environment})")
    return run([str(python), str(HERE / "drivers" / driver), *arguments], seconds, **variables)


def drive_node(driver: str, *arguments: str, **variables: str) -> dict[str, Any]:
    """The same with the Node.js and the packages of the environment ``node``."""
    node, package = ENVIRONMENTS / "node" / "bin" / "node", HERE / "node"
    there = node.exists() and (package / "node_modules" / ".stamp").exists()
    require(there, "node is not installed (scripts/client-environments.sh node)")
    return run([str(node), str(HERE / "drivers" / driver), *arguments], at=package, **variables)


def run(command: list[str], seconds: float = 400.0, at: Path | None = None, **variables: str) -> dict[str, Any]:
    """A command that prints JSON on its last line, with nothing of this project's environment around it."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR", "HOME")}
    environment = {**kept, **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds, env=environment, cwd=at)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for name, did in seen.items():
        if isinstance(did, dict) and did.get("seconds", 0) > 1:
            print(f"{name}: {did['seconds']:.1f} s", file=sys.stderr)
    return seen


def got(seen: dict[str, Any], act: str) -> Any:
    """What an act that succeeded came to."""
    assert "got" in seen[act], f"{act}: {seen[act].get('traceback')}"
    return seen[act]["got"]


def raised(seen: dict[str, Any], act: str) -> dict[str, Any]:
    """What an act raised."""
    assert "raised" in seen[act], f"{act} raised nothing: {seen[act]}"
    error: dict[str, Any] = seen[act]["raised"]
    return error
