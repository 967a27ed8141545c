"""Real servers with the real built-in engines, and clients nobody here wrote in environments of their own.

Made by ``scripts/client-environments.sh``; run by ``make test-outside``.
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
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT, require
from tests.live.server import STARTS_WITHIN, free_port

HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / ".venv-clients"


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
        return str(json.loads(made.stdout)["key"])


def _serve(*arguments: str) -> Iterator[Served]:
    require(shutil.which("flite"), "flite is not installed (Debian: apt-get install flite)")
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "vivavoce", "serve", "--port", str(port), *arguments])
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
    yield from _serve()


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """1 000 characters a minute for each key."""
    keys = tmp_path_factory.mktemp("keys") / "keys.json"
    settings = ("--set", f"server.keys_file={keys}", "--set", "server.rates.characters_per_minute=1000")
    first = Guarded(Served("", 0), settings)
    first.key("first")
    for served in _serve(*settings):
        yield Guarded(served, settings)


def drive(environment: str, driver: str, *arguments: str, seconds: float = 300.0, **variables: str) -> dict[str, Any]:
    """Run a driver inside an environment and read what it saw."""
    python = ENVIRONMENTS / environment / "bin" / "python"
    require(python.exists(), f"{environment} is not installed (scripts/client-environments.sh {environment})")
    return run([str(python), str(HERE / "drivers" / driver), *arguments], seconds, **variables)


def run(command: list[str], seconds: float = 300.0, at: Path | None = None, **variables: str) -> dict[str, Any]:
    """A command that prints JSON on its last line, with nothing of this project's environment around it."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR", "HOME")}
    environment = {**kept, **variables}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds, env=environment, cwd=at)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-2000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
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
