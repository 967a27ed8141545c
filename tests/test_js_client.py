"""The client library in ``clients/js``: types, tests, the bundle and its weight, and what is generated is current."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import require

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "clients" / "js"
DOCS = ROOT / "docs" / "reference" / "client-js"

BUDGET = {
    "client": 12_288,
    "everything": 14_336,
    "hook": 13_312,
    "error": 512,
    "worklets/capture.js": 1_536,
    "worklets/playback.js": 2_048,
}
"""Bytes, minified and gzipped, an application gets that imports only this."""


@pytest.fixture(scope="module")
def tools() -> None:
    """Node, npm and the packages of the lock file."""
    require(shutil.which("node") and shutil.which("npm"), "node and npm are not installed (Debian: apt-get install npm)")
    lock, installed = CLIENT / "package-lock.json", CLIENT / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        result = _run(["npm", "ci", "--no-audit", "--no-fund"])
        require(result.returncode == 0, f"npm could not fetch what clients/js needs: {result.stderr[-300:]}")
        installed.touch()


@pytest.fixture(scope="module")
def package(tools: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """The built package, and what it weighs."""
    out = tmp_path_factory.mktemp("client")
    result = _run(["node", "build.mjs", str(out)])
    assert result.returncode == 0, result.stdout + result.stderr
    weights: dict[str, int] = json.loads(result.stdout.splitlines()[-1])
    return out, weights


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=CLIENT, capture_output=True, text=True, timeout=300)


def test_types(tools: None) -> None:
    result = _run(["npx", "--no-install", "tsc", "--noEmit"])
    assert result.returncode == 0, result.stdout


def test_unit_tests(tools: None) -> None:
    result = _run(["node", "test.mjs"])
    assert result.returncode == 0, result.stdout


def test_the_package_holds_what_it_exports(package: tuple[Path, dict[str, int]]) -> None:
    out, _ = package
    exports = json.loads((CLIENT / "package.json").read_text())["exports"]
    targets = {target for entry in exports.values() for target in (entry.values() if isinstance(entry, dict) else [entry])}
    missing = [target for target in targets - {"./package.json"} if not (out / target.removeprefix("./dist/")).is_file()]
    assert not missing


def test_the_client_is_light(package: tuple[Path, dict[str, int]]) -> None:
    _, weights = package
    assert weights.keys() == BUDGET.keys()
    heavy = {name: weight for name, weight in weights.items() if weight > BUDGET[name]}
    assert not heavy, f"over budget: {heavy}"


def test_the_wire_types_are_those_of_the_schema(tools: None, tmp_path: Path) -> None:
    fresh = tmp_path / "messages.ts"
    result = _run(["node", "scripts/generate.mjs", str(fresh)])
    assert result.returncode == 0, result.stderr
    same = fresh.read_text() == (CLIENT / "src" / "wire" / "messages.ts").read_text()
    assert same, "src/wire/messages.ts is not what the schema says: run `npm run generate` in clients/js"


def test_the_documentation_is_that_of_the_types(tools: None, tmp_path: Path) -> None:
    result = _run(["npx", "--no-install", "typedoc", "--out", str(tmp_path)])
    assert result.returncode == 0, result.stdout + result.stderr
    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text() for path in DOCS.iterdir()}
    assert fresh == kept, "docs/reference/client-js is out of date: run `npm run docs` in clients/js"


def test_the_lock_file_names_no_source() -> None:
    assert "resolved" not in (CLIENT / "package-lock.json").read_text()


def test_no_type_is_given_up() -> None:
    for path in (CLIENT / "src").rglob("*.ts"):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            code = line.split("//")[0]
            assert ": any" not in code and "<any" not in code and "as any" not in code, f"{path.name}:{number}: any"
            assert "as unknown as" not in code and "@ts-" not in line, f"{path.name}:{number}"


def test_sizes() -> None:
    for path in [*(CLIENT / "src").rglob("*.ts"), *(CLIENT / "test").glob("*.ts*")]:
        lines = len(path.read_text().splitlines())
        assert lines <= 400 or path.name == "messages.ts", f"{path.name} has {lines} lines (bar 400): divide its state"
