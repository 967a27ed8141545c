"""What a real server holds: descriptors, threads, tasks, jobs, sessions. To be compared once nobody asks anything of it."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

CALM = ("sessions", "connections", "speech_sessions", "codec_work", "workers.jobs", "workers.waiting")
"""Gauges that are zero when nobody asks anything."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """Of the server process; ``workers`` are process ids by group, ``memory`` resident megabytes.

    ``threads`` are in pools that fill when they are first wanted and never shrink, so their number is measured against the
    sum of the pools' sizes, ``threads_max``; ``native`` ones were started by libraries.
    """

    descriptors: int
    threads: float
    threads_max: float
    native: float
    tasks: float
    workers: dict[str, int]
    memory: float
    worker_memory: float

    def no_more_than(self, before: Holdings) -> bool:
        """Whether nothing is left of what happened since ``before``, memory and workers apart."""
        return (
            self.descriptors <= before.descriptors
            and self.tasks <= before.tasks
            and self.threads <= self.threads_max
            and self.native <= before.native
        )


def fetch(port: int, path: str, trust: ssl.SSLContext | None = None) -> Any:
    """``trust`` is for a server that speaks TLS."""
    with urlopen(f"http{'s' if trust else ''}://127.0.0.1:{port}{path}", timeout=30, context=trust) as answer:
        return json.load(answer)


def gauges(port: int, trust: ssl.SSLContext | None = None) -> dict[str, float]:
    found: dict[str, float] = fetch(port, "/api/metrics", trust)["gauges"]
    return found


def holdings(port: int, pid: int, trust: ssl.SSLContext | None = None) -> Holdings:
    """As they are now."""
    workers = fetch(port, "/api/status", trust)["workers"]
    now = gauges(port, trust)
    return Holdings(
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=now["threads"],
        threads_max=now["threads_max"],
        native=len(list(Path(f"/proc/{pid}/task").iterdir())) - now["threads"],
        tasks=now["tasks"],
        workers={worker["group"]: worker["pid"] for worker in workers},
        memory=_memory(pid),
        worker_memory=sum(worker["memory_mb"] or 0.0 for worker in workers),
    )


def settled(port: int, pid: int, beside: int = 0, seconds: float = 60.0, trust: ssl.SSLContext | None = None) -> Holdings:
    """Wait until nothing goes on but ``beside`` sessions, then look. Raises AssertionError saying what does not end."""
    busy: dict[str, float] = {}

    def calm() -> bool:
        nonlocal busy
        now = gauges(port, trust)
        busy = {name: now[name] for name in CALM if now[name] > (beside if name in ("sessions", "connections") else 0)}
        return not busy or (beside > 0 and set(busy) <= {"workers.jobs"})

    assert until(calm, seconds), f"this does not end: {busy}"
    return holdings(port, pid, trust)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Ask again and again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def _memory(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
