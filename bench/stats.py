"""Arithmetic of measurements: percentiles, spread over repetitions, and whether a bar is met."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Field = Literal["value", "mean", "p50", "p95", "p99", "max"]


def percentile(ordered: Sequence[float], part: float) -> float:
    """Nearest rank: the smallest of the ``ordered`` values that at least ``part`` of them do not exceed."""
    if not ordered:
        raise ValueError("no percentile of nothing")
    rank = math.ceil(len(ordered) * part - 1e-9)
    return ordered[min(len(ordered), max(1, rank)) - 1]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told of a sample."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: float


def summarise(values: Iterable[float]) -> Summary | None:
    """None where there is nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return Summary(
        len(ordered),
        sum(ordered) / len(ordered),
        percentile(ordered, 0.5),
        percentile(ordered, 0.95),
        percentile(ordered, 0.99),
        ordered[-1],
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """``field`` of a figure must not exceed ``limit`` (must reach it, with ``at_least``)."""

    field: Field
    limit: float
    at_least: bool = False

    def met(self, number: float | None) -> bool:
        """Whether ``number`` holds it; what was not measured does not."""
        if number is None or math.isnan(number):
            return False
        return number >= self.limit if self.at_least else number <= self.limit


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a report: a sample with its percentiles, or one number.

    ``spread`` holds the median (or the number) of each repetition, so that a reader sees what a single run is worth.
    """

    name: str
    unit: str
    summary: Summary | None = None
    value: float | None = None
    spread: tuple[float, ...] = ()
    bars: tuple[Bar, ...] = ()
    note: str = ""

    def number(self, field: Field) -> float | None:
        """One of its numbers."""
        if field == "value":
            return self.value
        return None if self.summary is None else float(getattr(self.summary, field))

    @property
    def met(self) -> bool | None:
        """Whether all its bars are met; None where there is none."""
        return all(bar.met(self.number(bar.field)) for bar in self.bars) if self.bars else None


def figure(
    name: str, unit: str, repetitions: Sequence[Sequence[float]], bars: tuple[Bar, ...] = (), note: str = ""
) -> Figure:
    """A figure over all repetitions together, with the median of each as its spread."""
    medians = tuple(s.p50 for s in map(summarise, repetitions) if s is not None)
    everything = summarise(value for repetition in repetitions for value in repetition)
    return Figure(name, unit, everything, None, medians, bars, note)


def single(name: str, unit: str, values: Sequence[float], bars: tuple[Bar, ...] = (), note: str = "") -> Figure:
    """A figure of one number a repetition: the median of them."""
    ordered = sorted(values)
    middle = percentile(ordered, 0.5) if ordered else None
    return Figure(name, unit, None, middle, tuple(values), bars, note)


def share(part: int, whole: int) -> float:
    """Per cent; nothing of nothing is NaN, so that no bar is met by measuring nothing."""
    return 100.0 * part / whole if whole else math.nan
