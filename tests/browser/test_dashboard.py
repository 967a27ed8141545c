"""The dashboard in a real browser, on a real server: every view, by mouse, by keyboard and on a phone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page, Route

from tests.browser.dashboard_server import VIEWS, axe_source, barriers, server_with_turns
from tests.browser.pages import Visit, true_on, visit
from tests.live.server import spoken

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}
OUT = Path("out") / "dashboard"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server_with_turns(tmp_path_factory.mktemp("spoken")) as address:
        yield address


@pytest.fixture(scope="module")
def axe() -> str:
    return axe_source()


@asynccontextmanager
async def looking_at(url: str, view: str, **context: Any) -> AsyncIterator[Visit]:
    async with visit(f"{url}/#/{view}", **{**DESKTOP, **context}) as seen:
        await seen.page.wait_for_selector(f'[data-view="{view}"]:not([hidden])')
        await settled(seen.page, view)
        yield seen
        assert seen.complaints == [], view
        foreign = [asked for asked in seen.requests if not asked.startswith((url, "blob:", "data:"))]
        assert foreign == [], "nothing is asked of anybody else"


FILLED = {
    "talk": "vv-link[data-phase=open]",
    "speak": "vv-speak optgroup",
    "transcribe": "vv-transcribe option",
    "turns": "vv-turns .turn-list a",
    "sessions": "vv-sessions .card",
    "providers": "vv-providers .chain li",
    "system": "vv-system tbody tr",
    "settings": "vv-configuration details",
}
"""What is there when a view has its answers."""


async def settled(page: Page, view: str) -> None:
    await page.wait_for_selector(FILLED[view], state="attached")


async def answered(route: Route, status: int, body: Any) -> None:
    await route.fulfill(status=status, content_type="application/json", body=json.dumps(body))


@pytest.mark.parametrize("view", VIEWS)
async def test_a_view_is_open_to_everybody_in_dark_in_light_and_on_a_phone(url: str, axe: str, view: str) -> None:
    await asyncio.to_thread(OUT.mkdir, parents=True, exist_ok=True)
    async with looking_at(url, view, reduced_motion="reduce") as seen:
        page = seen.page
        looks: list[tuple[str, Literal["dark", "light"], Any]] = [
            ("dark", "dark", DESKTOP["viewport"]),
            ("light", "light", DESKTOP["viewport"]),
            ("phone", "dark", PHONE["viewport"]),
        ]
        for name, scheme, viewport in looks:
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size(viewport)
            assert await barriers(page, axe) == [], name
            wide = await page.evaluate(
                "Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)"
            )
            assert wide <= viewport["width"], "nothing is wider than the window"
            await page.screenshot(path=OUT / f"{name}-{view}.png")


async def test_the_address_is_the_way_and_the_title_says_where(url: str) -> None:
    async with looking_at(url, "system") as seen:
        page = seen.page
        assert await page.title() == "System – Vivavoce"
        await page.click("vv-nav a[href='#/speak']")
        await page.wait_for_selector("vv-speak:not([hidden])")
        assert await page.title() == "Speak – Vivavoce"
        assert await page.evaluate("document.activeElement.textContent") == "Speak", "readers begin at the heading"
        await page.go_back()
        await page.wait_for_selector("vv-system:not([hidden])")
        await page.goto(f"{url}/#/nowhere")
        await page.wait_for_selector(".talk-view:not([hidden])")


async def test_by_keyboard_alone(url: str) -> None:
    async with looking_at(url, "talk") as seen:
        page = seen.page
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        await page.reload()
        reached = []
        for _ in range(12):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.getAttribute('href')"))
            outlined = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outlined != "none", "where one is can be seen"
            if reached[-1] == "#/turns":
                break
        assert reached[-4:] == ["#/talk", "#/speak", "#/transcribe", "#/turns"]
        await page.keyboard.press("Enter")
        await page.wait_for_selector("vv-turns .turn-list a")
        assert await page.evaluate("document.activeElement.textContent") == "Turns"


async def test_on_a_phone_the_other_views_are_behind_more(url: str) -> None:
    async with looking_at(url, "talk", **PHONE) as seen:
        page = seen.page
        assert not await page.is_visible("vv-nav a[href='#/system']")
        await page.click(".more")
        assert await page.get_attribute(".more", "aria-expanded") == "true"
        await page.keyboard.press("Escape")
        assert not await page.is_visible("vv-nav a[href='#/system']")
        assert await page.evaluate("document.activeElement.className") == "more"
        await page.keyboard.press("Enter")
        await page.click("vv-nav a[href='#/system']")
        await page.wait_for_selector("vv-system:not([hidden])")
        assert not await page.is_visible("#more-views")


async def test_dark_and_light_are_chosen_and_kept(url: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    async with looking_at(url, "talk", color_scheme="dark") as seen:
        page = seen.page
        dark = await page.evaluate(ground)
        await page.click("vv-theme button")
        light = await page.evaluate(ground)
        assert dark != light
        await page.reload()
        assert await page.evaluate(ground) == light
        await page.goto(f"{url}/#/settings")
        await page.get_by_label("As the system").check(force=True)
        assert await page.evaluate(ground) == dark


async def test_a_view_asks_only_while_somebody_looks(url: str) -> None:
    async with looking_at(url, "sessions") as seen:
        await seen.page.click("vv-nav a[href='#/speak']")
        await settled(seen.page, "speak")
        asked = len(seen.requests)
        await asyncio.sleep(2.5)
        assert seen.requests[asked:] == []


async def test_who_has_no_microphone_types_and_listens(url: str) -> None:
    nothing = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))"
    async with looking_at(url, "talk", script=nothing) as seen:
        page = seen.page
        await page.click(".talk")
        await page.wait_for_selector("vv-notice:not([hidden])")
        assert "type below" in await page.inner_text("vv-notice")
        await page.fill("#say", "what is twelve times twelve")
        await page.keyboard.press("Enter")
        await true_on(page, "document.querySelector('.reply')?.textContent.includes('144')")
        await page.wait_for_selector("vv-latency strong:not([hidden])")
        await page.goto(f"{url}/#/turns")
        await true_on(page, "document.querySelector('.turn-list a .what')?.textContent === 'what is twelve times twelve'")


async def test_two_tabs_share_one_microphone(url: str, tmp_path: Path) -> None:
    async with looking_at(url, "talk") as seen:
        first = seen.page
        second = await first.context.new_page()
        await second.goto(url)
        for page in (first, second):
            await page.wait_for_selector(".talk:enabled")
            await page.click(".talk")
            await page.wait_for_selector('.talk[aria-pressed="true"]')
        await first.wait_for_selector('.talk[aria-pressed="false"]')
        assert "another tab" in await first.inner_text("vv-notice")
        assert await second.get_attribute(".talk", "aria-pressed") == "true"


PLAYED = """
window.started = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, ...rest) {
  window.started.push({ when, seconds: this.buffer.duration });
  return start.call(this, when, ...rest);
};
"""


async def test_a_turn_is_looked_at_step_by_step_and_heard_again(url: str) -> None:
    async with looking_at(url, "turns", script=PLAYED) as seen:
        page = seen.page
        listed = await page.evaluate("fetch('api/turns').then((answer) => answer.json())")
        spoken_turn = next(turn for turn in listed["turns"] if len(turn["recorded"]) == 2)
        await page.click(f'.turn-list a[href="#/turns/{spoken_turn["id"]}"]')
        await true_on(page, f"document.querySelector('vv-turn .said').textContent === {json.dumps(spoken_turn['said'])}")
        assert spoken_turn["id"] in page.url
        bars = await page.eval_on_selector_all("vv-turn .bar-name", "all => all.map((one) => one.textContent)")
        assert {"Turn judged over", "First audio"} <= set(bars)
        await page.get_by_role("button", name="Next step").click()
        current = "document.querySelector('.steps [aria-current]')?.dataset.kind"
        assert await page.evaluate(current) == "speech_started"
        await page.get_by_role("button", name="Replay").click()
        await true_on(page, "window.started.length === 2")
        await true_on(page, f"{current} === 'completed'")
        await page.get_by_role("button", name="Replay").wait_for()
        voices = await page.evaluate("window.started")
        # The reply begins behind the user's words, after the silence that there was.
        detail = await page.evaluate(f"fetch('api/turns/{spoken_turn['id']}').then((answer) => answer.json())")
        silence = detail["speech_end"] + detail["waterfall"]["total"]
        assert voices[1]["when"] - voices[0]["when"] == pytest.approx(silence, abs=0.001)
        assert all(voice["seconds"] > 0.5 for voice in voices)
        picture = await page.get_attribute("vv-turns .plot", "aria-label")
        assert picture and "median" in picture, "the chart says in words what it shows"
        await page.focus("vv-turns .frame")
        await page.keyboard.press("ArrowLeft")
        await true_on(page, "document.querySelector('vv-turns .readout').textContent.includes('median')")


async def test_turns_are_forgotten_only_when_that_is_meant(url: str) -> None:
    async with looking_at(url, "turns") as seen:
        page = seen.page
        asked: list[str] = []

        async def forget(route: Route) -> None:
            asked.append(route.request.method)
            await (answered(route, 200, {"turns": 3}) if route.request.method == "DELETE" else route.continue_())

        await page.route("**/api/turns", forget)
        await page.get_by_role("button", name="Forget all").click()
        await page.get_by_role("button", name="Cancel").click()
        assert asked == [] and await page.locator(".dialog").count() == 0
        await page.get_by_role("button", name="Forget all").click()
        await page.get_by_role("button", name="Forget them").click()
        await true_on(page, "!document.querySelector('.dialog')")
        await asyncio.sleep(0.1)
        assert asked == ["DELETE"]


@pytest.mark.parametrize(("form", "ending"), [("wav", "wav"), ("mp3", "mp3"), ("pcm", "pcm"), ("opus", "ogg")])
async def test_text_is_spoken_and_can_be_kept(url: str, form: str, ending: str) -> None:
    async with looking_at(url, "speak", script=PLAYED) as seen:
        page = seen.page
        await page.fill("#speak-text", " ".join(["Good morning. The kettle has boiled."] * 4))
        await page.get_by_label("Format").select_option(form)
        await page.get_by_label("Speed").fill("1.5")
        await page.get_by_role("button", name="Speak", exact=True).click()
        await page.wait_for_selector("vv-speak .result:not([hidden])")
        assert "ms" in await page.inner_text("vv-speak .tile strong >> nth=0")
        if form in ("wav", "pcm"):
            seconds = await page.evaluate("window.started.reduce((sum, one) => sum + one.seconds, 0)")
            pieces = await page.evaluate("window.started.length")
            assert 2 < seconds < 12 and pieces > 1, "it plays in pieces, as it comes"
        if form != "pcm":
            await true_on(page, "document.querySelector('vv-speak audio').duration > 0.8")
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Save").click()
        kept = await download.value
        assert kept.suggested_filename == f"speech.{ending}"
        assert (await asyncio.to_thread(Path(await kept.path()).stat)).st_size > 2_000


async def test_nothing_to_say_is_said(url: str) -> None:
    async with looking_at(url, "speak") as seen:
        await seen.page.fill("#speak-text", "  ")
        await seen.page.get_by_role("button", name="Speak", exact=True).click()
        assert "Write what to say" in await seen.page.inner_text("vv-speak .problem")
        assert await seen.page.evaluate("document.activeElement.id") == "speak-text"


async def test_a_recording_is_read_and_kept_as_subtitles(url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(spoken, tmp_path, "what is twelve times twelve")
    async with looking_at(url, "transcribe") as seen:
        page = seen.page
        await page.set_input_files("#recording", tmp_path / "spoken.wav")
        await page.wait_for_selector("vv-transcribe .segments-read li span")
        assert "twelve" in await page.inner_text(".segments-read")
        for name in ("Text", "SRT", "VTT", "JSON"):
            async with page.expect_download() as download:
                await page.get_by_role("button", name=name, exact=True).click()
            kept = await download.value
            text = await asyncio.to_thread(Path(await kept.path()).read_text)
            assert "twelve" in text
            if name == "SRT":
                assert kept.suggested_filename == "spoken.srt" and text.startswith("1\n00:00:0")
        await page.set_input_files("#recording", {"name": "x.wav", "mimeType": "audio/wav", "buffer": b"this is no sound"})
        await page.wait_for_selector("vv-transcribe .problem:not([hidden])")
        assert await page.inner_text("vv-transcribe .problem")
        seen.complaints.clear()  # the browser logs the refusal, too


async def test_a_session_is_seen_and_ended(url: str) -> None:
    async with looking_at(url, "sessions") as seen:
        page = seen.page
        ids = "fetch('api/sessions').then((answer) => answer.json()).then((body) => body.sessions.map((one) => one.id))"
        await page.wait_for_selector("vv-link[data-phase=open]", state="attached")
        before = set(await page.evaluate(ids))
        guest = await page.context.new_page()
        await guest.goto(url)
        await guest.wait_for_selector("vv-link[data-phase=open]")
        [new] = set(await page.evaluate(ids)) - before
        card = page.locator("vv-sessions .card").filter(has=page.locator(f'strong[title="{new}"]'))
        text = await card.inner_text()
        assert "websocket" in text and "pocketsphinx" in text and "English" in text
        await card.get_by_role("button", name="End session").click()
        await page.get_by_role("button", name="End it").click()
        await card.wait_for(state="detached")
        await guest.wait_for_selector("vv-notice:not([hidden])")
        assert new not in await page.evaluate(ids)


async def test_a_page_that_is_closed_says_goodbye(url: str) -> None:
    async with looking_at(url, "sessions") as seen:
        page = seen.page
        ids = "fetch('api/sessions').then((answer) => answer.json()).then((body) => body.sessions.map((one) => one.id))"
        await page.wait_for_selector("vv-link[data-phase=open]", state="attached")
        before = set(await page.evaluate(ids))
        guest = await page.context.new_page()
        await guest.goto(url)
        await guest.wait_for_selector("vv-link[data-phase=open]")
        [new] = set(await page.evaluate(ids)) - before
        await guest.goto("about:blank")
        card = page.locator(f'strong[title="{new}"]')
        await card.wait_for(state="detached", timeout=20_000)


async def test_models_are_fetched_with_progress_and_a_licence_is_asked_about(url: str) -> None:
    state: dict[str, Any] = {"pull": None}
    asked: list[tuple[str, Any]] = []

    async def models(route: Route) -> None:
        request = route.request
        if request.method == "GET":
            await answered(route, 200, catalogue(state["pull"]))
            return
        asked.append((request.method, request.post_data_json if request.post_data else None))
        half = {"received": 30_000_000, "bytes": 60_000_000}
        running = {"state": "running", "file": "model.onnx", "message": "", "error": None, **half}
        state["pull"] = running if request.method == "POST" else None
        await answered(route, 202, catalogue(state["pull"])["models"][0])

    async with visit(f"{url}/#/talk", **DESKTOP) as seen:
        page = seen.page
        await page.route("**/api/models**", models)
        await page.goto(f"{url}/#/system")
        await page.get_by_role("button", name="Fetch big-voice").click()
        assert "only for research" in await page.inner_text(".dialog")
        await page.get_by_role("button", name="Accept and fetch").click()
        await true_on(page, "document.querySelector('.model progress')?.value === 0.5")
        assert asked == [("POST", {"accept_licence": True})]
        await page.get_by_role("button", name="Stop big-voice").click()
        await page.get_by_role("button", name="Fetch big-voice").wait_for()
        assert asked[-1][0] == "DELETE"


def catalogue(pull: Any) -> dict[str, Any]:
    model = {
        "name": "big-voice", "kind": "tts", "engine": "piper", "languages": ["en"], "licence": "CC-BY-NC",
        "bytes": 60_000_000,
        "restricted": "only for research", "description": "A voice.", "quality": "", "installed": False, "recommended": True,
        "in_use": False, "pull": pull,
    }  # fmt: skip
    return {"directory": "/models", "machine": {"cores": 2, "memory_mb": 4_000}, "offline": False, "models": [model]}


async def test_settings_are_found_with_their_origin(url: str) -> None:
    async with looking_at(url, "settings") as seen:
        page = seen.page
        await page.fill("vv-configuration input[type=search]", "turns.audio")
        await page.wait_for_selector("text=VIVAVOCE_TURNS__AUDIO >> nth=0")
        rows = await page.locator(".settings > div").all_inner_texts()
        assert any("turns.audio" in text and "flag: --set turns.audio" in text and "true" in text for text in rows), rows
        await page.fill("vv-configuration input[type=search]", "")
        await page.get_by_label("Only what differs").check()
        changed = await page.locator(".settings dt > code").all_inner_texts()
        assert set(changed) == {"server.port", "turns.audio"}


async def test_a_server_with_keys_is_asked_with_one(url: str) -> None:
    asked: list[str | None] = []

    async def guarded(route: Route) -> None:
        asked.append(await route.request.header_value("authorization"))
        if asked[-1] == "Bearer vv_right":
            await answered(route, 200, {"providers": []})
        else:
            await answered(route, 401, {"error": {"code": "invalid_api_key", "message": "no"}})

    async with visit(f"{url}/#/speak", **DESKTOP) as seen:
        page = seen.page
        await page.route("**/api/providers", guarded)
        await page.click("vv-nav a[href='#/providers']")
        await page.wait_for_selector(".dialog")
        assert "vivavoce key create" in await page.inner_text(".dialog")
        await page.fill("#api-key", " vv_right ")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("vv-providers .nothing")
        assert asked[0] is None and asked[-1] == "Bearer vv_right"
        assert await page.locator(".dialog").count() == 0
        kept = await page.evaluate("[sessionStorage.length, localStorage.length]")
        assert kept == [1, 0], "it is kept for this tab alone"


async def test_what_is_wrong_is_said_and_goes_away_with_it(url: str) -> None:
    async with looking_at(url, "system") as seen:
        page = seen.page
        broken = {
            "error": {"code": "unavailable", "message": "Restart the server, then look again.", "type": "server_error"}
        }

        async def down(route: Route) -> None:
            await answered(route, 503, broken)

        await page.route("**/api/system", down)
        await page.goto(f"{url}/#/talk")
        await page.goto(f"{url}/#/system")
        await page.get_by_text("Restart the server, then look again.").wait_for()
        assert await page.inner_text("vv-system .problem") == "Restart the server, then look again."
        await page.unroute("**/api/system")
        await page.goto(f"{url}/#/talk")
        await page.goto(f"{url}/#/system")
        await page.wait_for_selector("vv-system .problem", state="hidden")
        seen.complaints.clear()  # the browser logs the 503, too
