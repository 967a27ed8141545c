"""OpenAI's Agents library in a browser, over its own WebRTC transport: its page is somebody else's, the calls are ours.

The page is served by another origin, as an application's is, and knows only an ephemeral key. The library opens the
microphone (a recording that goes round) and plays the answer; what the ear gets is measured behind the browser's decoder.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.async_api import Error, Page

from tests.browser.pages import true_on, visit
from tests.browser.test_webrtc import FLAGS, PACKAGES
from tests.clients.conftest import ENVIRONMENTS, HERE, Served, serve_guarded
from tests.clients.mind import LONG
from tests.conftest import ROOT, require
from tests.live.calling import SETTINGS

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.browser, pytest.mark.real_time]

TOLD = "The tool says it rains in Oslo."
IS_TOLD = f"(item) => item.status === 'completed' && item.content?.[0]?.transcript === '{TOLD}'"
BLOCKS = 48_000 / 128
"""Levels a second."""
LOUD = 0.01
"""Of full scale, in one block: -40 dB. Opus leaves silence 40 dB below that."""
CONFIG = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
DONE = "agents.frames.filter(({ type }) => type === 'response.done')"
STORY = 'agents.session.sendMessage("Tell me a story.")'


@dataclass(frozen=True, slots=True)
class Site:
    """An application: its page, the server of ours it calls, and its keys there."""

    page: str
    server: Served
    key: str
    watching: str
    microphone: Path

    def ask(self, path: str, body: Any = None, key: str = "") -> Any:
        """What an application's own server asks; POST where there is a body."""
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.server.url + path, data, headers), timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def ephemeral(self) -> str:
        """A key for a page."""
        return str(self.ask("/v1/realtime/client_secrets", {"session": {"type": "realtime"}})["value"])

    def calls(self) -> int:
        return int(self.ask("/api/metrics", key=self.watching)["gauges"]["webrtc.calls"])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def page_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page, made by esbuild of the published package as an application would."""
    node, packages = ENVIRONMENTS / "node" / "bin" / "node", HERE / "node" / "node_modules"
    there = node.exists() and (packages / ".stamp").exists()
    require(there, "node is not installed (scripts/client-environments.sh node)")
    folder = tmp_path_factory.mktemp("application")
    esbuild = [str(node), str(packages / "esbuild" / "bin" / "esbuild"), str(HERE / "drivers" / "agents_browser.mjs")]
    flags = ["--bundle", "--format=esm", "--platform=browser", "--log-level=warning", f"--outfile={folder / 'page.js'}"]
    built = subprocess.run(
        [*esbuild, *flags], capture_output=True, text=True, check=False, env={"NODE_PATH": str(packages)}, timeout=120
    )
    assert built.returncode == 0, built.stderr
    (folder / "index.html").write_text('<!doctype html><meta charset="utf-8"><script type="module" src="page.js"></script>')
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module", params=["aiortc", "wrtc"])
def site(
    request: pytest.FixtureRequest, page_url: str, mind: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    require(find_spec(PACKAGES[request.param]), f"{request.param} is not installed (make setup)")
    folder = tmp_path_factory.mktemp("site")
    microphone = folder / "microphone.wav"
    question = ["sox", str(ROOT / "examples" / "twelve-times-twelve.wav"), "-r", "48000", "-c", "1", "-b", "16"]
    subprocess.run([*question, str(microphone), "pad", "4", "16"], check=True)
    origin = f'server.allowed_origins=["{page_url}"]'
    backend = f"webrtc.backend={request.param}"
    for guarded in serve_guarded(folder, *mind, *SETTINGS, "--set", origin, "--set", backend):
        yield Site(page_url, guarded.served, guarded.key("application"), guarded.key("watching", "admin"), microphone)


@asynccontextmanager
async def application(site: Site) -> AsyncIterator[Page]:
    """The page, not yet in a call; what it leaves open is closed."""
    async with visit(site.page, microphone=site.microphone, more_flags=FLAGS) as seen:
        await true_on(seen.page, "globalThis.agents !== undefined")
        yield seen.page
        await seen.page.evaluate("agents.session?.close()")
    assert site.server.settles(site.calls, 0) == 0, "whoever hangs up is gone at once"


async def call(page: Page, site: Site, key: str) -> dict[str, Any]:
    wish = {"url": f"{site.server.url}/v1/realtime/calls", "key": key, "config": CONFIG}
    opened: dict[str, Any] = await page.evaluate("(wish) => agents.connect(wish)", wish)
    return opened


async def until(page: Page, expression: str) -> None:
    """Wait for something that is told or heard; the recording comes round every 20 seconds, and is heard again."""
    for _ in range(6):
        try:
            await true_on(page, expression)
        except AssertionError:
            continue
        return
    told = await page.evaluate("agents.frames.map(({ type }) => type).join(' ')")
    raise AssertionError(f"never true on the page: {expression}; it was told {told}")


def loud(since: str = "0", seconds: float = 1.0) -> str:
    """So many seconds of sound, and of the loudness of speech, behind a level that came."""
    return f"agents.levels.slice({since}).filter((level) => level > {LOUD}).length > {seconds * BLOCKS}"


def told(kind: str) -> str:
    return f"agents.frames.filter(({{ type }}) => type === '{kind}').length"


def ended(count: int) -> str:
    return f"{told('response.done')} >= {count}"


def status(number: int) -> str:
    return f"{DONE}[{number}].response.status"


async def said(page: Page) -> list[dict[str, Any]]:
    """The library's own history, without what was never read."""
    return list(await page.evaluate("JSON.parse(JSON.stringify(agents.session.history))"))


