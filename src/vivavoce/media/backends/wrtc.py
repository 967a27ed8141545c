"""WebRTC by libwebrtc (the package ``wrtc``): the engine of Chromium. It conceals lost packets and paces itself."""

from __future__ import annotations

import logging
import math
import re
from typing import Any

import numpy as np

from vivavoce.audio.resample import Resampler
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import EngineMissing, Overloaded, ProtocolViolation
from vivavoce.flow.tasks import Signal, TaskScope, first_within
from vivavoce.media.frames import FRAME, RATE
from vivavoce.media.peers import MAX_BUFFERED, Json, Mouth, Peer, PeerEvents, State, candidate_line

try:
    import webrtc
except ImportError as error:
    raise EngineMissing(
        f"WebRTC by wrtc needs a package that is not installed ({error}): pip install 'vivavoce[webrtc-native]'",
        code="webrtc_missing",
        cause=error,
    ) from error

GATHER = 2.0
"""Seconds the answer waits for candidates; later ones are told as they come, where the protocol has a word for it."""
MICROPHONE_QUEUE = 50
"""Frames of 10 ms the library keeps for a reader that is late; the oldest give way."""
MAX_CHANNELS = 4
_STATES: dict[str, State] = {name: name for name in ("connected", "disconnected", "closed")} | {"failed": "closed"}
_MONO = webrtc.AudioDataCopyToOptions(plane_index=0, format="s16")
_CANDIDATE = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) \d+ typ host.*\r?\n", re.MULTILINE)
_logger = logging.getLogger(__name__)


class WrtcBackend:
    """See peers.Backend."""

    name = "wrtc"

    def __init__(self, settings: Json) -> None:
        """Settings are those of WebRtcOptions."""
        self._settings = settings
        if settings["loopback"]:
            webrtc.allow_loopback()
        low = settings["port_min"]
        self._ports = (low, max(low, settings["port_max"])) if low else None
        self._servers = [
            webrtc.RTCIceServer(list(server["urls"]), server["username"] or None, server["credential"] or None)
            for server in settings["ice_servers"]
        ]

    def peer(self, events: PeerEvents, mouth: Mouth) -> Peer:
        """See peers.Backend."""
        configuration = webrtc.RTCConfiguration(ice_servers=self._servers, port_range=self._ports)
        return WrtcPeer(configuration, self._settings, events, mouth)


