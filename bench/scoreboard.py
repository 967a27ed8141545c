"""``docs/scoreboard.md`` from what ``out/bench`` holds: the bad with the good."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.result import OUT, Result, load
from bench.stats import Bar, Figure

PAGE = Path("docs/scoreboard.md")

HEAD = """# Scoreboard

Written by `make bench`; not edited by hand. Every figure is from audio in to audio out on the machine named with it, with
the bar it is held against. What misses its bar stands here like the rest. How each figure is defined is said in the
benchmark of that name in `bench/`; what is synthetic is said there and below.

Each section was measured at the time it names; one that is not measured again stays as it was.

"median of each run" is the spread: one repetition after the other. Percentiles are nearest rank over all samples. A run
marked *quick* is to steer by. The load average before a run tells whether the machine was quiet;
its *pace*, a fixed piece of work on one core (`bench/machine.py`), how quick its cores were that day.
"""


def write(page: Path = PAGE, folder: Path = OUT) -> None:
    """Render all results there are; what was not measured anew stays as it stands, with its own date."""
    results = [load(path) for path in sorted(folder.glob("*.json"))]
    page.write_text(render(results, kept(page.read_text() if page.is_file() else "")))


@dataclass(frozen=True, slots=True)
class Kept:
    """A section of an older page, with its rows of the table of bars."""

    name: str
    title: str
    text: str
    bars: tuple[tuple[str, ...], ...]


def kept(page: str) -> list[Kept]:
    """The sections of a page, by the name of their benchmark."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    bars = [tuple(cell.strip() for cell in line.strip("| ").split("|")) for line in lines]
    found = []
    for section in page.split("\n## ")[1:]:
        title, _, _ = section.partition("\n")
        name = re.search(r"^`(\w+)` · ", section, re.MULTILINE)
        if name is not None:
            rows = tuple(row for row in bars if len(row) == 5 and row[0].removesuffix(" (quick)") == title)
            found.append(Kept(name[1], title, f"## {section.rstrip()}\n", rows))
    return found


ORDER = (
    "voice_to_voice", "overhead", "peers", "duck", "barge_in", "capacity", "memory", "start",
    "first_byte", "speech_api", "engines", "codecs", "split_turns", "profile",
)  # fmt: skip


def render(results: Sequence[Result], older: Sequence[Kept] = ()) -> str:
    """The page: each benchmark at its place, measured now or before."""
    sections: dict[str, tuple[Sequence[tuple[str, ...]], str]] = {old.name: (old.bars, old.text) for old in older}
    sections |= {result.name: (_bar_rows(result), _section(result)) for result in results}
    names = sorted(sections, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    header = ("benchmark", "measure", "bar", "measured", "met")
    bars = "## Bars\n\n" + _table(header, [row for name in names for row in sections[name][0]])
    return "\n".join([HEAD, bars, *(sections[name][1] for name in names)]).rstrip() + "\n"


def _bar_rows(result: Result) -> list[tuple[str, ...]]:
    return [
        (
            f"{result.title}{' (quick)' if result.quick else ''}",
            item.name,
            _bars(item),
            " · ".join(_measured(item, bar) for bar in item.bars),
            _met(item),
        )
        for item in result.figures
        if item.bars
    ]


def _section(result: Result) -> str:
    lines = [f"## {result.title}", ""]
    machine = result.machine
    if machine:
        quick = " · *quick*" if result.quick else ""
        lines += [
            f"`{result.name}` · {machine['date']} · {machine['processor']}, {machine['memory']}, {machine['kernel']}, "
            f"Python {machine['python']} · {machine['packages']} · pace {machine.get('pace', '–')} · load before "
            f"{machine['load before']}, after {machine.get('load after', '–')} · took {result.seconds:.0f} s{quick}",
            "",
        ]
    if result.skipped:
        return "\n".join([*lines, f"Not measured: {result.skipped}.", ""])
    if result.figures:
        header = ("measure", "unit", "n", "p50", "p95", "p99", "max", "median of each run", "bar", "met")
        lines += [_table(header, [_row(item) for item in result.figures])]
    for table in result.tables:
        lines += [f"**{table.title}**", "", _table(table.header, table.rows)]
    lines += [f"- {note}" for note in result.notes]
    return "\n".join([*lines, ""])


def _row(item: Figure) -> tuple[str, ...]:
    name = f"{item.name} ({item.note})" if item.note else item.name
    spread = " · ".join(number(value) for value in item.spread) if len(item.spread) > 1 else ""
    if item.summary is None:
        return (
            name,
            item.unit,
            str(max(1, len(item.spread))),
            number(item.value),
            "",
            "",
            "",
            spread,
            _bars(item),
            _met(item),
        )
    s = item.summary
    numbers = (number(s.p50), number(s.p95), number(s.p99), number(s.max))
    return (name, item.unit, str(s.count), *numbers, spread, _bars(item), _met(item))


def number(value: float | None) -> str:
    """Three digits are enough."""
    if value is None or value != value:
        return "–"
    size = abs(value)
    return f"{value:.0f}" if size >= 100 or value == int(value) else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _bars(item: Figure) -> str:
    return " · ".join(_bar(bar) for bar in item.bars)


def _bar(bar: Bar) -> str:
    name = "" if bar.field == "value" else f"{bar.field} "
    return f"{name}{'≥' if bar.at_least else '≤'} {number(bar.limit)}"


def _measured(item: Figure, bar: Bar) -> str:
    name = "" if bar.field == "value" else f"{bar.field} "
    return f"{name}{number(item.number(bar.field))} {item.unit}"


def _met(item: Figure) -> str:
    return "" if item.met is None else "met" if item.met else "**not met**"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
