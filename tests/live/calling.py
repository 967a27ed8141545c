"""A caller in Python: aiortc on the client's side, with a microphone to speak into and an ear that keeps what it heard."""

from __future__ import annotations

import asyncio
import fractions
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import websockets

from tests.conftest import require
from tests.live.server import LiveServer

try:
    import aioice.ice
    import av
    from aiortc import MediaStreamTrack, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
    from aiortc.mediastreams import MediaStreamError
    from aiortc.rtcconfiguration import RTCIceTransportPolicy
except ImportError:
    aioice = None
    MediaStreamTrack = object

RATE = 16_000
FRAME = RATE // 50
SETTINGS = ("--set", "webrtc.loopback=true", "--set", "webrtc.addresses=127.0.0.1")


class Microphone(MediaStreamTrack):
    """20 ms at a time: what was said, silence otherwise."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.waiting = bytearray()
        self._samples = 0
        self._start: float | None = None

    def say(self, pcm: bytes) -> None:
        self.waiting += pcm

    async def recv(self) -> Any:
        loop = asyncio.get_running_loop()
        self._start = loop.time() if self._start is None else self._start
        await asyncio.sleep(max(0.0, self._start + self._samples / RATE - loop.time()))
        if self.readyState != "live":
            raise MediaStreamError
        pcm = bytes(self.waiting[: 2 * FRAME])
        del self.waiting[: 2 * FRAME]
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(pcm + bytes(2 * FRAME - len(pcm)))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, fractions.Fraction(1, RATE)
        self._samples += FRAME
        return frame


@dataclass
class Caller:
    """One call, from the client's side."""

    server: LiveServer
    peer: Any
    microphone: Microphone
    channel: Any
    id: str = ""
    token: str = ""
    answer: str = ""
    location: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    ear: list[np.ndarray] = field(default_factory=list)
    """Frames of 20 ms at 48 kHz, as they came out of the client's jitter buffer."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def until(self, kind: str, count: int = 1, seconds: float = 30.0) -> dict[str, Any]:
        for _ in range(round(seconds / 0.05)):
            if len(self.of(kind)) >= count:
                return self.of(kind)[count - 1]
            await asyncio.sleep(0.05)
        raise AssertionError(f"no {kind} number {count}: {[event['type'] for event in self.events]} {self.events[-3:]}")

    async def loud(self, frames: int = 10, since: int = 0, seconds: float = 15.0) -> int:
        """Wait until so many audible frames came behind frame ``since``; the number of frames then."""
        for _ in range(round(seconds / 0.05)):
            if sum(int(np.abs(frame).max() > 1_000) for frame in self.ear[since:]) >= frames:
                return len(self.ear)
            await asyncio.sleep(0.05)
        raise AssertionError("nothing was heard")

    async def say(self, message: dict[str, Any]) -> None:
        self.channel.send(json.dumps(message))

    async def hear(self, track: Any) -> None:
        try:
            while True:
                frame = await track.recv()
                self.ear.append(frame.to_ndarray().reshape(-1, 2)[:, 0])
        except MediaStreamError:
            self.over.set()


@asynccontextmanager
async def caller(server: LiveServer, label: str = "vivavoce", relay: dict[str, Any] | None = None) -> AsyncIterator[Caller]:
    """A peer with a microphone and a data channel, not yet connected; ``relay`` is the one TURN server it may go by."""
    require(aioice, "aiortc is not installed (pip install 'vivavoce[webrtc]')")
    own, aioice.ice.get_host_addresses = aioice.ice.get_host_addresses, lambda **_: ["127.0.0.1"]
    policy = RTCIceTransportPolicy.RELAY if relay else RTCIceTransportPolicy.ALL
    servers = [RTCIceServer(**relay)] if relay else []
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers, iceTransportPolicy=policy))
    microphone = Microphone()
    peer.addTrack(microphone)
    peer.addTransceiver("video")  # as pages with a camera do: it is declined, and the call goes on
    one = Caller(server, peer, microphone, peer.createDataChannel(label))
    one.channel.on("message", lambda text: one.events.append(json.loads(text)))
    hearing: list[asyncio.Task[None]] = []
    peer.on("track", lambda track: hearing.append(asyncio.ensure_future(one.hear(track))))
    try:
        yield one
    finally:
        await peer.close()
        await asyncio.gather(*hearing, return_exceptions=True)
        aioice.ice.get_host_addresses = own


async def offer(one: Caller, strip: bool = False) -> str:
    await one.peer.setLocalDescription(await one.peer.createOffer())
    sdp: str = one.peer.localDescription.sdp
    return "".join(line for line in sdp.splitlines(True) if "candidate" not in line) if strip else sdp


async def call(one: Caller, hello: dict[str, Any] | None = None, *, trickle: bool = False) -> dict[str, Any]:
    """Call at ``/webrtc/offer``; the answer's body."""
    sdp = await offer(one, strip=trickle)
    async with httpx.AsyncClient(base_url=one.server.url) as http:
        answer = await http.post("/webrtc/offer", json={"sdp": sdp, "type": "offer", "hello": hello or {}}, timeout=30)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    one.id, one.token, one.answer = body["id"], body["token"], body["sdp"]
    await one.peer.setRemoteDescription(RTCSessionDescription(body["sdp"], "answer"))
    return body


async def call_as_openai(one: Caller, session: dict[str, Any] | None = None) -> httpx.Response:
    """Call at ``/v1/realtime/calls``, plainly or with a session in a form."""
    sdp = await offer(one)
    async with httpx.AsyncClient(base_url=one.server.url) as http:
        path = "/v1/realtime/calls"
        if session is None:
            answer = await http.post(path, content=sdp, headers={"content-type": "application/sdp"}, timeout=30)
        else:
            parts = {
                "sdp": (None, sdp, "application/sdp"),
                "session": (None, json.dumps(session), "application/json"),
            }
            answer = await http.post(path, files=parts, timeout=30)
    assert answer.status_code == 201, answer.text
    one.location = answer.headers["location"]
    await one.peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    return answer


@asynccontextmanager
async def control(one: Caller) -> AsyncIterator[Any]:
    """The call's control socket."""
    url = f"ws://127.0.0.1:{one.server.port}/ws/webrtc/{one.id}?token={one.token}"
    async with websockets.connect(url) as socket:
        yield socket
