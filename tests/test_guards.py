"""The guards of every test catch what they are there for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PLANTED = {
    "a leaked task": """
        async def test_it() -> None:
            asyncio.get_running_loop().create_task(asyncio.sleep(1000))
    """,
    "a blocked loop": """
        @pytest.mark.real_time
        async def test_it() -> None:
            from vivavoce.services.models import locate
            locate("silero-vad", Path("/nonexistent"))
    """,
    "the network": """
        def test_it() -> None:
            socket.create_connection(("192.0.2.1", 80), timeout=0.1)
    """,
    "a warning": """
        def test_it() -> None:
            warnings.warn("something is off", UserWarning)
    """,
    "a process left behind": """
        def test_it() -> None:
            subprocess.Popen(["sleep", "3"], start_new_session=True)
    """,
    "a thread left behind": """
        def test_it() -> None:
            threading.Thread(target=lambda: time.sleep(6)).start()
    """,
    "an error nobody caught": """
        async def test_it() -> None:
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0.01)
    """,
    "a coroutine that was never awaited": """
        async def test_it() -> None:
            asyncio.sleep(1)
    """,
}


@pytest.mark.parametrize("what", PLANTED)
def test_it_is_caught(what: str, tmp_path: Path) -> None:
    lines = PLANTED[what].splitlines()[1:]
    imports = "import asyncio, pytest, socket, subprocess, threading, time, warnings\nfrom pathlib import Path\n"
    planted = tmp_path / "test_planted.py"
    planted.write_text(imports + "\n".join(line[8:] for line in lines))
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), str(planted)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, f"{what} was not caught:\n{run.stdout}\n{run.stderr}"
