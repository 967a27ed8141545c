"""A real server with a few turns behind it, for looking at; and axe, which knows what keeps people out of a page."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.async_api import Page

from tests.live.server import LiveServer, free_port, session, spoken
from tests.node_tools import WEB, install

VIEWS = ("talk", "speak", "transcribe", "turns", "sessions", "providers", "system", "settings")
QUESTIONS = ("what time is it", "what is twelve times twelve", "what is seven plus eight")


@contextmanager
def server_with_turns(folder: Path, *arguments: str) -> Iterator[str]:
    """Its address. Both voices of its turns are recorded."""
    port = free_port()
    command = [sys.executable, "-m", "vivavoce", "serve", "--port", str(port), "--set", "turns.audio=true", *arguments]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _until_ready(url)
            asyncio.run(_talk(port, folder))
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _until_ready(url: str) -> None:
    for _ in range(600):
        try:
            with urlopen(url + "/health", timeout=10) as answer:
                if json.load(answer)["ready"]:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


async def _talk(port: int, folder: Path) -> None:
    nobody: Any = None
    server = LiveServer(port, nobody)
    for text in QUESTIONS:
        async with session(server, acknowledge=False) as client:
            await client.hear(bytes(6_400) + await asyncio.to_thread(spoken, folder, text))
            await client.until("response_complete")


def axe_source() -> str:
    """The script, from the page's own development packages."""
    install()
    return (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text()


async def barriers(page: Page, source: str) -> list[str]:
    """What axe finds, a line each."""
    await page.evaluate(source)
    found: dict[str, Any] = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
