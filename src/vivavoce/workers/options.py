"""What can be configured about worker processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EngineKind = Literal["stt", "tts", "llm", "vad", "turn"]
Setting = str | int | float | bool


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """One engine: its kind, its name as ``workers.child`` knows it, and its settings (paths, threads, …)."""

    kind: EngineKind
    name: str
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """One group of equal processes that run the same engines."""

    name: str
    engines: tuple[EngineOptions, ...]
    processes: int = 1
    prewarm: bool = True
    """Start and load at server start; otherwise with the first job."""
    idle_unload: float | None = None
    """Seconds without a job after which the process is ended (and started again with the next job)."""
    max_jobs: int = 64
    """Jobs side by side per process."""
    max_waiting: int = 128
    """Jobs waiting for a place, over all processes; beyond it Overloaded."""
    job_deadline: float = 120.0
    heartbeat: float = 2.0
    """Seconds between heartbeats; three missed ones kill the process."""
    load_deadline: float = 60.0
    max_memory: int = 0
    """Resident MB above which a process is recycled when its jobs are done; 0 is never."""
    restart_delay: float = 0.2
    """First back-off after a crash; doubles up to ``restart_delay_max`` and falls back after a minute without one."""
    restart_delay_max: float = 30.0
    poison_limit: int = 3
    """Crashes in a row, without one finished job between, after which the group refuses jobs until the next probe."""
