"""A real server with keys: tokens that are used up, tokens whose time is over, keys that are revoked under an open page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx
import jwt
import pytest
import websockets
from playwright.async_api import Page, Route

from tests.browser import reciter
from tests.browser.pages import true_on, visit
from tests.browser.talking import BREAK, LOST, OPEN, RESUMPTIONS, answer, ask, times, wait_in_line, write
from tests.browser.whole_server import WholeServer
from tests.live.wire_cutter import WireCutter, wire_cutter
from vivavoce.services import keys
from vivavoce.transports.signed import LEEWAY

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.process, pytest.mark.real_time]

SECRET = "this is known to the server and the test"
ASKED = "vv-key:not([hidden])"
SHORT = 15
"""Seconds a short token is good for: to be given to a page that stands there and waits for it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeServer]:
    folder = tmp_path_factory.mktemp("server")
    locks = ("--set", f"server.jwt.secret={SECRET}", "--set", "server.rates.wrong_guesses=1000")
    found = WholeServer(folder, (*reciter.SCRIPTED, *locks))
    keys.create(found.keys, "root", ["admin"], 0.0)
    asyncio.run(found.start())
    yield found
    asyncio.run(found.stop())


@asynccontextmanager
async def guest(server: WholeServer, address: str = "") -> AsyncIterator[tuple[Page, WireCutter]]:
    """A page that asks for a key, and the line it came by."""
    async with (
        wire_cutter(server.port) as cutter,
        visit(f"http://127.0.0.1:{cutter.port}/{address}", script=RESUMPTIONS) as seen,
    ):
        await seen.page.wait_for_selector(ASKED, state="attached")
        yield seen.page, cutter


async def enter(page: Page, key: str) -> None:
    await page.fill("#key", key)
    await page.keyboard.press("Enter")
    await page.wait_for_selector(OPEN)


async def made(server: WholeServer, **wanted: str) -> list[str]:
    """Keys, each by its name and scope, once the server knows them."""
    found = [await asyncio.to_thread(keys.create, server.keys, name, [scope], 0.0) for name, scope in wanted.items()]
    await until_answered(server, found[-1][1], HTTPStatus.OK)
    return [key for _, key in found]


async def revoke(server: WholeServer, name: str, key: str) -> None:
    """Returns when the server knows."""
    await asyncio.to_thread(keys.revoke, server.keys, name)
    await until_answered(server, key, HTTPStatus.UNAUTHORIZED)


def signed(seconds: float) -> str:
    """A token of the same guest's that is good for so long from now."""
    return jwt.encode({"sub": "guest", "exp": time.time() - LEEWAY + seconds}, SECRET, "HS256")


async def until_answered(server: WholeServer, key: str, status: HTTPStatus) -> None:
    """Wait until a key counts, or counts no more."""
    async with httpx.AsyncClient() as client:
        for _ in range(600):
            answered = await client.post(f"{server.url}/api/token", headers={"Authorization": f"Bearer {key}"})
            if answered.status_code == status:
                return
            await asyncio.sleep(0.1)
    raise AssertionError(f"the key is still answered with {answered.status_code}")


async def test_a_token_that_is_used_up_is_replaced_by_itself(server: WholeServer) -> None:
    [key] = await made(server, guest="converse")
    spoiled = 0

    async def spoil(route: Route) -> None:
        nonlocal spoiled
        answered = await route.fetch()
        if spoiled < 2:
            spoiled += 1
            token = (await answered.json())["token"]
            async with websockets.connect(f"ws://127.0.0.1:{server.port}/ws/audio?token={token}"):
                pass
        await route.fulfill(response=answered)

    async with guest(server) as (page, cutter):
        await enter(page, key)
        await ask(page, reciter.RECITE)
        await page.route("**/api/token", spoil)
        cutter.cut()
        await page.wait_for_selector(LOST)
        await write(page, "the sea")
        await true_on(page, "window.resumed === 1")
        assert spoiled == 2
        assert await answer(page, "the sea") == reciter.about("the sea")
        assert await times(page, "the sea") == 1 and await page.locator(BREAK).count() == 0
        assert await page.locator(ASKED).count() == 0 and await page.is_hidden("vv-notice")


