"""A real browser with a recording as its microphone talks with the real server: two turns, by ear and by mouth."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import pytest

from tests.browser.pages import true_on, visit
from tests.live.server import live_server, spoken
from vivavoce.audio.codecs import wav
from vivavoce.audio.resample import resample
from vivavoce.contracts.audio import AudioFormat

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

REPLIES = 'Array.from(document.querySelectorAll(".reply"), (reply) => reply.textContent)'


def microphone(folder: Path) -> Path:
    """Two questions with time for an answer behind each; Chromium plays it over and over."""
    rate = 16_000
    first, second = spoken(folder, "what is twelve times twelve"), spoken(folder, "what is seven plus eight")
    pause = bytes(2 * rate * 5)
    path = folder / "microphone.wav"
    path.write_bytes(
        wav.write(resample(bytes(rate) + first + pause + second + 2 * pause, rate, 48_000), AudioFormat(48_000))
    )
    with wave.open(str(path)) as check:
        assert check.getframerate() == 48_000
    return path


async def test_two_turns_are_spoken_and_heard(tmp_path: Path) -> None:
    recording = await asyncio.to_thread(microphone, tmp_path)
    async with live_server() as server, visit(server.url + "/", microphone=recording, color_scheme="dark") as seen:
        page = seen.page
        await page.wait_for_selector(".talk:enabled")
        await page.click(".talk")
        await true_on(page, f'{REPLIES}.some((text) => text.includes("144"))')
        await true_on(page, f'{REPLIES}.some((text) => text.includes("15"))')
        await true_on(page, 'document.querySelectorAll("vv-latency .bar i").length >= 8')
        said = await page.eval_on_selector_all(".said:not(.interim)", "all => all.map((one) => one.textContent)")
        assert "twelve" in said[0] and "seven" in said[1]
        assert seen.complaints == []
        assert all(url.startswith(server.url) for url in seen.requests), "nothing is asked of anybody else"
        [session] = (await server.get("/api/status"))["sessions"]
        assert session["audio"]["frames"] > 300 and session["audio"]["peak"] > -40
        metrics = await server.get("/api/metrics")
        assert metrics["latencies"]["turn.first_played"]["count"] >= 2, "the page acknowledged what it played"
        folder = Path("out")
        await asyncio.to_thread(folder.mkdir, exist_ok=True)
        await page.screenshot(path=folder / "conversation.png")