class WrtcPeer:
    """See peers.Peer."""

    def __init__(self, configuration: Any, settings: Json, events: PeerEvents, mouth: Mouth) -> None:
        self._settings = settings
        self._events = events
        self._mouth = mouth
        self._connection = webrtc.RTCPeerConnection(configuration)
        self._generator = webrtc.MediaStreamTrackGenerator("audio")
        self._stream = webrtc.MediaStream([self._generator])
        self._channels: dict[str, Any] = {}
        self._scope = TaskScope(self._failed, limit=4)
        self._gathered = Signal()
        self._answered = False
        self._state: State = "connecting"
        self._closed = False
        self._hears = False
        self._connection.on("track", self._track)
        self._connection.on("datachannel", self._channel)
        self._connection.on("connectionstatechange", self._changed)
        self._connection.on("icecandidate", self._candidate)
        self._connection.on("icegatheringstatechange", lambda _event: self._gathered.notify())

    async def answer(self, sdp: str) -> str:
        """See peers.Peer."""
        connection = self._connection
        try:
            await connection.set_remote_description(webrtc.RTCSessionDescriptionInit(type="offer", sdp=sdp))
            await self._prepare()
            await connection.set_local_description(await connection.create_answer())
        except (webrtc.RTCException, ValueError, TypeError) as error:
            raise ProtocolViolation(f"this offer cannot be answered: {error}", code="bad_offer", cause=error) from error
        await first_within(self._all_gathered(), GATHER)
        self._answered = True
        self._scope.start(self._speak(), name="speak")
        return self._allowed(str(connection.local_description.sdp))

    async def _prepare(self) -> None:
        transceivers = self._connection.get_transceivers()
        spoken = [one for one in transceivers if one.receiver.track.kind == "audio"]
        if not spoken:
            raise ProtocolViolation("the offer has no audio; offer a microphone, or an audio transceiver", code="bad_offer")
        for transceiver in transceivers:
            if transceiver is not spoken[0]:
                transceiver.direction = "inactive"  # pictures, and voices beside the first
        # In a stream, which is what pages play: without one their `event.streams` is empty.
        sender = self._connection.add_track(self._generator, self._stream)
        parameters = sender.get_parameters()
        for encoding in parameters.encodings:
            encoding.max_bitrate = self._settings["bitrate"]
        await sender.set_parameters(parameters)

    async def _all_gathered(self) -> None:
        while self._connection.ice_gathering_state != "complete":
            await self._gathered.wait()

    def _allowed(self, sdp: str) -> str:
        """The answer without addresses that are not to be offered."""
        wanted = self._settings["addresses"]
        return _CANDIDATE.sub(lambda found: found[0] if found[1] in wanted else "", sdp) if wanted else sdp

    async def add_candidate(self, candidate: Json | None) -> None:
        """See peers.Peer."""
        try:
            if not candidate_line(candidate or {}):
                await self._connection.add_ice_candidate(None)
                return
            assert candidate is not None
            line, mid, index = candidate["candidate"], candidate.get("sdpMid"), candidate.get("sdpMLineIndex")
            await self._connection.add_ice_candidate(webrtc.RTCIceCandidateInit(line, mid, index))
        except (webrtc.RTCException, ValueError, TypeError) as error:
            raise ProtocolViolation(f"this is no candidate: {error}", code="bad_candidate", cause=error) from error

    def send(self, label: str, text: str) -> None:
        """See peers.Peer."""
        channel = self._channels.get(label)
        if channel is None or channel.ready_state != "open":
            return
        if channel.buffered_amount > MAX_BUFFERED:
            raise Overloaded("the client does not read its data channel", code="slow_client")
        try:
            channel.send(text)
        except (webrtc.RTCException, TypeError) as error:
            raise Overloaded(f"a message did not go out: {error}", code="slow_client", cause=error) from error

    async def close(self) -> None:
        """See peers.Peer."""
        self._closed = True
        await self._scope.close()
        self._connection.close()

    async def _speak(self) -> None:
        """Written every 20 ms, silence included: the library sends what it is given, when it is given."""
        writer = self._generator.writable.get_writer()
        while True:
            pcm = await self._mouth.next()
            init = webrtc.AudioDataInit(
                format="s16", sample_rate=RATE, number_of_frames=FRAME, number_of_channels=1, timestamp=0, data=pcm
            )
            await writer.write(webrtc.AudioData(init))

    # --- what the library tells

    def _track(self, event: Any) -> None:
        if event.track.kind == "audio" and not self._hears:
            self._hears = True
            self._scope.start(self._hear(event.track), name="hear")

    async def _hear(self, track: Any) -> None:
        init = webrtc.MediaStreamTrackProcessorInit(track=track, max_buffer_size=MICROPHONE_QUEUE)
        reader = webrtc.MediaStreamTrackProcessor(init).readable.get_reader()
        ear = _Ear()
        while True:
            result = await reader.read()
            if result.done:
                return
            pcm = ear.take(result.value)
            result.value.close()
            if pcm and self._state == "connected":  # behind the end it goes on with concealment for seconds
                self._events.heard(pcm)

    def _channel(self, event: Any) -> None:
        channel = event.channel
        label = str(channel.label)
        if len(self._channels) >= MAX_CHANNELS and label not in self._channels:
            return
        self._channels[label] = channel
        channel.on("message", lambda message: self._said(label, message.data))
        channel.on("close", lambda _event: self._channel_closed(label))
        if channel.ready_state == "open":
            self._events.opened(label)
        else:
            channel.on("open", lambda _event: self._events.opened(label))

    def _channel_closed(self, label: str) -> None:
        """A client that leaves closes its channels at once; that it is gone the library notices seconds later."""
        self._channels.pop(label, None)
        if not self._channels and not self._closed and self._state != "closed":
            self._state = "closed"
            self._events.state("closed")

    def _said(self, label: str, message: Any) -> None:
        if isinstance(message, str):
            self._events.said(label, message)

    def _candidate(self, event: Any) -> None:
        if not self._answered:
            return
        candidate = event.candidate
        self._events.candidate(None if candidate is None else dict(candidate.to_json()))

    def _changed(self, _event: Any) -> None:
        state = _STATES.get(str(self._connection.connection_state.value))
        if state is not None and state != self._state and not self._closed:
            self._state = state
            self._events.state(state)

    def _failed(self, error: Exception) -> None:
        _logger.error("a call failed", exc_info=error)
        if not self._closed:
            self._events.state("closed")


class _Ear:
    """From frames of the library (10 ms, 48 kHz as a rule) to 20 ms of HEARING."""

    def __init__(self) -> None:
        self._rate = 0
        self._resampler = Resampler(48_000, HEARING.rate)
        self._half = b""

    def take(self, data: Any) -> bytes:
        """Every second frame gives 20 ms: half as many frames between the processes."""
        rate, channels, count = int(data.sample_rate), data.number_of_channels, data.number_of_frames
        buffer = bytearray(count * channels * 2)
        data.copy_to(buffer, _MONO)
        pcm = bytes(buffer)
        if channels > 1:
            pcm = np.frombuffer(pcm, "<i2").reshape(-1, channels).mean(axis=1).astype("<i2").tobytes()
        if rate != self._rate:
            self._rate, self._resampler = rate, Resampler(rate, HEARING.rate)
        heard = self._half + self._resampler.process(pcm)
        if len(heard) < math.floor(0.015 * HEARING.rate) * 2:
            self._half = heard
            return b""
        self._half = b""
        return heard
