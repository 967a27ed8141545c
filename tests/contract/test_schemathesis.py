"""A real server with its real engines, asked by schemathesis everything its own OpenAPI document allows, and more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conftest import ROOT, require
from tests.live.server import live_server

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

SCHEMATHESIS = ROOT / ".venv-contract" / "bin" / "schemathesis"
CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS = 120
"""For whole of the run; what is deterministic comes first."""
PATIENCE = 300.0


async def test_every_operation_does_what_the_document_says(tmp_path: Path) -> None:
    present = await asyncio.to_thread(SCHEMATHESIS.exists)
    require(present, "no .venv-contract (scripts/contract-environment.sh makes it)")
    settings = {
        "server.rates.requests_per_minute": "0",
        "offline": "true",
        "models_dir": str(tmp_path / "models"),
        "openai.sessions.idle": "2",
        "openai.sessions.patience": "0.1",
    }
    arguments = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    async with live_server(*arguments) as server:
        run = await asyncio.create_subprocess_exec(
            str(SCHEMATHESIS), "--config-file", str(CONFIG), "run", f"{server.url}/openapi.json",
            "--seed", "1", "--max-examples", "25", "--max-time", str(SECONDS), "--request-timeout", "20", "--no-color",
            "--continue-on-failure",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(run.communicate(), PATIENCE)
        finally:
            if run.returncode is None:
                run.kill()
                await run.wait()
        assert run.returncode == 0, said.decode(errors="replace")[-20_000:]
        assert (await server.get("/health"))["ready"]
        assert [worker["restarts"] for worker in (await server.workers()).values() if worker["restarts"]] == []
