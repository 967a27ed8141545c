"""How the providers and engines of each kind fare: an observer of the chains, read by the status routes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vivavoce.contracts.errors import InvalidRequest, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.observe.metrics import Reservoir
from vivavoce.providers.health import State
from vivavoce.providers.openai_compatible.provider import Kind

KEPT = 256
"""First outputs remembered of each provider."""
MAX_NAMES = 64
"""Names remembered of each kind; the one that was heard of least lately gives way."""


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """One provider or engine of one kind. Times are seconds.

    ``place`` is where it stands in the chain, None where it is asked only by those who choose it. ``latency`` is from the
    question to the first text, from the first text to the first sound, from the end of an utterance to its reading.
    """

    kind: Kind
    name: str
    place: int | None
    found: bool
    local: bool
    state: State = "closed"
    answers: int = 0
    failures: int = 0
    last_error: str | None = None
    last_error_age: float | None = None
    latency_p50: float | None = None
    latency_p95: float | None = None


@dataclass(slots=True)
class Record:
    """What is known of one name."""

    latencies: Reservoir = field(default_factory=lambda: Reservoir(KEPT))
    failures: int = 0
    last_error: str | None = None
    failed_at: float = 0.0


class Board:
    """Implements ``failover.chain.Observer`` for the chain of one kind."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, Record] = {}

    def answered(self, name: str, seconds: float) -> None:
        """See Observer."""
        self._record(name).latencies.add(seconds)

    def failed(self, name: str, error: VivavoceError) -> None:
        """See Observer; what the caller is to blame for says nothing about the provider."""
        if isinstance(error, InvalidRequest):
            return
        record = self._record(name)
        record.failures += 1
        record.last_error = error.code
        record.failed_at = self._clock.now()

    def line(self, line: ProviderLine) -> ProviderLine:
        """The same with what was observed."""
        record = self._records.get(line.name)
        if record is None:
            return line
        seen = record.latencies.snapshot()
        failed = record.last_error is not None
        return replace(
            line,
            answers=record.latencies.count,
            failures=record.failures,
            last_error=record.last_error,
            last_error_age=self._clock.now() - record.failed_at if failed else None,
            latency_p50=seen["p50"],
            latency_p95=seen["p95"],
        )

    def _record(self, name: str) -> Record:
        record = self._records.pop(name, None) or Record()
        self._records[name] = record  # the last that was heard of stands last
        if len(self._records) > MAX_NAMES:
            del self._records[next(iter(self._records))]
        return record