def text_of(item: dict[str, Any]) -> str:
    [part] = item["content"]
    return str(part.get("transcript", part.get("text")) or "")


async def test_a_spoken_question_calls_the_tool_and_is_answered_in_the_media_track(site: Site) -> None:
    async with application(site) as page:
        assert await page.evaluate("agents.nonsense") == 2, "the judge judges"
        opened = await call(page, site, site.ephemeral())
        assert opened["call"].startswith("rtc_"), "a page of another origin may read where its call is"
        assert site.calls() == 1
        assert await page.evaluate("Math.max(0, ...agents.levels)") < LOUD, "nothing is said before it is asked"
        # Whoever is connected in the middle of the recording hears half a question first: it comes round.
        await until(page, f"agents.session.history.some({IS_TOLD})")
        await page.evaluate("agents.session.mute(true)")
        history = (await said(page))[: 1 + await page.evaluate(f"agents.session.history.findIndex({IS_TOLD})")]
        kinds = await page.evaluate("agents.kinds")
        await until(page, loud())
        assert await page.evaluate("agents.cities[0]") == "Oslo"
        assert kinds.index("agent_tool_start") < kinds.index("agent_tool_end")
        question, tool, answer = history[-3:]
        assert (question["role"], answer["role"], text_of(answer)) == ("user", "assistant", TOLD)
        assert "twelve" in text_of(question)
        assert (tool["name"], tool["status"], tool["output"]) == ("weather", "completed", "it rains in Oslo")
        frames = await page.evaluate("agents.frames.map(({ type }) => type)")
        assert frames.index("output_audio_buffer.started") < frames.index("output_audio_buffer.stopped")
        assert "response.output_audio.delta" not in frames, "sound goes its own way"
        assert await page.evaluate("agents.wrong") == []
        await page.evaluate("agents.session.close()")
        assert site.server.settles(site.calls, 0) == 0
        assert site.ask("/api/sessions", key=site.watching)["sessions"] == []


async def test_the_program_and_the_voice_interrupt(site: Site) -> None:
    async with application(site) as page:
        await call(page, site, site.ephemeral())
        await page.evaluate("agents.session.mute(true)")
        await page.evaluate(STORY)
        await until(page, loud())
        await page.evaluate("agents.session.interrupt()")
        await until(page, ended(1))
        assert await page.evaluate(status(0)) == "cancelled"
        # A minute of story was to come: half a second of nothing is its end.
        quiet = f"agents.levels.slice(-{round(BLOCKS / 2)}).every((level) => level < {LOUD})"
        await until(page, quiet)
        assert await page.evaluate(told("output_audio_buffer.cleared")) == 1
        assert await page.evaluate("agents.wrong") == [], "what it was told it knows"

        await page.evaluate(f"agents.heard = agents.levels.length; {STORY}")
        await until(page, loud("agents.heard"))
        await page.evaluate("agents.session.mute(false)")
        await until(page, ended(2))
        assert await page.evaluate(status(1)) == "cancelled"
        assert await page.evaluate(f"{DONE}[1].response.status_details.reason") == "turn_detected"
        assert await page.evaluate("agents.wrong") == []
        left = "type === 'conversation.item.retrieved' && item.role === 'assistant'"
        await until(page, f"agents.frames.filter(({{ type, item }}) => {left}).length >= 2")  # the library asks for it
        stories = [text_of(item) for item in [item for item in await said(page) if item.get("role") == "assistant"][:2]]
        assert all(story and LONG.startswith(story) for story in stories)
        assert all(len(story) < len(LONG) / 2 for story in stories), "history is what was heard, not what was made"


async def test_a_call_is_hung_up_from_the_application_s_server(site: Site) -> None:
    async with application(site) as page:
        opened = await call(page, site, site.ephemeral())
        site.ask(f"/v1/realtime/calls/{opened['call']}/hangup", {})
        await until(page, "agents.changes.at(-1) === 'disconnected'")
        assert site.server.settles(site.calls, 0) == 0


async def test_a_page_with_a_wrong_key_is_told_why(site: Site) -> None:
    async with application(site) as page:
        with pytest.raises(Error, match=r"status 401.*key"):
            await call(page, site, "ek_wrong")
