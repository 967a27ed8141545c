"""The client library's examples in a real browser: microphone, loudspeaker and hook, as an application gets them."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from tests.browser.fake_server import KINDS, FakeServer
from tests.browser.pages import recording, true_on, visit
from tests.test_js_client import CLIENT, package, tools
from vivavoce.transports.http.page import POLICY

__all__ = ["package", "tools"]

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.real_time]


@pytest.fixture(scope="module")
def pages(package: tuple[Path, dict[str, int]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built examples."""
    out = tmp_path_factory.mktemp("examples")
    command = ["node", "examples/build.mjs", str(out), str(package[0])]
    result = subprocess.run(command, cwd=CLIENT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return out


def _files(folder: Path) -> Callable[[ServerConnection, Request], Response | None]:
    def answer(_connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.split("?")[0]
        if path.endswith("/ws/audio"):
            return None
        file = folder / path.removeprefix("/")
        file = file / "index.html" if file.is_dir() else file
        if ".." in path or not file.is_file():
            return Response(HTTPStatus.NOT_FOUND, "Not Found", Headers({"Content-Length": "0"}), b"")
        body = file.read_bytes()
        kind = f"{KINDS[file.suffix]}; charset=utf-8"
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Content-Security-Policy": POLICY}
        return Response(HTTPStatus.OK, "OK", Headers({**headers, "Connection": "close"}), body)

    return answer


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[FakeServer]:
    """The examples, and a server for them to talk to, under the page's own strict policy."""
    server = FakeServer()
    async with serve(server.visit, "127.0.0.1", 0, process_request=_files(folder), compression=None) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        yield server


async def _reply(server: FakeServer, seconds: float) -> None:
    """A reply of a tone, faster than real time, that ends by itself."""
    samples = round(seconds * 24_000)
    tone = np.round(8_000 * np.sin(2 * np.pi * 440 * np.arange(samples) / 24_000)).astype("<i2")
    await server.tell("transcription", text="what time is it", final=True, stable=15)
    await server.tell("reply_started")
    await server.tell("text", content="It is ")
    for offset in range(0, samples, 480):
        await server.play(tone[offset : offset + 480].tobytes(), offset)
    await server.tell("text", content="noon.")


async def _a_turn(name: str, pages: Path, folder: Path, shows: str) -> None:
    microphone = recording(folder, "what time is it")
    async with served(pages) as server, visit(f"{server.url}{name}/", microphone=microphone) as seen:
        page = seen.page
        await true_on(page, "document.querySelector('#state').textContent === 'CONNECTED'")
        hello = server.messages("hello")[-1]
        assert hello["audio"] == {"input_rate": 16_000, "output_rate": 24_000}
        assert hello["acknowledge"] is True
        await page.click("#talk")
        await true_on(page, "document.querySelector('#state').textContent === 'LISTENING'")
        await server.until(lambda: len(server.heard) >= 50)
        sound = np.frombuffer(b"".join(server.heard), "<i2")
        assert {len(frame) for frame in server.heard} == {512}, "16 ms at 16 kHz"
        assert np.abs(sound).max() > 1_000, "the recording is heard"
        await true_on(page, "document.querySelector('#level').value > 0")
        await _reply(server, 1.0)
        await true_on(page, "document.querySelector('#state').textContent === 'PROCESSING'")
        await server.until(lambda: 24_000 in server.played())
        assert server.played() == sorted(server.played())
        assert len(server.played()) >= 8, "about ten acknowledgements a second"
        await server.tell("response_complete", text="It is noon.", interrupted=False, waterfall={})
        await true_on(page, "document.querySelector('#state').textContent === 'LISTENING'")
        await true_on(page, f"{shows}.includes('what time is it') && {shows}.includes('It is noon.')")
        await page.click("#talk")
        await true_on(page, "document.querySelector('#state').textContent === 'CONNECTED'")
        await page.fill("[name=text]", "typed")
        await page.press("[name=text]", "Enter")
        await server.until(lambda: server.messages("text"))
        assert server.messages("text")[0]["text"] == "typed"
        assert not seen.complaints


async def test_the_plain_page(pages: Path, tmp_path: Path) -> None:
    await _a_turn("html", pages, tmp_path, "document.querySelector('main').textContent")


async def test_the_react_page(pages: Path, tmp_path: Path) -> None:
    await _a_turn("react", pages, tmp_path, "document.querySelector('#turns').textContent")


async def _stands_still(server: FakeServer) -> int:
    """The sample at which a pause stopped playback."""
    before = len(server.played())
    await server.tell("paused")
    await server.until(lambda: len(server.played()) > before)
    return server.played()[-1]


async def test_a_reply_stands_still_goes_on_and_is_cut_at_exact_samples(pages: Path, tmp_path: Path) -> None:
    async with served(pages) as server, visit(f"{server.url}html/") as seen:
        await true_on(seen.page, "document.querySelector('#state').textContent === 'CONNECTED'")
        await seen.page.click("[name=text]")
        await _reply(server, 3.0)
        await server.until(lambda: server.played() and server.played()[-1] >= 12_000)
        at = await _stands_still(server)
        assert 12_000 <= at < 72_000
        assert at % 128 == 0, "between two render quanta"
        await server.tell("paused")
        await server.until(lambda: server.played().count(at) >= 2)
        assert server.played()[-1] == at, "it stands still"
        await server.tell("resumed", at=at, reason="noise")
        await server.until(lambda: server.played()[-1] > at + 4_800)
        await server.tell("interrupted", at=at, heard="It is", reason="speech")
        await true_on(seen.page, "document.querySelector('#reply').textContent === 'It is …'")
        end = server.played()[-1]
        await server.play(b"\1\0" * 480, 0, generation=2)
        await server.until(lambda: server.played(2))
        assert server.played()[-1] <= end + 4_800, "what was buffered of the cut reply is not played"


async def test_a_refused_microphone_is_explained(pages: Path) -> None:
    async with served(pages) as server, visit(f"{server.url}html/", allowed=False) as seen:
        await true_on(seen.page, "document.querySelector('#state').textContent === 'CONNECTED'")
        await seen.page.click("#talk")
        await true_on(seen.page, "document.querySelector('#problem').textContent.includes('microphone')")
        assert await seen.page.get_attribute("#talk", "aria-pressed") == "false"
