"""The page of a server that wants a key: it asks for one, says what is wrong with it, and keeps it for its tab."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.browser.fake_server import BUILT
from tests.browser.pages import visit
from tests.unit.transports.entrances import entrance
from tests.unit.transports.test_access import Known
from tests.wire.stage import ScriptedSessions
from vivavoce.contracts.access import Principal
from vivavoce.flow.clock import SystemClock
from vivavoce.observe.metrics import Metrics
from vivavoce.transports.http import handler as http
from vivavoce.transports.http.page import Page
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.server import Server, listen
from vivavoce.transports.ws.handler import WebSocketDoor, install

pytestmark = [pytest.mark.browser, pytest.mark.real_time]

KEYS = {
    "right": Principal("key:right", frozenset({"converse"})),
    "weak": Principal("key:weak", frozenset({"speak"})),
}


@pytest.fixture
def page() -> Page:
    return Page(BUILT)


@asynccontextmanager
async def locked_server(page: Page) -> AsyncIterator[tuple[str, ScriptedSessions]]:
    options, guarding, sessions = ServerOptions(port=0), entrance(KEYS), ScriptedSessions()
    door = WebSocketDoor(sessions, options, SystemClock(), guarding)
    app = http.application()
    http.install(app, http.Behind(sessions, Known(), Metrics(), options, page, guarding))  # type: ignore[arg-type]
    install(app, door)
    listener = listen(options)
    server = Server(app, options, lambda: door.drain(0.1), log_level="error", loop="none", lifespan="off")
    task = asyncio.get_running_loop().create_task(server._serve([listener]))
    try:
        while not server.started:  # noqa: ASYNC110 - uvicorn does not tell
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", sessions
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 30)
        listener.close()


async def test_a_key_is_asked_for_and_kept_for_the_tab(page: Page) -> None:
    async with locked_server(page) as (url, sessions), visit(url) as seen:
        asked = seen.page.locator("vv-key")
        await asked.filter(has_text="wants a key").wait_for()
        for wrong, words in (("wrong", "does not know this key"), ("weak", "needs the scope")):
            await seen.page.fill("#key", wrong)
            await seen.page.keyboard.press("Enter")
            await asked.filter(has_text=words).wait_for()
            assert await seen.page.input_value("#key") == ""
        assert sessions.conversations == []
        await seen.page.fill("#key", " right ")
        await seen.page.keyboard.press("Enter")
        await seen.page.wait_for_selector(".talk:enabled")
        assert await asked.is_hidden()
        assert len(sessions.conversations) == 1
        await seen.page.reload()
        await seen.page.wait_for_selector(".talk:enabled")
        assert await asked.is_hidden()
        assert len(sessions.conversations) == 2
        assert not any("right" in request for request in seen.requests), "a key is never part of an address"
