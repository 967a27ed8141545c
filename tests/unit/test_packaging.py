"""The lock and the scripts: what a newcomer's first minute depends on."""

from __future__ import annotations

import re
import subprocess
import tomllib
import wave
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
BASE = "requirements.lock"
ENGINES = "requirements-engines.lock"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins_of(lock: str) -> list[Requirement]:
    lines = (ROOT / lock).read_text().splitlines()
    return [Requirement(line.rstrip(" \\")) for line in lines if "==" in line and not line.startswith(" ")]


PINS = {lock: pins_of(lock) for lock in (BASE, ENGINES)}


def wanted() -> list[tuple[str, Requirement]]:
    """What each lock must hold."""
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    base = [*PROJECT["project"]["dependencies"], *extras["builtin"], *extras["codecs"], *groups["dev"]]
    more = [text for many in (*extras.values(), *groups.values()) for text in many]
    return [(BASE, Requirement(text)) for text in base] + [(ENGINES, Requirement(text)) for text in (*base, *more)]


@pytest.mark.parametrize(("lock", "requirement"), wanted(), ids=lambda value: getattr(value, "name", value))
def test_every_requirement_is_locked_to_a_version_that_satisfies_it(lock: str, requirement: Requirement) -> None:
    pins = [pin for pin in PINS[lock] if canonicalize_name(pin.name) == canonicalize_name(requirement.name)]
    assert pins, f"{requirement.name} is not in {lock}: make lock"
    for pin in pins:
        version = next(iter(pin.specifier)).version
        assert requirement.specifier.contains(version), f"{pin} does not satisfy {requirement}: make lock"


def test_both_locks_hold_the_same_versions() -> None:
    base, engines = ({f"{pin.name}{pin.specifier}" for pin in PINS[lock]} for lock in (BASE, ENGINES))
    assert base <= engines


@pytest.mark.parametrize("lock", PINS)
def test_every_pin_has_hashes(lock: str) -> None:
    blocks = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    assert len(blocks) == len(PINS[lock])
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("lock", PINS)
def test_the_lock_names_no_address_path_or_option(lock: str) -> None:
    assert not re.search(r"://|file:|@|^-|^#", (ROOT / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize("script", ["setup.sh", "scripts/lock.sh", "scripts/system-packages.sh", "scripts/make-examples.sh"])
def test_scripts_parse_and_may_be_run(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111, f"{script} is not executable"
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


@pytest.mark.parametrize("name", ["what-time-is-it.wav", "twelve-times-twelve.wav"])
def test_examples_are_small_and_in_the_format_of_hearing(name: str) -> None:
    path = ROOT / "examples" / name
    assert path.stat().st_size <= 120_000
    with wave.open(str(path)) as recording:
        assert (recording.getframerate(), recording.getnchannels(), recording.getsampwidth()) == (16_000, 1, 2)
        lead = recording.readframes(4_800)
    assert lead == bytes(9_600)


def test_make_alone_prints_help() -> None:
    printed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("run", "demo", "test", "check", "bench", "setup", "system", "format"):
        assert f"make {target} " in printed
