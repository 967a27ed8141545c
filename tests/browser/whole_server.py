"""A real server process that a test stops, kills and starts again on its port, wherever its network is."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from tests.browser.reciter import environment
from tests.conftest import ROOT
from tests.live.server import STARTS_WITHIN, free_port

FETCH = "import sys, urllib.request as r; sys.stdout.buffer.write(r.urlopen(sys.argv[1], timeout=10).read())"


class WholeServer:
    """``folder`` is for what it keeps. ``within`` is put before every command: it may lead into another network."""

    def __init__(self, folder: Path, arguments: Sequence[str], within: Sequence[str] = ()) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys = folder / "keys.json"
        serve = [sys.executable, "-m", "vivavoce", "serve", "--port", str(self.port)]
        self._command = [*within, *serve, "--set", f"server.keys_file={self.keys}", *arguments]
        self._environment = environment(folder)
        self._within = within
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Returns when it is ready."""
        self._process = await asyncio.to_thread(subprocess.Popen, self._command, env=self._environment, cwd=ROOT)
        for _ in range(round(STARTS_WITHIN / 0.1)):
            assert self._process.poll() is None, "the server did not start"
            health = await self._get("/health")
            if health and health["ready"]:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"the server was not ready within {STARTS_WITHIN:.0f} s")

    async def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Returns when it is gone. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(by)
            await asyncio.to_thread(process.wait, 30)

    async def get(self, path: str) -> Any:
        """What it answers."""
        found = await self._get(path)
        assert found is not None, f"no answer from {path}"
        return found

    async def reply_audio(self, said: str) -> np.ndarray[Any, np.dtype[np.int16]]:
        """What was synthesised for the newest turn in which that was said; the server has to record turns."""
        [turn, *_] = [turn for turn in (await self.get("/api/turns"))["turns"] if turn["said"] == said]
        recorded = await self._fetch(f"/api/turns/{turn['id']}/audio?voice=reply")
        with wave.open(BytesIO(recorded)) as reply:
            return np.frombuffer(reply.readframes(reply.getnframes()), dtype="<i2")

    async def _get(self, path: str) -> Any:
        found = await self._fetch(path)
        return json.loads(found) if found else None

    async def _fetch(self, path: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(*self._within, sys.executable, "-S", "-c", FETCH, self.url + path),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        out, _ = await process.communicate()
        return out if process.returncode == 0 else b""


@asynccontextmanager
async def whole_server(folder: Path, *arguments: str, within: Sequence[str] = ()) -> AsyncIterator[WholeServer]:
    """A server that is ready."""
    server = WholeServer(folder, arguments, within)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
