"""The network between page and server goes away without a word and comes back: after seconds, and after long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser import reciter
from tests.browser.ear import TAP_ANYWHERE, stalls, tapped
from tests.browser.own_network import own_network
from tests.browser.pages import true_on, visit
from tests.browser.talking import BREAK, LOST, RESUMPTIONS, answer, ask, listened, warm_up, write
from tests.browser.whole_server import WholeServer, whole_server

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.process, pytest.mark.real_time]

SEA, HILLS = (f"{place} {reciter.AT_LENGTH}" for place in ("the sea", "the hills"))


async def test_the_link_goes_down_and_up_in_mid_reply(tmp_path: Path) -> None:
    async with (
        own_network(tmp_path) as network,
        whole_server(tmp_path, *reciter.SCRIPTED, "--set", "turns.audio=true", within=network.within) as server,
        visit(server.url, browser=network.browser, script=TAP_ANYWHERE + RESUMPTIONS, bypass_csp=True) as seen,
    ):
        page = seen.page
        await warm_up(page)
        await write(page, SEA)
        await listened(page, 2)
        await network.switch("down")
        await asyncio.sleep(3)  # no wait: this is how long it is away
        await network.switch("up")
        await heard_whole(page, server, SEA)

        await page.evaluate("window.tapped = []")
        resumed = await page.evaluate("window.resumed")
        await write(page, HILLS)
        await listened(page, 2)
        await network.switch("down")
        await page.wait_for_selector(LOST, timeout=60_000)  # a ping, and its answer that does not come
        await network.switch("up")
        await true_on(page, f"window.resumed > {resumed}")
        await heard_whole(page, server, HILLS)

        assert await page.locator(BREAK).count() == 0, "it is the same conversation"
        recited = await ask(page, reciter.RECITE)
        expected = "user the sea at; assistant About the sea; user the hills at; assistant About the hills"
        assert recited.endswith(expected) and recited.count("the sea") == 2


async def heard_whole(page: Page, server: WholeServer, text: str) -> None:
    """The reply to ``text`` was heard without a gap or a repetition, and is kept as heard."""
    assert await answer(page, text) == reciter.about(text)
    out = await tapped(page)
    synthesised = await server.reply_audio(text)
    assert (synthesised == reciter.noise()[: len(synthesised)]).all() and len(synthesised) > 5 * reciter.RATE
    assert stalls(out, synthesised) >= 1, "it was away in mid-reply"
    [turn] = [turn for turn in (await server.get("/api/turns"))["turns"] if turn["said"] == text]
    assert turn["heard"] == turn["reply"] == reciter.about(text) and turn["interrupted"] == ""
