"""Latencies of turns over time: percentiles per stretch of time, for people who would rather look than read."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from vivavoce.contracts.events import Waterfall
from vivavoce.contracts.ports import Clock
from vivavoce.observe.metrics import percentile

KEPT = 4_096
"""Turns remembered; what is older is not on the chart."""
BUCKETS = 48
"""Stretches a window is cut into."""
STAGES = ("decision", "transcript", "first_token", "first_audio", "total", "stt", "llm", "tts")
"""Of a waterfall: seconds after the end of speech, and the time each part took."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One turn: when it ended (seconds since the epoch), and its waterfall."""

    wall: float
    waterfall: Waterfall


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time that starts at ``start`` (seconds since the epoch). ``stages`` has (p50, p95) in seconds."""

    start: float
    count: int
    stages: dict[str, tuple[float, float]]


class LatencyLog:
    """The last turns with their times. Used on the loop; what ``snapshot`` gives may be computed with elsewhere."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[Seen] = deque(maxlen=KEPT)

    def add(self, waterfall: Waterfall) -> None:
        """A turn is over."""
        self._seen.append(Seen(self._clock.wall(), waterfall))

    def snapshot(self) -> tuple[tuple[Seen, ...], float]:
        """What there is, and the time now."""
        return tuple(self._seen), self._clock.wall()


def overall(seen: Sequence[Seen]) -> dict[str, tuple[float, float, float]]:
    """(p50, p95, p99) per stage of all these turns."""
    found = {}
    for stage in STAGES:
        values = _values(seen, stage)
        if values:
            found[stage] = (_part(values, 0.5), _part(values, 0.95), _part(values, 0.99))
    return found


def buckets(seen: Sequence[Seen], now: float, window: float, count: int = BUCKETS) -> list[Bucket]:
    """``window`` seconds up to ``now``, in ``count`` stretches, the empty ones included; oldest first."""
    width = window / count
    start = now - window
    sorted_in: list[list[Seen]] = [[] for _ in range(count)]
    for one in seen:
        place = int((one.wall - start) / width)
        if one.wall >= start:
            sorted_in[min(place, count - 1)].append(one)
    return [Bucket(start + index * width, len(inside), _stages(inside)) for index, inside in enumerate(sorted_in)]


def _stages(seen: Sequence[Seen]) -> dict[str, tuple[float, float]]:
    found = {}
    for stage in STAGES:
        values = _values(seen, stage)
        if values:
            found[stage] = (_part(values, 0.5), _part(values, 0.95))
    return found


def _values(seen: Sequence[Seen], stage: str) -> list[float]:
    return sorted(value for one in seen if (value := getattr(one.waterfall, stage)) is not None)


def _part(ordered: list[float], part: float) -> float:
    value = percentile(ordered, part)
    assert value is not None
    return value
