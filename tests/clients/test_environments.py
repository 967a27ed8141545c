"""The environments of the outside clients: pinned, from no particular host, and what the guides say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.clients.conftest import HERE
from tests.conftest import ROOT

ROW = re.compile(r"^\| `([^`]+)`[^|]*\| ([0-9., ]+) \|", re.MULTILINE)


def pinned() -> Iterator[tuple[str, str]]:
    """Clients with their versions."""
    for file in (HERE / "environments").glob("*.in"):
        for line in file.read_text().splitlines():
            name, version = line.split("==")
            yield re.sub(r"\[.*\]", "", name), version
    yield from json.loads((HERE / "node" / "package.json").read_text())["dependencies"].items()


def test_javascript_packages_are_pinned_without_a_host() -> None:
    packages = json.loads((HERE / "node" / "package-lock.json").read_text())["packages"]
    installed = [package for name, package in packages.items() if name]
    assert installed and all(package["integrity"] and "resolved" not in package for package in installed)


def test_python_packages_are_pinned_without_a_host() -> None:
    files = list((HERE / "environments").iterdir())
    assert {file.stem for file in files if file.suffix == ".in"} == {file.stem for file in files if file.suffix == ".txt"}
    for file in files:
        for line in file.read_text().splitlines():
            assert "==" in line and "://" not in line, (file.name, line)


@pytest.mark.parametrize("guide", ["openai.md", "realtime.md"])
def test_the_guides_name_the_versions_that_are_tested(guide: str) -> None:
    rows = ROW.findall((ROOT / "docs" / "guides" / guide).read_text())
    told = {(name, version) for name, versions in rows for version in re.split(r", ?", versions.strip())}
    assert len(told) >= 7
    assert told <= set(pinned())
