"""The server is stopped, or dies, and is started again under an open conversation."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.browser import reciter
from tests.browser.pages import visit
from tests.browser.talking import (
    BREAK,
    LOST,
    OPEN,
    PLAIN_MICROPHONE,
    answer,
    answer_again,
    ask,
    murmur,
    times,
    wait_in_line,
    write,
)
from tests.browser.whole_server import whole_server

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.process, pytest.mark.real_time]

SPOKEN = "What time is it?"
"""What the scripted ears understand first."""
SAID = "[...document.querySelectorAll('vv-conversation .said, vv-conversation .break')].map((one) => one.className)"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_the_page_comes_back_and_says_what_is_lost(by: signal.Signals, tmp_path: Path) -> None:
    microphone = await asyncio.to_thread(murmur, tmp_path)
    async with (
        whole_server(tmp_path, *reciter.SCRIPTED) as server,
        visit(server.url, microphone=microphone, once=True, script=PLAIN_MICROPHONE) as seen,
    ):
        page = seen.page
        await page.wait_for_selector(".talk:enabled")
        await page.click(".talk")
        assert await answer(page, SPOKEN) == reciter.about(SPOKEN)
        await server.stop(by)
        await page.wait_for_selector(LOST)
        await page.locator("vv-notice").filter(has_text="No connection to the server").wait_for()
        for text in ("the hills", "the sea"):
            await write(page, text)
        await wait_in_line(page, "the hills", "the sea")
        await server.start()
        await page.wait_for_selector(OPEN)
        assert await answer(page, "the sea") == reciter.about("the sea")
        assert [await times(page, text) for text in ("the hills", "the sea")] == [1, 1]
        assert await page.locator(".waiting").count() == 0 and await page.is_hidden("vv-notice")
        assert "nothing of it is remembered" in await page.inner_text(BREAK)
        assert await page.evaluate(SAID) == ["said", "break", "said", "said"]
        assert await page.get_attribute(".talk", "aria-pressed") == "true", "the microphone stayed on"
        recited = await ask(page, reciter.RECITE)
        assert recited == "user the hills; user the sea; assistant About the sea:", "in order, once, and nothing from before"
        await page.click(".talk")
        await page.wait_for_selector('.talk[aria-pressed="false"]')
        await page.click(".talk")
        assert await answer_again(page, SPOKEN, 1) == reciter.about(SPOKEN)
