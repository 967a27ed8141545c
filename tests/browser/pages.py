"""Opens a page in headless Chromium, with a recording as its microphone, and notes what it complains of."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.conftest import require

CHROMIUM = shutil.which("chromium")


@dataclass
class Visit:
    """A page and what went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    """Console warnings and errors, and exceptions nobody caught."""
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def visit(
    url: str,
    *,
    microphone: Path | None = None,
    once: bool = False,
    allowed: bool = True,
    script: str = "",
    browser: Path | None = None,
    more_flags: Sequence[str] = (),
    **context: Any,
) -> AsyncIterator[Visit]:
    """Open ``url``.

    The microphone plays over and over, or ``once``. ``script`` runs before the page's own. ``browser`` is a
    program that starts Chromium; ``context`` goes to the browser context.
    """
    require(CHROMIUM, "Chromium is not installed (Debian: apt-get install chromium)")
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream"]
    if allowed:
        flags.append("--use-fake-ui-for-media-stream")
    flags += more_flags
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}{'%noloop' if once else ''}")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=browser or CHROMIUM, headless=True, args=flags)
        page = await (await running.new_context(**context)).new_page()
        seen = Visit(page)
        page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("warning", "error") else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        yield seen
        await running.close()


async def true_on(page: Page, expression: str) -> None:
    """Wait until ``expression`` is true (the page's policy forbids Playwright's own way, which is ``eval``)."""
    for _ in range(1_000):
        if await page.evaluate(expression):
            return
        await asyncio.sleep(0.03)
    raise AssertionError(f"never true on the page: {expression}")


def recording(folder: Path, text: str) -> Path:
    """``text`` spoken by flite, with a second of silence behind it, as Chromium takes it for a microphone."""
    require(shutil.which("flite"), "flite is not installed (Debian: apt-get install flite)")
    require(shutil.which("sox"), "sox is not installed (Debian: apt-get install sox)")
    spoken, padded = folder / "spoken.wav", folder / "microphone.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(spoken)], check=True)
    subprocess.run(["sox", str(spoken), "-r", "48000", "-c", "1", "-b", "16", str(padded), "pad", "0", "1"], check=True)
    return padded
