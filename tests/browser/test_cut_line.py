"""A real server, a real browser, and between them a line that is cut: in mid-reply, and in mid-sentence."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser import reciter
from tests.browser.ear import TAP_ANYWHERE, stalls, tapped
from tests.browser.pages import true_on, visit
from tests.browser.talking import PLAIN_MICROPHONE, RESUMPTIONS, answer, ask, listened, sentence, warm_up, write
from tests.browser.whole_server import whole_server
from tests.live.wire_cutter import WireCutter, wire_cutter

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.process, pytest.mark.real_time]

CUTS = 3
SEA = f"the sea {reciter.AT_LENGTH}"


async def cut_and_come_back(page: Page, cutter: WireCutter, again: int, behind: int = 0) -> None:
    """Cut the line, ``behind`` so many more bytes, and wait until the page is back, for the ``again``th time."""
    if behind:
        cutter.cut_after = behind
    else:
        cutter.cut()
    await true_on(page, f"window.resumed === {again}")


async def test_a_reply_that_is_cut_is_heard_whole_and_once(tmp_path: Path) -> None:
    async with (
        whole_server(tmp_path, *reciter.SCRIPTED, "--set", "turns.audio=true") as server,
        wire_cutter(server.port) as cutter,
        visit(f"http://127.0.0.1:{cutter.port}/", script=TAP_ANYWHERE + RESUMPTIONS, bypass_csp=True) as seen,
    ):
        page = seen.page
        await warm_up(page)
        await write(page, SEA)
        for cut in range(CUTS):
            await listened(page, 1.5 * (cut + 1))
            await cut_and_come_back(page, cutter, cut + 1, behind=3_001 + 977 * cut)  # what is under way then is lost
        text = await answer(page, SEA)
        out = await tapped(page)
        expected = await server.reply_audio(SEA)
        assert (expected == reciter.noise()[: len(expected)]).all() and len(expected) > 5 * reciter.RATE
        assert stalls(out, expected) <= CUTS + 1
        assert text == reciter.about(SEA)
        [turn] = [turn for turn in (await server.get("/api/turns"))["turns"] if turn["said"] == SEA]
        assert turn["heard"] == turn["reply"] == text and turn["interrupted"] == ""
        recited = await ask(page, reciter.RECITE)
        assert recited.count("assistant About the sea") == 1 and recited.count("user the sea") == 1
        assert (await server.get("/api/metrics"))["gauges"]["socket.resumed"] == CUTS


async def test_a_sentence_that_is_cut_is_understood_whole(tmp_path: Path) -> None:
    microphone = await asyncio.to_thread(sentence, tmp_path, "what is twelve times twelve")
    async with (
        whole_server(tmp_path, *reciter.SETTINGS) as server,
        wire_cutter(server.port) as cutter,
        visit(
            f"http://127.0.0.1:{cutter.port}/",
            microphone=microphone,
            once=True,
            script=PLAIN_MICROPHONE + RESUMPTIONS,
        ) as seen,
    ):
        page = seen.page
        await page.wait_for_selector(".talk:enabled")
        await page.click(".talk")
        await page.wait_for_selector("vv-talk[data-activity=hearing]")
        await cut_and_come_back(page, cutter, 1)
        await page.wait_for_selector(".said:not(.interim)")
        assert await page.locator(".said").all_inner_texts() == ["what is twelve times twelve"]
