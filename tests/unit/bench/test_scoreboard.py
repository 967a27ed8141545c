"""The scoreboard keeps what is not measured again."""

from __future__ import annotations

from pathlib import Path

from bench import scoreboard
from bench.result import Result, save
from bench.stats import Bar, figure

ABOUT = {
    "date": "today", "processor": "p", "memory": "m", "kernel": "k", "python": "3", "packages": "none", "load before": "0",
}  # fmt: skip


def measured(name: str, value: float) -> Result:
    result = Result(name, f"About {name}", machine=ABOUT)
    result.figures.append(figure("how long", "ms", [[value]], (Bar("p50", 10.0),)))
    return result


def test_sections_and_bars_of_other_benchmarks_stay(tmp_path: Path) -> None:
    page, folder = tmp_path / "page.md", tmp_path / "results"
    for name, value in (("memory", 5.0), ("start", 50.0)):
        save(measured(name, value), folder)
    scoreboard.write(page, folder)
    before = page.read_text()
    assert "not met" in before
    (folder / "start.json").unlink()
    (folder / "memory.json").unlink()
    save(measured("overhead", 7.0), folder)
    scoreboard.write(page, folder)
    after = page.read_text()
    assert [after.count(f"## About {name}\n") for name in ("overhead", "memory", "start")] == [1, 1, 1]
    assert after.index("## About overhead") < after.index("## About memory")
    assert set(before.splitlines()) <= set(after.splitlines())
    save(measured("start", 8.0), folder)
    scoreboard.write(page, folder)
    assert "not met" not in page.read_text()
    assert page.read_text().count("## About start\n") == 1


def test_what_is_read_back_is_what_was_written() -> None:
    page = (Path(__file__).parents[3] / "docs" / "scoreboard.md").read_text()
    again = scoreboard.render([], scoreboard.kept(page))
    assert set(page.splitlines()) - set(again.splitlines()) <= {""}
