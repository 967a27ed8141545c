"""A page in headless Chromium that talks, with a tap on both sides of it: microphone and output, sample by sample.

The tap is a worklet in the AudioContext that plays: its two inputs, the microphone's track and what is played, are of the
same samples of one clock. What lies outside is not measured: the browser's way from the device to the track, and from
the context to the loudspeaker."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from bench.ear import Exchange, Recording, exchanges, utterances
from bench.speech import RATE, Samples, Utterance, ambient
from vivavoce.audio.codecs import wav
from vivavoce.contracts.audio import AudioFormat

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

FLAGS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
)
DEVICE_RATE = 48_000
MILLISECOND = RATE // 1000
WORKLET = """
registerProcessor("bench-tap", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate / 1000);
    this.batch = [];
    this.count = this.power = this.peak = 0;
  }
  process([heard, played]) {
    const microphone = heard[0], output = played[0];
    for (let at = 0; at < 128; at++) {
      const one = microphone ? microphone[at] : 0;
      this.power += one * one;
      this.peak = Math.max(this.peak, output ? Math.abs(output[at]) : 0);
      if (++this.count < this.size) continue;
      this.batch.push(this.power / this.size, this.peak);
      this.count = this.power = this.peak = 0;
    }
    if (this.batch.length >= 200) this.port.postMessage(this.batch.splice(0));
    return true;
  }
});
"""

PREPARE = """
window.bench = { microphone: [], output: [], stream: null, told: [], worklet: WORKLET };
bench.tap = async (context, output) => {
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([bench.worklet], { type: "text/javascript" })));
  const mono = { channelCount: 1, channelCountMode: "explicit" };
  const tap = new bench.Node(context, "bench-tap", { numberOfInputs: 2, numberOfOutputs: 0, ...mono });
  tap.port.onmessage = ({ data }) => {
    for (let at = 0; at < data.length; at += 2) {
      bench.microphone.push(data[at]);
      bench.output.push(data[at + 1]);
    }
  };
  while (bench.stream === null) await new Promise((next) => setTimeout(next, 10));
  context.createMediaStreamSource(bench.stream).connect(tap, 0, 0);
  output.connect(tap, 0, 1);
};
bench.Node = window.AudioWorkletNode;
const own = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (own) navigator.mediaDevices.getUserMedia = async (wish) => (bench.stream = await own(wish));
window.AudioWorkletNode = class extends bench.Node {
  constructor(context, name, options) {
    super(context, name, options);
    if (name === "vivavoce-playback") void bench.tap(context, this);
  }
};
"""

CALL = """
async () => {
  const config = await (await fetch("/webrtc/config")).json();
  const peer = (bench.peer = new RTCPeerConnection({ iceServers: config.ice_servers }));
  const wish = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: wish });
  peer.addTrack(stream.getAudioTracks()[0], stream);
  peer.createDataChannel("vivavoce").onmessage = ({ data }) => bench.told.push(JSON.parse(data).type);
  peer.ontrack = ({ streams: [heard] }) => {
    const element = document.body.appendChild(document.createElement("audio"));
    element.srcObject = heard;
    element.play();
    const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
    void bench.tap(context, context.createMediaStreamSource(heard));
  };
  await peer.setLocalDescription(await peer.createOffer());
  while (peer.iceGatheringState !== "complete") await new Promise((next) => setTimeout(next, 20));
  const body = JSON.stringify({ ...peer.localDescription.toJSON() });
  const answer = await fetch("/webrtc/offer", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  await peer.setRemoteDescription({ type: "answer", sdp: (await answer.json()).sdp });
}
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A way to talk: which page, and how its conversation begins."""

    name: str
    path: str
    begin: Callable[[Page], Any]


async def _talk(page: Page) -> None:
    await page.wait_for_selector(".talk:enabled")
    await page.click(".talk")


WEBSOCKET = Line("WebSocket", "/", _talk)
WEBRTC = Line("WebRTC", "/health/live", lambda page: page.evaluate(CALL))


def missing() -> str:
    """What this machine lacks to open a page; empty where it lacks nothing."""
    if find_spec("playwright") is None:
        return "playwright is not installed (make setup)"
    return "" if shutil.which("chromium") else "Chromium is not installed (Debian: apt-get install chromium)"


def recording(path: Path, parts: Sequence[Utterance | float]) -> Recording:
    """A microphone's file: utterances, and seconds of pause, in the noise of a quiet room."""
    pieces: list[Samples] = []
    said: list[tuple[float, float]] = []
    position = 0
    for part in parts:
        if isinstance(part, Utterance):
            pieces.append(np.frombuffer(part.pcm, "<i2"))
            said.append(((position + part.onset) / RATE, (position + part.end) / RATE))
        else:
            pieces.append(np.zeros(round(part * RATE), np.int16))
        position += len(pieces[-1])
    whole = position // MILLISECOND * MILLISECOND
    samples = np.concatenate(pieces).astype(np.int32)[:whole]
    mixed = np.clip(samples + ambient(position / RATE)[:whole], -32_768, 32_767) / 32_768
    pcm = np.round(soxr.resample(mixed, RATE, DEVICE_RATE) * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes()
    path.write_bytes(wav.write(pcm, AudioFormat(DEVICE_RATE)))
    return Recording(np.mean(mixed.reshape(-1, MILLISECOND) ** 2, axis=1), tuple(said))


@asynccontextmanager
async def browser(microphone: Path | None = None) -> AsyncIterator[Browser]:
    """Chromium; its microphone is a recording that goes round."""
    from playwright.async_api import async_playwright

    flags = [*FLAGS, *([f"--use-file-for-fake-audio-capture={microphone}"] if microphone else [])]
    async with async_playwright() as playwright:
        one = await playwright.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=flags)
        try:
            yield one
        finally:
            await one.close()


@asynccontextmanager
async def talking(url: str, line: Line, microphone: Path) -> AsyncIterator[Page]:
    """A page in conversation, tapped."""
    async with browser(microphone) as one:
        page = await one.new_page(bypass_csp=True)  # the page's own policy lets no worklet in but its own
        await page.add_init_script(PREPARE.replace("WORKLET", json.dumps(WORKLET)))
        await page.goto(url + line.path)
        await line.begin(page)
        yield page


async def heard_so_far(page: Page, said: Recording) -> list[Exchange]:
    """What was said and what came of it, until now."""
    microphone, output = await page.evaluate("[bench.microphone, bench.output]")
    return exchanges(utterances(said, np.asarray(microphone, float)), np.asarray(output, float))


async def hold(url: str, line: Line, microphone: Path, said: Recording) -> list[Exchange]:
    """Talk for one round of the recording."""
    async with talking(url, line, microphone) as page:
        await asyncio.sleep(said.seconds)
        return await heard_so_far(page, said)
