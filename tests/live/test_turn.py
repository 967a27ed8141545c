"""A call that can only go by a TURN server: coturn between a caller and the real server, on loopback."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import require
from tests.live.calling import call, caller
from tests.live.server import free_port, live_server
from tests.live.test_webrtc import settings

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

USER, PASSWORD = "caller", "a-test-only"


@asynccontextmanager
async def turn_server(folder: Path) -> AsyncIterator[int]:
    """coturn on a free port; relayed ports are whatever it takes between 47000 and 47999."""
    require(shutil.which("turnserver"), "coturn is not installed (Debian: apt-get install coturn)")
    port = free_port()
    log = folder / "turn.log"
    process = await asyncio.create_subprocess_exec(
        *("turnserver", "-n", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", str(port)),
        *("--min-port", "47000", "--max-port", "47999", "--lt-cred-mech", "--user", f"{USER}:{PASSWORD}"),
        *("--realm", "test", "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers", "--fingerprint"),
        *(
            "--log-file",
            str(log),
            "--simple-log",
            "--pidfile",
            str(folder / "turn.pid"),
            "--userdb",
            str(folder / "turn.db"),
        ),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            assert process.returncode is None, "coturn did not start"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                await writer.wait_closed()
                break
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("backend", ["aiortc", "wrtc"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_caller_behind_a_relay_is_heard_and_answered(backend: str, transport: str, tmp_path: Path) -> None:
    async with turn_server(tmp_path) as port:
        url = f"turn:127.0.0.1:{port}?transport={transport}"
        config = tmp_path / "turn.yaml"
        config.write_text(
            f'webrtc:\n  ice_servers:\n    - urls: ["{url}"]\n      username: {USER}\n      credential: {PASSWORD}\n'
        )
        async with live_server(*settings(backend), "--config", str(config)) as server:
            async with httpx.AsyncClient(base_url=server.url) as http:
                told = (await http.get("/webrtc/config")).json()["ice_servers"]
            assert told == [{"urls": [url], "username": USER, "credential": PASSWORD}]
            relay: dict[str, Any] = told[0]
            async with caller(server, relay=relay) as one:
                await call(one)
                assert "typ host" not in one.peer.localDescription.sdp, "the caller can only be reached by the relay"
                await one.until("ready")
                await one.say({"type": "text", "text": "what is twelve times twelve"})
                assert "144" in (await one.until("response_complete"))["text"]
                await one.loud()
                assert "typ relay" in one.answer, "the server has an address at the relay, too"
