"""The server under test as a real process: started, watched through /proc, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.result import OUT

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
READY_WITHIN = 60.0
STOP_WITHIN = 15.0


@dataclass(frozen=True, slots=True)
class Setup:
    """How a server is started. ``ports`` are the settings of scripted ports by kind, ``cores`` where it may run."""

    settings: tuple[str, ...] = ()
    ports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cores: tuple[int, ...] = ()
    profile: str = ""
    direct: bool = False
    """Start the command itself, without what ``bench.serve`` adds."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds, resident MB, and seconds in which a process could have run but was not given a core."""

    cpu: float
    memory: float
    starved: float


class Server(AbstractContextManager["Server"]):
    """``with Server(setup) as server``: it is ready inside, and gone behind."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self.groups: dict[int, str] = {}
        """Worker processes by process id."""

    def __enter__(self) -> Server:
        OUT.mkdir(parents=True, exist_ok=True)
        self._log = (OUT / "server.log").open("ab")
        self._process = subprocess.Popen(
            self._command(), stdout=self._log, stderr=self._log, start_new_session=True, env=environment()
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        self.groups = {worker["pid"]: worker["group"] for worker in self.get("/api/status")["workers"] if worker["pid"]}
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self) -> list[str]:
        setup = self._setup
        spec = json.dumps({"ports": setup.ports, "profile": setup.profile})
        start = (
            [str(Path(sys.executable).parent / "vivavoce")] if setup.direct else [sys.executable, "-m", "bench.serve", spec]
        )
        command = [*start, "serve", "--port", str(self.port)]
        for setting in setup.settings:
            command += ["--set", setting]
        if setup.cores:
            command = ["taskset", "-c", ",".join(map(str, setup.cores)), *command]
        return command

    @property
    def pid(self) -> int:
        """Of the server itself."""
        assert self._process is not None
        return self._process.pid

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        end = time.monotonic() + READY_WITHIN
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended with {self._process.returncode}; see {OUT / 'server.log'}")
            if is_ready(self.port):
                return
            time.sleep(0.02)
        raise RuntimeError(f"the server was not ready within {READY_WITHIN:.0f} s; see {OUT / 'server.log'}")

    def get(self, path: str) -> Any:
        """JSON from the server."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def usage(self) -> dict[str, Usage]:
        """Of the server (``server``) and of its workers by group."""
        found = {"server": usage_of(self.pid)}
        for pid, group in self.groups.items():
            try:
                found[group] = usage_of(pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log is not None:
            self._log.close()
            self._log = None


def environment() -> dict[str, str]:
    """Of a child: this checkout, and without the settings of the person who measures."""
    root = Path(__file__).parent.parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VIVAVOCE_")}
    return {**kept, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}"}


def is_ready(port: int) -> bool:
    """Whether a server answers that it takes work."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def usage_of(pid: int) -> Usage:
    """CPU and memory of a process so far. Raises FileNotFoundError for one that is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    ran, waited = 0, 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            numbers = (task / "schedstat").read_text().split()
        except (FileNotFoundError, ProcessLookupError):  # the thread has just ended
            continue
        ran, waited = ran + int(numbers[0]), waited + int(numbers[1])
    ticks = (int(fields[11]) + int(fields[12])) / TICKS
    return Usage(max(ticks, ran / 1e9), pages * PAGE / 2**20, waited / 1e9)


def spent(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """CPU seconds between two looks, by process."""
    return {name: after[name].cpu - before[name].cpu for name in before if name in after}


def starved(before: Mapping[str, Usage], after: Mapping[str, Usage], name: str = "server") -> float:
    """Seconds between two looks in which a process was kept from its core, by others or by its own workers."""
    return after[name].starved - before[name].starved


def run_python(arguments: Sequence[str], cores: tuple[int, ...] = ()) -> subprocess.CompletedProcess[bytes]:
    """Run a Python module to its end; its standard error is ours."""
    command = [sys.executable, *arguments]
    if cores:
        command = ["taskset", "-c", ",".join(map(str, cores)), *command]
    return subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE)
