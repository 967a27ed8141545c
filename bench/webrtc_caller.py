"""One simulated person on a call: aiortc as the client, a microphone at its pace, an ear behind the jitter buffer."""

from __future__ import annotations

import asyncio
import fractions
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aioice.ice
import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from bench.speech import RATE, Utterance
from bench.webrtc_line import Network, Relay, through_relay, without_candidates

FRAME = RATE // 50
LOUD = 1_000


class Microphone(MediaStreamTrack):
    """20 ms at a time: what is being said, else silence."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._waiting = b""
        self._left = 0
        self._samples = 0
        self._start = 0.0
        self.ended_at: float | None = None
        """When the last sample of speech was handed out."""

    def say(self, utterance: Utterance) -> None:
        """From the next frame on."""
        self._waiting, self._left, self.ended_at = utterance.pcm, utterance.end, None

    async def recv(self) -> Any:
        """The next frame when it is due."""
        now = time.monotonic()
        self._start = self._start or now
        await asyncio.sleep(max(0.0, self._start + self._samples / RATE - now))
        if self.readyState != "live":
            raise MediaStreamError
        pcm, self._waiting = self._waiting[: 2 * FRAME], self._waiting[2 * FRAME :]
        if self._left > 0:
            self._left -= FRAME
            if self._left <= 0:
                self.ended_at = time.monotonic()
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(pcm + bytes(2 * FRAME - len(pcm)))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, fractions.Fraction(1, RATE)
        self._samples += FRAME
        return frame


@dataclass
class Call:
    """A call that is connected."""

    peer: Any
    microphone: Microphone
    channel: Any
    events: list[dict[str, Any]] = field(default_factory=list)
    loud: list[float] = field(default_factory=list)
    frames: int = 0
    relay: Relay | None = None

    def count(self, kind: str) -> int:
        """Events of a kind so far."""
        return sum(event["type"] == kind for event in self.events)

    async def until(self, kind: str, count: int, seconds: float = 30.0) -> bool:
        """Whether so many events of a kind came in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.count(kind) >= count:
                return True
            await asyncio.sleep(0.02)
        return False

    async def ask(self, utterance: Utterance) -> tuple[float | None, str]:
        """Say it; seconds from the end of speech to the first sound of the answer, and its text."""
        before, heard = self.count("response_complete"), len(self.loud)
        self.microphone.say(utterance)
        if not await self.until("response_complete", before + 1):
            return None, ""
        await asyncio.sleep(0.3)
        end = self.microphone.ended_at
        first = next((at for at in self.loud[heard:] if end is not None and at > end), None)
        done = [event for event in self.events if event["type"] == "response_complete"][before]
        return (None if first is None or end is None else first - end), str(done["text"])


@asynccontextmanager
async def call(url: str, network: Network | None = None) -> AsyncIterator[Call]:
    """Call the server; through a ``network`` by way of a relay."""
    own, aioice.ice.get_host_addresses = aioice.ice.get_host_addresses, lambda **_: ["127.0.0.1"]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    microphone = Microphone()
    peer.addTrack(microphone)
    one = Call(peer, microphone, peer.createDataChannel("vivavoce"))
    one.channel.on("message", lambda text: one.events.append(json.loads(text)))
    hearing: list[asyncio.Task[None]] = []
    peer.on("track", lambda track: hearing.append(asyncio.get_running_loop().create_task(_hear(one, track))))
    try:
        await peer.setLocalDescription(await peer.createOffer())
        offer = peer.localDescription.sdp
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            body = {
                "type": "offer",
                "sdp": offer if network is None else without_candidates(offer),
                "hello": {"silence_ms": 500},
            }
            answer = (await http.post("/webrtc/offer", json=body)).raise_for_status().json()
        sdp = answer["sdp"]
        if network is not None:
            sdp, one.relay = await through_relay(sdp, network)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        if not await one.until("ready", 1):
            raise RuntimeError("the call did not connect within 30 s")
        yield one
    finally:
        await peer.close()
        await asyncio.gather(*hearing, return_exceptions=True)
        if one.relay is not None:
            one.relay.close()
        aioice.ice.get_host_addresses = own


async def _hear(one: Call, track: Any) -> None:
    try:
        while True:
            frame = await track.recv()
            one.frames += 1
            if int(np.abs(frame.to_ndarray()).max()) > LOUD:
                one.loud.append(time.monotonic())
    except MediaStreamError:
        return