async def test_a_token_whose_time_is_over_is_asked_for_and_the_conversation_goes_on(server: WholeServer) -> None:
    async with guest(server) as (page, cutter):
        token = signed(SHORT)
        await enter(page, token)
        await ask(page, "the hills")
        await until_answered(server, token, HTTPStatus.UNAUTHORIZED)
        cutter.cut()
        await page.locator(ASKED).filter(has_text="its time is over").wait_for()
        assert await page.inner_text("vv-link") == "Refused"
        await write(page, "the sea")
        await wait_in_line(page, "the sea")
        await enter(page, signed(600))
        assert await answer(page, "the sea") == reciter.about("the sea")
        assert await page.evaluate("window.resumed") == 1 and await page.locator(BREAK).count() == 0
        recited = await ask(page, reciter.RECITE)
        assert recited == "user the hills; assistant About the hills:; user the sea; assistant About the sea:"


async def test_a_key_that_is_revoked_under_an_open_page(server: WholeServer) -> None:
    first, second, third = await made(server, first="admin", second="admin", third="admin")
    async with guest(server) as (page, cutter):
        await enter(page, first)
        await ask(page, "the hills")
        await page.fill("#say", "half a sent")
        await revoke(server, "first", first)
        # Another view finds out first.
        await page.evaluate("window.stays = true; location.hash = '#/settings'")
        await page.locator(".dialog").filter(has_text="does not take this key any more").wait_for()
        await page.fill("#api-key", second)
        await page.keyboard.press("Enter")
        await page.locator(".keys").filter(has_text="third").wait_for()
        await page.evaluate("location.hash = '#/talk'")
        assert await page.evaluate("window.stays") and await page.input_value("#say") == "half a sent"
        assert await times(page, "the hills") == 1 and await page.locator(BREAK).count() == 0
        # The line is lost: by the new key it is somebody else's conversation.
        cutter.cut()
        await page.wait_for_selector(BREAK)
        await page.wait_for_selector(OPEN)
        await revoke(server, "second", second)
        cutter.cut()
        await page.locator(ASKED).filter(has_text="it was revoked").wait_for()
        assert await page.input_value("#say") == "half a sent"
        await write(page, "the sea")
        await enter(page, third)
        assert await answer(page, "the sea") == reciter.about("the sea")
        assert await times(page, "the sea") == 1
        assert await ask(page, reciter.RECITE) == "user the sea; assistant About the sea:"


async def test_keys_are_made_shown_once_and_revoked_in_the_settings(server: WholeServer) -> None:
    strong, weak = await made(server, landlord="admin", lodger="converse")
    async with guest(server, "#/settings") as (page, _):
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.fill("#api-key", weak)
        await page.keyboard.press("Enter")
        problem = page.locator("vv-configuration .problem")
        await problem.filter(has_text="may not do that").wait_for()
        assert await page.locator(".keys li").count() == 0
        await page.wait_for_selector(OPEN)
        await page.evaluate(f"sessionStorage.setItem('vivavoce.key', '{strong}')")
        await page.reload()
        row = page.locator(".keys li").filter(has_text="kitchen")
        await page.locator(".keys li").filter(has_text="lodger").wait_for()
        await page.get_by_label("What the key is for").fill("kitchen")
        await page.get_by_label("speak", exact=True).check()
        await page.get_by_role("button", name="Make a key").click()
        await row.wait_for()
        assert "converse" in await row.inner_text() and "speak" in await row.inner_text()
        key = await page.inner_text(".made code")
        await page.get_by_role("button", name="Copy").click()
        await page.get_by_role("button", name="Copied").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == key
        await until_answered(server, key, HTTPStatus.OK)
        await page.evaluate("location.hash = '#/talk'")
        await page.evaluate("location.hash = '#/settings'")
        await row.wait_for()
        assert key not in await page.content(), "it is shown once"
        await row.get_by_role("button", name="Revoke kitchen").click()
        await page.get_by_role("button", name="Cancel").click()
        await until_answered(server, key, HTTPStatus.OK)
        await row.get_by_role("button", name="Revoke kitchen").click()
        await page.get_by_role("button", name="Revoke", exact=True).click()
        await row.wait_for(state="detached")
        await until_answered(server, key, HTTPStatus.UNAUTHORIZED)
