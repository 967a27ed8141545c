"""Numbers about everything that happens: counters, gauges and percentiles of what was seen lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ResponseCompleted,
    SessionEvent,
    SessionFailed,
    SpeechStarted,
    ToolUsed,
    TranscriptUpdated,
    TurnContinued,
    TurnDiscarded,
    Waterfall,
    Woke,
)

KEPT = 2_048
"""Values a reservoir remembers: the percentiles are those of the last so many, so that they follow the server's state."""

MAX_NAMES = 256
"""Different counters and reservoirs; a name beyond is counted as ``other``."""

STAGES = (
    "speech_stopped", "turn_scored", "transcript", "decision", "first_token", "first_sentence", "first_audio",
    "first_sent", "first_played", "finished", "wait", "stt", "llm", "tts", "total",
)  # fmt: skip
"""Of a waterfall, as latencies named ``turn.…``."""

_PLAIN: dict[type, str] = {
    SpeechStarted: "speech_started",
    ReplyStarted: "replies",
    ReplyPaused: "replies_paused",
    TurnContinued: "turns_continued",
    Woke: "woken",
}


class Reservoir:
    """The last ``size`` values, and how many there ever were."""

    def __init__(self, size: int = KEPT) -> None:
        self._values: deque[float] = deque(maxlen=size)
        self.count = 0

    def add(self, value: float) -> None:
        """See one more."""
        self.count += 1
        self._values.append(value)

    def snapshot(self) -> dict[str, float | int | None]:
        """``count``, ``p50``, ``p95``, ``p99`` (nearest rank) and ``max``; None while there is nothing."""
        values = sorted(self._values)
        return {
            "count": self.count,
            "p50": percentile(values, 0.5),
            "p95": percentile(values, 0.95),
            "p99": percentile(values, 0.99),
            "max": values[-1] if values else None,
        }


def percentile(ordered: Sequence[float], part: float) -> float | None:
    """Nearest rank: the smallest value that at least ``part`` of the values do not exceed."""
    if not ordered:
        return None
    rank = -int(-len(ordered) * part // 1)
    return ordered[min(len(ordered), max(1, rank)) - 1]


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    read: Callable[[], float]


class Metrics:
    """An EventListener for all sessions. Never raises, never blocks, never grows beyond its bounds."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._latencies: dict[str, Reservoir] = {}
        self._gauges: dict[str, _Gauge] = {}

    def __call__(self, event: SessionEvent) -> None:
        """Fold an event."""
        plain = _PLAIN.get(type(event))
        if plain is not None:
            self.count(plain)
        elif isinstance(event, ResponseCompleted):
            self.count("turns")
            self._waterfall(event.waterfall)
        elif isinstance(event, TranscriptUpdated):
            self.count("transcripts_final" if event.final else "transcripts_interim")
        else:
            self._reasoned(event)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        if name not in self._counts and len(self._counts) >= MAX_NAMES:
            name = "other"
        self._counts[name] = self._counts.get(name, 0) + amount

    def observe(self, name: str, seconds: float) -> None:
        """See a duration."""
        found = self._latencies.get(name)
        if found is None:
            if len(self._latencies) >= MAX_NAMES:
                name = "other"
            found = self._latencies.setdefault(name, Reservoir())
        found.add(seconds)

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Read ``read`` at each snapshot; the same name again replaces it."""
        self._gauges[name] = _Gauge(name, read)

    def snapshot(self) -> dict[str, Any]:
        """``counts``, ``latencies`` and ``gauges`` by name; seconds."""
        return {
            "counts": dict(sorted(self._counts.items())),
            "latencies": {name: self._latencies[name].snapshot() for name in sorted(self._latencies)},
            "gauges": {name: self._gauges[name].read() for name in sorted(self._gauges)},
        }

    def _waterfall(self, waterfall: Waterfall) -> None:
        for stage in STAGES:
            value = getattr(waterfall, stage)
            if value is not None:
                self.observe(f"turn.{stage}", value)
        if waterfall.speculated:
            self.count("turns_speculated")
        self.count("revisions", waterfall.revisions)

    def _reasoned(self, event: SessionEvent) -> None:
        if isinstance(event, TurnDiscarded):
            self.count(f"turns_discarded.{event.reason}")
        elif isinstance(event, ReplyResumed):
            self.count(f"replies_resumed.{event.reason}")
        elif isinstance(event, ReplyInterrupted):
            self.count(f"replies_interrupted.{event.reason}")
        elif isinstance(event, ToolUsed):
            self.count("tools")
        elif isinstance(event, SessionFailed):
            self.count(f"failures.{event.code}")
