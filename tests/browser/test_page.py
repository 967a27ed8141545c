"""The page as a person meets it: what it shows, what it says when something is wrong, what the keyboard does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.browser.fake_server import WATERFALL, fake_server
from tests.browser.pages import recording, true_on, visit

pytestmark = [pytest.mark.browser, pytest.mark.real_time]


async def test_a_turn_is_shown_and_nothing_is_asked_of_anybody_else(tmp_path: Path) -> None:
    microphone = recording(tmp_path, "What time is it?")
    async with fake_server() as server, visit(server.url, microphone=microphone) as seen:
        page = seen.page
        server.echo = True
        await server.until(lambda: server.messages("hello"))
        await page.click(".talk")
        await server.until(lambda: len(server.heard) > 60 and server.played())
        await server.tell("speech_started", at=100)
        await server.tell("transcription", text="what time", final=False, stable=4)
        await page.wait_for_selector(".said.interim")
        await server.tell("transcription", text="what time is it", final=True, stable=15)
        await page.wait_for_selector(".said:not(.interim)")
        await server.tell("reply_started")
        await server.tell("text", content="It is nine o'clock. ")
        await server.tell("text", content="Anything else?")
        await page.wait_for_selector('.reply[data-phase="speaking"]')
        assert await page.inner_text(".reply") == "It is nine o'clock. Anything else?"
        await server.tell("paused")
        await page.wait_for_selector('.reply[data-phase="paused"]')
        await server.tell("interrupted", at=5, heard="It is nine", reason="speech")
        await server.tell("response_complete", text="It is nine", interrupted=True, waterfall=WATERFALL)
        await page.wait_for_selector("vv-latency .bar i")
        assert await page.inner_text(".reply > span:first-child") == "It is nine"
        assert await page.inner_text(".reply s") == "o'clock. Anything else?"
        stages = await page.eval_on_selector_all("vv-latency .bar i", "all => all.map((one) => one.dataset.stage)")
        assert stages == ["transcript", "token", "audio", "decision", "played"]
        assert "262 ms" in await page.inner_text("vv-latency strong")
        assert seen.complaints == []
        assert all(url.startswith(server.url) for url in seen.requests)
    hello = server.said[0]
    assert hello == {
        "type": "hello",
        "version": 1,
        "audio": {"input_rate": 16_000, "output_rate": 24_000},
        "acknowledge": True,
    }


async def test_typing_needs_no_microphone() -> None:
    async with fake_server() as server, visit(server.url) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.fill("#say", "  what time is it  ")
        await seen.page.keyboard.press("Enter")
        await server.until(lambda: server.messages("text"))
        assert server.messages("text") == [{"type": "text", "text": "what time is it"}]
        assert await seen.page.input_value("#say") == ""
        assert server.heard == []


async def test_space_talks_in_push_to_talk_and_types_in_the_box(tmp_path: Path) -> None:
    microphone = recording(tmp_path, "What time is it?")
    async with fake_server() as server, visit(server.url, microphone=microphone) as seen:
        page = seen.page
        await server.until(lambda: server.messages("hello"))
        await page.get_by_label("Turns").select_option("push_to_talk")
        await server.until(lambda: server.messages("setMode"))
        await page.click("header")
        await page.keyboard.down("Space")
        await server.until(lambda: len(server.heard) > 20)
        await page.keyboard.up("Space")
        await server.until(lambda: server.messages("commit"))
        held = len(server.heard)
        await asyncio.sleep(0.3)
        assert len(server.heard) == held, "audio counts as speech while it is sent: none may follow the release"
        assert len(server.messages("commit")) == 1
        await page.focus("#say")
        await page.keyboard.press("Space")
        await asyncio.sleep(0.1)
        assert await page.input_value("#say") == " "
        assert len(server.heard) == held
        await page.hover(".talk")
        await page.mouse.down()
        await server.until(lambda: len(server.heard) > held + 20)
        await page.mouse.up()
        await server.until(lambda: len(server.messages("commit")) == 2)
        assert seen.complaints == []


async def test_escape_stops_the_reply_and_only_a_reply() -> None:
    async with fake_server() as server, visit(server.url) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.keyboard.press("Escape")
        await server.tell("reply_started")
        await seen.page.wait_for_selector(".reply")
        await seen.page.keyboard.press("Escape")
        await server.until(lambda: server.messages("interrupt"))
        assert len(server.messages("interrupt")) == 1


async def test_a_refused_microphone_says_what_to_do() -> None:
    async with fake_server() as server, visit(server.url, allowed=False, permissions=[]) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.click(".talk")
        await seen.page.wait_for_selector("vv-notice:not([hidden])")
        assert "Allow it" in await seen.page.inner_text("vv-notice")
        assert await seen.page.get_attribute(".talk", "aria-pressed") == "false"


async def test_without_a_microphone_it_says_so() -> None:
    nothing = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))"
    async with fake_server() as server, visit(server.url, script=nothing) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.click(".talk")
        await seen.page.wait_for_selector("vv-notice:not([hidden])")
        assert "No microphone was found" in await seen.page.inner_text("vv-notice")


async def test_a_device_with_another_rate_is_resampled_in_the_worklet(tmp_path: Path) -> None:
    microphone = recording(tmp_path, "What time is it? What time is it?")
    firefox = """
    const create = AudioContext.prototype.createMediaStreamSource;
    AudioContext.prototype.createMediaStreamSource = function (stream) {
      if (this.sampleRate !== 48000) throw new DOMException("different sample-rate", "NotSupportedError");
      return create.call(this, stream);
    };
    const Context = AudioContext;
    window.AudioContext = class extends Context {
      constructor(options = {}) { super({ sampleRate: 48000, ...options }); }
    };
    """
    async with fake_server() as server, visit(server.url, microphone=microphone, script=firefox) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.click(".talk")
        await server.until(lambda: len(server.heard) > 60)
        assert {len(frame) for frame in server.heard} == {512}
        assert any(max(frame) > 0 for frame in server.heard)
        assert seen.complaints == []


async def test_it_comes_back_after_a_loss_with_the_same_wishes() -> None:
    async with fake_server() as server, visit(server.url) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.get_by_label("Text to speech").select_option("flite")
        await server.until(lambda: server.messages("setProvider"))
        assert server.messages("setProvider") == [{"type": "setProvider", "kind": "tts", "name": "flite"}]
        await server.tell("transcription", text="before", final=True, stable=6)
        await seen.page.wait_for_selector(".said")
        server.welcoming.clear()
        await server.hang_up(1012)
        await seen.page.locator("vv-notice").filter(has_text="Trying again").wait_for()
        assert await seen.page.get_attribute("vv-link", "data-phase") in ("lost", "connecting")
        server.welcoming.set()
        await server.until(lambda: len(server.messages("hello")) == 2)
        assert server.messages("hello")[1]["provider"] == {"tts": "flite"}
        await server.tell("transcription", text="after", final=True, stable=5)
        await true_on(seen.page, "document.querySelectorAll('.said').length === 2")
        assert await seen.page.is_hidden("vv-notice")


async def test_a_wish_that_is_refused_is_dropped() -> None:
    async with fake_server() as server, visit(server.url) as seen:
        await server.until(lambda: server.messages("hello"))
        await seen.page.get_by_label("Text to speech").select_option("flite")
        await server.until(lambda: server.messages("setProvider"))
        server.unknown = "flite"
        await server.hang_up(1001)
        await server.until(lambda: server.sessions == 2)
        assert [message.get("provider") for message in server.messages("hello")] == [None, {"tts": "flite"}, None]
        await seen.page.wait_for_selector('vv-link[data-phase="open"]')


async def test_sound_the_browser_holds_back_comes_with_the_first_touch() -> None:
    async with fake_server() as server, visit(server.url) as seen:
        await server.until(lambda: server.messages("hello"))
        await server.tell("reply_started")
        await server.play(b"\1\0" * 4_800, 0)
        await seen.page.wait_for_selector("vv-notice:not([hidden])")
        assert "holds the sound back" in await seen.page.inner_text("vv-notice")
        assert server.played() == []
        await seen.page.keyboard.press("Shift")
        await server.until(lambda: server.played() and server.played()[-1] == 4_800)
        await seen.page.wait_for_selector("vv-notice", state="hidden")


@pytest.mark.parametrize(("code", "phase", "words"), [(1013, "full", "server is full"), (1008, "refused", "refused")])
async def test_a_closed_door_says_why(code: int, phase: str, words: str) -> None:
    async with fake_server() as server:
        server.refuse = code
        async with visit(server.url) as seen:
            await seen.page.wait_for_selector(f'vv-link[data-phase="{phase}"]')
            assert words in await seen.page.inner_text("vv-notice")


async def test_it_can_be_used_by_keyboard_alone_and_fits_a_phone() -> None:
    phone: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}
    async with fake_server() as server, visit(server.url, **phone) as seen:
        page = seen.page
        await server.until(lambda: server.messages("hello"))
        await page.wait_for_selector(".talk:enabled")
        reached = []
        for _ in range(12):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.className || document.activeElement.localName"))
        # Past the frame (skip link, theme, four views and more) to what the page is for.
        assert reached[:7] == ["skip", "theme", "a", "a", "a", "a", "more"]
        assert reached[7:] == ["vv-conversation", "talk", "input", "button", "summary"]
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390
        unnamed = await page.eval_on_selector_all(
            "button, input, select",
            "all => all.filter((e) => !e.hidden && !e.ariaLabel && !e.textContent.trim() && !e.labels?.length).length",
        )
        assert unnamed == 0
