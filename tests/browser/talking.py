"""What a person does on the page: types, waits for the answer, listens, speaks."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.async_api import Page

from tests.browser.ear import tapped
from tests.browser.pages import true_on
from tests.browser.reciter import RECITE
from tests.live.server import spoken
from vivavoce.audio.codecs import wav
from vivavoce.audio.resample import resample
from vivavoce.contracts.audio import AudioFormat
from vivavoce.testing.speech import silence, speech_like

LOST = "vv-link[data-phase=lost], vv-link[data-phase=connecting]"
OPEN = "vv-link[data-phase=open]"
BREAK = "vv-conversation .break"

PLAIN_MICROPHONE = """
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
const processing = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
navigator.mediaDevices.getUserMedia = ({ audio }) => ask({ audio: { ...audio, ...processing } });
"""
"""The browser passes on what the recording says, as it says it."""

RESUMPTIONS = """
window.resumed = 0;
const Socket = WebSocket;
window.WebSocket = class extends Socket {
  constructor(...rest) {
    super(...rest);
    this.addEventListener("message", ({ data }) => {
      if (typeof data === "string" && data.includes('"session_resumed"')) window.resumed += 1;
    });
  }
};
"""
"""Counts the answers to `resume`."""


def sentence(folder: Path, text: str) -> Path:
    """``text`` spoken, with silence around it, as Chromium takes it for a microphone."""
    return _microphone(folder, spoken(folder, text))


def murmur(folder: Path) -> Path:
    """The same for ears that hear how loud it is and no words: without a pause in it."""
    return _microphone(folder, speech_like(1.2))


def _microphone(folder: Path, pcm: bytes) -> Path:
    path = folder / "microphone.wav"
    padded = silence(1.0) + pcm + silence(2.0)
    path.write_bytes(wav.write(resample(padded, 16_000, 48_000), AudioFormat(48_000)))
    return path


async def write(page: Page, text: str) -> None:
    """Type and send."""
    await page.fill("#say", text)
    await page.keyboard.press("Enter")


def turns(text: str) -> str:
    """The turns in which ``text`` was said, as an expression on the page."""
    said = f"li.querySelector('.said')?.textContent === {json.dumps(text)}"
    return f"[...document.querySelectorAll('vv-conversation li')].filter((li) => {said})"


async def times(page: Page, text: str) -> int:
    """In how many turns that was said."""
    return int(await page.evaluate(f"{turns(text)}.length"))


async def answer(page: Page, text: str) -> str:
    """The whole reply to the newest turn in which ``text`` was said, once it has been heard."""
    reply = f"{turns(text)}.at(-1)?.querySelector('.reply')"
    await true_on(page, f"{reply}?.dataset.phase === 'done'")
    return str(await page.evaluate(f"{reply}.textContent"))


async def answer_again(page: Page, text: str, before: int) -> str:
    """The reply to ``text``, which was said so many times ``before``."""
    await true_on(page, f"{turns(text)}.length > {before}")
    return await answer(page, text)


async def ask(page: Page, text: str) -> str:
    """Type it; its reply."""
    before = await times(page, text)
    await write(page, text)
    return await answer_again(page, text, before)


async def wait_in_line(page: Page, *texts: str) -> None:
    """The page shows that these wait for the connection, in this order."""
    shown = "[...document.querySelectorAll('vv-conversation .waiting p:first-child')].map((one) => one.textContent)"
    await true_on(page, f"JSON.stringify({shown}) === {json.dumps(json.dumps(texts, separators=(',', ':')))}")
    assert await page.input_value("#say") == "", "they were taken"


async def listened(page: Page, seconds: float) -> None:
    """So much of the reply has been heard (see ``ear``)."""
    await true_on(page, f"window.tapped.filter((block) => block.some(Boolean)).length * 128 >= {seconds * 24_000}")


async def warm_up(page: Page) -> None:
    """Have the loudspeaker opened, and tapped, before the reply that matters (see ``ear``)."""
    await ask(page, RECITE)
    await true_on(page, "window.tapReady")
    await tapped(page)
    await page.evaluate("window.tapped = []")
