"""What a benchmark hands back, and how it is kept: JSON in ``out/bench``."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.stats import Bar, Figure, Summary

OUT = Path("out/bench")


@dataclass(frozen=True, slots=True)
class Options:
    """How thoroughly to measure. ``quick`` gives numbers to steer by, not to publish."""

    quick: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """Anything that is no figure."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class Result:
    """One benchmark. ``skipped`` says why there are no figures."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    quick: bool = False
    seconds: float = 0.0


def save(result: Result, folder: Path = OUT) -> Path:
    """Write the JSON of one benchmark."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    path.write_text(json.dumps(dataclasses.asdict(result), indent=1) + "\n")
    return path


def load(path: Path) -> Result:
    """Read it back."""
    raw: dict[str, Any] = json.loads(path.read_text())
    raw["figures"] = [_figure(item) for item in raw["figures"]]
    raw["tables"] = [Table(t["title"], tuple(t["header"]), tuple(tuple(row) for row in t["rows"])) for t in raw["tables"]]
    return Result(**raw)


def _figure(raw: dict[str, Any]) -> Figure:
    summary = None if raw["summary"] is None else Summary(**raw["summary"])
    bars = tuple(Bar(**bar) for bar in raw["bars"])
    return Figure(**{**raw, "summary": summary, "bars": bars, "spread": tuple(raw["spread"])})
