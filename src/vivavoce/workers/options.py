"""What can be configured about worker processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

EngineKind = Literal["stt", "tts", "llm", "vad", "turn", "wake", "rtc"]
Setting = str | int | float | bool


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """One engine: its kind, its name as ``workers.child`` knows it, and its settings (paths, threads, …)."""

    kind: EngineKind
    """What it is for."""
    name: str
    """Which engine."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Its own settings, such as paths and threads."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """One group of equal processes that run the same engines."""

    name: str
    """Name of the group, for logs and status."""
    engines: tuple[EngineOptions, ...]
    """What each of its processes loads."""
    processes: int = field(default=1, metadata={"min": 1})
    """How many processes share the jobs of this group."""
    prewarm: bool = True
    """Start and load at server start; otherwise with the first job."""
    idle_unload: float | None = None
    """Seconds without a job after which the process is ended (and started again with the next job)."""
    max_jobs: int = field(default=64, metadata={"min": 1})
    """Jobs side by side per process."""
    max_streams: int = field(default=512, metadata={"min": 1})
    """Voice activity streams per process, over which a group refuses more."""
    max_waiting: int = 128
    """Jobs waiting for a place, over all processes; beyond it Overloaded."""
    job_deadline: float = 120.0
    """Longest time a job may take behind its last input (or, for speech, behind the last audio read); then it fails."""
    heartbeat: float = field(default=2.0, metadata={"min": 0.1})
    """Seconds between heartbeats; three missed ones kill the process."""
    load_deadline: float = 60.0
    """Longest time to load the engines; then the process is restarted."""
    max_memory: int = 0
    """Resident MB above which a process is recycled when its jobs are done; 0 is never."""
    max_address_space: int = 0
    """Address space in MB above which allocations of a process fail, so that an engine that wants too much fails by itself
    before the machine runs short; 0 is no limit. An ONNX model needs 300 MB and three times its files; CUDA reserves so much
    that no limit makes sense with it."""
    restart_delay: float = 0.2
    """First back-off after a crash; doubles up to ``restart_delay_max`` and falls back after a minute without one."""
    restart_delay_max: float = 30.0
    """Longest back-off after a crash."""
    poison_limit: int = 3
    """Crashes in a row, without one finished job between, after which the group refuses jobs until the next probe."""
