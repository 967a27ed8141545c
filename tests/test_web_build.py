"""The page's committed files are what its sources say, speak to nobody else, and their pure parts do what they promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bench.page_load import page_files, total

import vivavoce
from tests.node_tools import install, run

SOURCES = Path(__file__).parent.parent / "web"
IMAGES = SOURCES.parent / "docs" / "images"
BUILT = Path(vivavoce.__file__).parent / "web"
FILES = ("index.html", "app.js", "style.css", "icon.svg", "worklets/capture.js", "worklets/playback.js")

# The name of a vocabulary, not an address that anybody asks.
NAMESPACES = ("http://www.w3.org/2000/svg",)


BUDGET = {
    "app.js": 125_000, "style.css": 30_000, "index.html": 4_000, "worklets/capture.js": 8_000, "worklets/playback.js": 8_000,
}  # fmt: skip
"""Bytes, before any compression: the whole dashboard is smaller than one photograph."""


@pytest.fixture(scope="module")
def tools() -> None:
    """Node, npm and the packages of the lock file."""
    install()


def test_the_committed_files_are_built_from_the_sources(tools: None, tmp_path: Path) -> None:
    result = run(["node", "build.mjs", str(tmp_path)])
    assert result.returncode == 0, result.stderr
    fresh = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert fresh == set(FILES)
    for name in FILES:
        same = (tmp_path / name).read_bytes() == (BUILT / name).read_bytes()
        assert same, f"{name} is not what web/ builds: run `npm ci && npm run build` there and commit the result"


def test_types(tools: None) -> None:
    result = run(["npx", "--no-install", "tsc", "--noEmit"])
    assert result.returncode == 0, result.stdout


def test_pure_parts(tools: None) -> None:
    result = run(["node", "test.mjs"])
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", FILES)
def test_nothing_points_to_another_host(name: str) -> None:
    text = (BUILT / name).read_text()
    for namespace in NAMESPACES:
        text = text.replace(namespace, "")
    assert not re.findall(r"(?:https?:|wss?:)?//[a-z0-9-]+\.[a-z]+[^\s\"']*", text, re.IGNORECASE)
    assert "@import" not in text


def test_the_page_needs_no_exception_from_a_strict_policy() -> None:
    html = (BUILT / "index.html").read_text()
    assert not re.search(r"<style|style=|\son[a-z]+=|javascript:", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    code = "".join((BUILT / name).read_text() for name in FILES if name.endswith(".js"))
    assert not re.search(r"\beval\(|new Function\(|innerHTML|insertAdjacentHTML|document\.write", code)


def test_the_lock_file_names_no_source() -> None:
    assert "resolved" not in (SOURCES / "package-lock.json").read_text()


@pytest.mark.parametrize(("name", "most"), BUDGET.items())
def test_the_page_stays_small(name: str, most: int) -> None:
    size = (BUILT / name).stat().st_size
    assert size <= most, f"{name} has {size} bytes, its budget is {most}: take something out before you raise it"


ZIPPED = 52_000
"""Bytes of all that the wheel serves, each file by gzip: what a first visit costs behind a proxy that compresses."""


def test_all_of_it_stays_small_when_it_is_compressed() -> None:
    weights = page_files()
    assert set(FILES) < {weight.name for weight in weights}, "all that is served is weighed"
    whole = total("", weights)
    assert whole.zipped <= ZIPPED, f"{whole.zipped} bytes, gzipped: {weights}"
    assert whole.raw == sum(path.stat().st_size for path in BUILT.rglob("*") if path.is_file())


VIEWS = ("talk", "speak", "transcribe", "turns", "sessions", "providers", "system", "settings")


@pytest.mark.parametrize("name", VIEWS)
def test_each_view_has_its_picture_in_the_guide(name: str) -> None:
    picture = IMAGES / f"dashboard-{name}.png"
    assert picture.stat().st_size < 150_000
    assert f"dashboard-{name}.png" in (IMAGES.parent / "guides" / "dashboard.md").read_text()
