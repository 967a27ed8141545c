"""Speech over a reply, at the ear: the page's own clock sees when the word began and when the last sample was played."""

from __future__ import annotations

import asyncio
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from bench.ear import Exchange, Recording
from bench.in_page import WEBRTC, WEBSOCKET, Line, heard_so_far, recording, talking
from bench.speech import spoken
from playwright.async_api import Page

from tests.browser.pages import CHROMIUM
from tests.conftest import require
from tests.live.calling import SETTINGS
from tests.live.server import live_server

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

QUESTION = "what can you do"
INTERRUPTION = "No, wait a moment please, that is not what I wanted to hear from you, and I would like to know the time."
LONG = 4.0
"""Seconds that the interruption lasts, and the question does not."""


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recording]:
    """A question, time for the answer to begin, and somebody who talks over it. Chromium plays it over and over."""
    require(shutil.which("flite"), "flite is not installed (Debian: apt-get install flite)")
    question, interruption = spoken(QUESTION), spoken(INTERRUPTION)
    assert question.seconds < LONG < interruption.seconds
    path = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    return path, recording(path, [2.0, question, 4.0, interruption, 10.0])


async def interruptions(page: Page, said: Recording) -> list[Exchange]:
    """What was said over a reply, to its end; there is some, and something was answered besides."""
    for _ in range(120):
        await asyncio.sleep(1)
        known = await page.evaluate("bench.output.length / 1000")
        heard = [one for one in await heard_so_far(page, said) if one.end < known - 1.0]
        over = [one for one in heard if one.stopped is not None and one.end - one.onset > LONG]
        if over and any(one.answered is not None for one in heard):
            return over
    raise AssertionError(f"nobody was talked over, or answered: {await heard_so_far(page, said)}")


@pytest.mark.parametrize("line", [WEBSOCKET, WEBRTC], ids=lambda line: line.name)
async def test_the_reply_has_stopped_at_the_ear_before_the_interruption_is_over(
    line: Line, microphone: tuple[Path, Recording]
) -> None:
    require(CHROMIUM, "Chromium is not installed (Debian: apt-get install chromium)")
    require(line is WEBSOCKET or find_spec("webrtc") or find_spec("aiortc"), "no WebRTC library is installed (make setup)")
    async with live_server(*SETTINGS) as server, talking(server.url, line, microphone[0]) as page:
        over = await interruptions(page, microphone[1])
    for one in over:
        assert one.stopped is not None
        assert one.onset < one.stopped < one.end, "the reply is over, and the person still speaks"
