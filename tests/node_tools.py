"""Node's packages of the page: fetched once, from the lock file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import require

WEB = Path(__file__).parent.parent / "web"


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """In the folder of the page's sources."""
    return subprocess.run(command, cwd=WEB, capture_output=True, text=True, timeout=300)


def install() -> None:
    """What the lock file names, where it is not there or older than that."""
    require(shutil.which("node") and shutil.which("npm"), "node and npm are not installed (Debian: apt-get install npm)")
    lock, installed = WEB / "package-lock.json", WEB / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        result = run(["npm", "ci", "--no-audit", "--no-fund"])
        require(result.returncode == 0, f"npm could not fetch the page's tools: {result.stderr[-300:]}")
        installed.touch()
