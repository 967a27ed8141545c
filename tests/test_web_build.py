"""The page's committed files are what its sources say, speak to nobody else, and their pure parts do what they promise."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import vivavoce
from tests.conftest import require

SOURCES = Path(__file__).parent.parent / "web"
BUILT = Path(vivavoce.__file__).parent / "web"
FILES = ("index.html", "app.js", "style.css", "icon.svg", "worklets/capture.js", "worklets/playback.js")

# The name of a vocabulary, not an address that anybody asks.
NAMESPACES = ("http://www.w3.org/2000/svg",)


@pytest.fixture(scope="module")
def tools() -> None:
    """Node, npm and the two packages of the lock file."""
    require(shutil.which("node") and shutil.which("npm"), "node and npm are not installed (Debian: apt-get install npm)")
    lock, installed = SOURCES / "package-lock.json", SOURCES / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        result = _run(["npm", "ci", "--no-audit", "--no-fund"])
        require(result.returncode == 0, f"npm could not fetch esbuild and typescript: {result.stderr[-300:]}")
        installed.touch()


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=300)


def test_the_committed_files_are_built_from_the_sources(tools: None, tmp_path: Path) -> None:
    result = _run(["node", "build.mjs", str(tmp_path)])
    assert result.returncode == 0, result.stderr
    fresh = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert fresh == set(FILES)
    for name in FILES:
        same = (tmp_path / name).read_bytes() == (BUILT / name).read_bytes()
        assert same, f"{name} is not what web/ builds: run `npm ci && npm run build` there and commit the result"


def test_types(tools: None) -> None:
    result = _run(["npx", "--no-install", "tsc", "--noEmit"])
    assert result.returncode == 0, result.stdout


def test_pure_parts(tools: None) -> None:
    result = _run(["node", "test.mjs"])
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
