"""A real browser calls the real server: two spoken turns in each of the two languages calls are spoken in."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.browser.pages import true_on, visit
from tests.browser.test_conversation import microphone
from tests.conftest import require
from tests.live.calling import SETTINGS
from tests.live.server import live_server

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

FLAGS = ("--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required")
PACKAGES = {"aiortc": "aiortc", "wrtc": "webrtc"}

PREPARE = """
async (label) => {
    const call = (window.call = { events: [], peak: 0, states: [] });
    const config = await (await fetch("/webrtc/config")).json();
    const peer = (call.peer = new RTCPeerConnection({ iceServers: config.ice_servers }));
    peer.onconnectionstatechange = () => call.states.push(peer.connectionState);
    const stream = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    peer.addTrack(stream.getAudioTracks()[0], stream);
    call.channel = peer.createDataChannel(label);
    call.channel.onmessage = (message) => call.events.push(JSON.parse(message.data));
    peer.ontrack = (event) => {
        call.streams = event.streams.length;
        const heard = new MediaStream([event.track]);
        const element = document.body.appendChild(document.createElement("audio"));
        element.muted = true;  // a remote track is silent to the analyser unless an element plays it
        element.srcObject = heard;
        element.play();
        const context = new AudioContext();
        const analyser = context.createAnalyser();
        context.createMediaStreamSource(heard).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        setInterval(() => {
            analyser.getFloatTimeDomainData(samples);
            call.peak = Math.max(call.peak, ...samples.map(Math.abs));
        }, 20);
    };
    await peer.setLocalDescription(await peer.createOffer());
    while (peer.iceGatheringState !== "complete") await new Promise((next) => setTimeout(next, 20));
}
"""

NATIVE = """
async () => {
    const body = JSON.stringify({ ...call.peer.localDescription.toJSON() });
    const answer = await fetch("/webrtc/offer", { method: "POST", body, headers: { "Content-Type": "application/json" } });
    const found = await answer.json();
    await call.peer.setRemoteDescription({ type: "answer", sdp: found.sdp });
    return answer.status;
}
"""

OPENAI = """
async () => {
    const form = new FormData();
    form.set("sdp", call.peer.localDescription.sdp);
    form.set("session", JSON.stringify({ type: "realtime", audio: { input: { transcription: { model: "whisper-1" } } } }));
    const answer = await fetch("/v1/realtime/calls", { method: "POST", body: form });
    await call.peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    call.location = answer.headers.get("Location");
    return answer.status;
}
"""


async def count(page: Any, kind: str) -> int:
    return int(await page.evaluate(f'call.events.filter((event) => event.type === "{kind}").length'))


def of(kind: str) -> str:
    """Events of a kind, as an expression on the page."""
    return f'call.events.filter((event) => event.type === "{kind}")'


async def texts(page: Any, kind: str, field: str) -> str:
    return str(await page.evaluate(f'{of(kind)}.map((event) => event.{field}).join("|")'))


def backend(name: str) -> tuple[str, ...]:
    require(find_spec(PACKAGES[name]), f"{name} is not installed (pip install 'vivavoce[webrtc,webrtc-native]')")
    return (*SETTINGS, "--set", f"webrtc.backend={name}")


@pytest.mark.parametrize("name", ["aiortc", "wrtc"])
async def test_a_browser_calls_in_both_languages(name: str, tmp_path: Path) -> None:
    recording = await asyncio.to_thread(microphone, tmp_path)
    async with live_server(*backend(name)) as server:
        page_of = server.url + "/health/live"
        async with visit(page_of, microphone=recording, more_flags=FLAGS) as seen:
            page = seen.page
            await page.evaluate(PREPARE, "vivavoce")
            assert await page.evaluate(NATIVE) == 201
            # The recording goes round. Which words are understood is for the live tests: a browser processes what it sends.
            await true_on(page, f"{of('response_complete')}.length >= 2")
            assert "what" in await texts(page, "transcription", "text")
            assert await texts(page, "response_complete", "text")
            assert await page.evaluate("call.peak") > 0.05, "it was heard"
            assert await page.evaluate("call.streams") == 1, "pages play `event.streams[0]`"
            assert "connected" in await page.evaluate("call.states")
            await page.evaluate('call.channel.send(JSON.stringify({ type: "goodbye" }))')
            await true_on(page, 'call.events.some((event) => event.type === "goodbye")')
        async with visit(page_of, microphone=recording, more_flags=FLAGS) as seen:
            page = seen.page
            await page.evaluate(PREPARE, "oai-events")
            assert await page.evaluate(OPENAI) == 201
            assert (await page.evaluate("call.location")).startswith("/v1/realtime/calls/rtc_")
            await true_on(page, f"{of('response.done')}.length >= 2")
            assert "what" in await texts(page, "conversation.item.input_audio_transcription.completed", "transcript")
            assert await texts(page, "response.output_audio_transcript.done", "transcript")
            assert await count(page, "output_audio_buffer.started") >= 1, "a reply that is replaced may never sound"
            assert await count(page, "conversation.item.input_audio_transcription.completed") >= 2
            assert await count(page, "error") == 0
            assert await page.evaluate("call.peak") > 0.05, "it was heard"
            assert await page.evaluate('fetch(call.location + "/hangup", { method: "POST" }).then((a) => a.status)') == 200
