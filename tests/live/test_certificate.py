"""A real server whose certificate is renewed while it is talked to."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.live.server import live_server
from tests.unit.transports.certificates import Certificate, certificate

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

SCRIPTED = [word for kind in ("stt", "llm", "tts", "vad", "turn") for word in ("--set", f"engines.{kind}=scripted")]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - a process tells of nothing by itself
            await asyncio.sleep(0.05)


async def shown(port: int, made: Certificate) -> bool:
    """Whether who comes now is shown this certificate."""
    try:
        async with websockets.connect(f"wss://127.0.0.1:{port}/ws/audio", ssl=made.trusting(), compression=None):
            return True
    except ssl.SSLCertVerificationError:
        return False


async def answered(client: Any, number: int) -> None:
    await client.send(json.dumps({"type": "ping", "id": number}))
    async with asyncio.timeout(60):
        while json.loads(await client.recv()).get("id") != number:
            pass


async def test_renewed_without_a_restart(tmp_path: Path) -> None:
    first, second = certificate(tmp_path, "first"), certificate(tmp_path, "second", algorithm="rsa", days=90)
    files = certificate(tmp_path, "files")
    files.renew(first)
    log = tmp_path / "log"
    with log.open("wb") as opened:
        async with live_server(*SCRIPTED, *files.arguments(), trust=first.trusting(), log=opened) as server:

            async def logged(text: str, times: int = 1) -> None:
                async def there() -> bool:
                    return (await asyncio.to_thread(log.read_text)).count(text) >= times

                await until(there)

            await logged("the certificate ends on")
            ends = (await server.get("/api/status"))["certificate_ends"]
            async with websockets.connect(
                f"wss://127.0.0.1:{server.port}/ws/audio", ssl=first.trusting(), compression=None
            ) as client:
                await client.send('{"type":"hello"}')
                await answered(client, 1)
                files.certificate.write_bytes(second.certificate.read_bytes())
                await logged("does not belong to the certificate")
                assert await shown(server.port, first) and not await shown(server.port, second)
                server.process.send_signal(signal.SIGHUP)
                await logged("does not belong to the certificate", 2)
                assert await shown(server.port, first)
                files.renew(second)
                await until(lambda: shown(server.port, second))
                assert not await shown(server.port, first)
                await logged("certificate: read anew")
                server.process.send_signal(signal.SIGHUP)
                await logged("certificate: read anew", 2)
                await answered(client, 2)
                assert "PRIVATE KEY" not in await asyncio.to_thread(log.read_text)
            server.trust = second.trusting()
            assert (await server.get("/api/status"))["certificate_ends"] > ends + 80 * 86_400
