"""The client library calls the real server over WebRTC from a real browser: one spoken and one typed turn."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.browser.pages import true_on, visit
from tests.browser.test_conversation import microphone
from tests.browser.test_webrtc import FLAGS, backend
from tests.live.server import live_server
from tests.test_js_client import CLIENT, package, tools

__all__ = ["package", "tools"]

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

CALL = """
const { RealtimeVoiceClient, WebRtcTransport } = vivavoce;
window.seen = { said: [], done: [], states: [], errors: [], levels: { microphone: 0, reply: 0 } };
const url = new URL("/webrtc/offer", location.href);
window.client = new RealtimeVoiceClient({ transport: new WebRtcTransport({ url }), language: "en" });
client.on("response_complete", ({ text }) => seen.done.push(text));
client.on("speech_started", ({ turn }) => seen.said.push(turn));
client.on("statechange", ({ to }) => seen.states.push(to));
client.on("error", ({ code, message }) => seen.errors.push(`${code}: ${message}`));
client.on("level", (levels) => {
    for (const [name, level] of Object.entries(levels)) seen.levels[name] = Math.max(seen.levels[name], level);
});
"""


@pytest.fixture(scope="module")
def script(package: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library as one script, for a page that is not ours."""
    file = tmp_path_factory.mktemp("script") / "client.js"
    esbuild = [
        "npx",
        "--no-install",
        "esbuild",
        str(package[0] / "index.js"),
        "--bundle",
        "--format=iife",
        "--log-level=error",
    ]
    result = subprocess.run(
        [*esbuild, "--global-name=vivavoce", f"--outfile={file}"], cwd=CLIENT, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return file.read_text().replace("var vivavoce =", "window.vivavoce =", 1)


async def test_a_call_is_a_conversation_like_any_other(script: str, tmp_path: Path) -> None:
    recording = await asyncio.to_thread(microphone, tmp_path)
    async with (
        live_server(*backend("aiortc")) as server,
        visit(server.url + "/health/live", microphone=recording, more_flags=FLAGS) as seen,
    ):
        page = seen.page
        await page.evaluate(script + CALL + "null")  # a function would be called
        ready = await page.evaluate("client.connect()")
        assert ready["settings"]["language"] == "en"
        await page.evaluate("client.sendText('what is twelve times twelve')")
        await true_on(page, "seen.done.some((text) => text.includes('144'))")
        await true_on(page, "seen.levels.reply > 0.01")
        await page.evaluate("client.startListening()")
        assert await page.evaluate("client.state") in ("LISTENING", "PROCESSING")
        # What was understood is the recogniser's affair: that something was said, and answered, is the call's.
        await true_on(page, "seen.said.length > 0 && seen.done.length > 1")
        assert await page.evaluate("seen.levels.microphone") > 0.01
        await page.evaluate("client.disconnect()")
        assert await page.evaluate("client.state") == "DISCONNECTED"
        states = await page.evaluate("seen.states")
        assert states[:3] == ["CONNECTING", "CONNECTED", "PROCESSING"]
        assert await page.evaluate("seen.errors") == []
        for _ in range(100):
            if (await server.get("/api/status"))["sessions"] == []:
                break
            await asyncio.sleep(0.1)
        assert (await server.get("/api/status"))["sessions"] == [], "the call is over at once"
