"""WebRTC by aiortc: everything in Python and mature; what packets were lost is concealed here.

Three of its habits are changed from outside, each where it is written down which: in place of its jitter buffer, which holds
everything back, packets are put in order by ``Reordering``; host addresses are those of the options; and the encoder is ours
(mono at the bit rate of the options, with forward error correction), whose packets it takes as they are.
"""

from __future__ import annotations

import fractions
import logging
import re
from typing import Any

from vivavoce.audio.concealment import Concealment
from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH
from vivavoce.contracts.errors import EngineFailed, EngineMissing, Overloaded, ProtocolViolation
from vivavoce.flow.tasks import TaskScope
from vivavoce.media.frames import FRAME, RATE
from vivavoce.media.peers import MAX_BUFFERED, Json, Mouth, Peer, PeerEvents, State, candidate_line
from vivavoce.media.ports import PortLoop
from vivavoce.media.reordering import Reordering

try:
    import aioice.ice
    import av
    from aiortc import (
        MediaStreamTrack,
        RTCConfiguration,
        RTCIceServer,
        RTCPeerConnection,
        RTCRtpReceiver,
        RTCRtpSender,
        RTCSessionDescription,
    )
    from aiortc.exceptions import InvalidAccessError, InvalidStateError
    from aiortc.jitterbuffer import JitterFrame
    from aiortc.mediastreams import MediaStreamError
    from aiortc.sdp import candidate_from_sdp
except ImportError as error:
    raise EngineMissing(
        f"WebRTC by aiortc needs a package that is not installed ({error}): pip install 'vivavoce[webrtc]'",
        code="webrtc_missing",
        cause=error,
    ) from error

_RECEIVER = "_RTCRtpReceiver__"
_INSIDE = ("jitter_buffer", "decoder_queue", "timestamp_mapper", "codecs")
"""What of aiortc's receiver the buffer in place of its own needs."""
MAX_GAP = HEARING.rate
"""Most samples put in one place of lost packets; session time is counted in samples."""
EXPECTED_LOSS = 5
"""Percent of packets the encoder's forward error correction is made for."""
_logger = logging.getLogger(__name__)
_CLOCK = fractions.Fraction(1, 48_000)
_MAX_SIZE = re.compile(r"a=max-message-size:\d+")
_STATES: dict[str, State] = {name: name for name in ("connected", "disconnected", "closed")} | {"failed": "closed"}


class AiortcBackend:
    """See peers.Backend. One a process: addresses and ports are settings of the whole process."""

    name = "aiortc"

    def __init__(self, settings: Json) -> None:
        """Settings are those of WebRtcOptions."""
        self._settings = settings
        if not hasattr(aioice.ice, "get_host_addresses"):
            raise EngineFailed("this version of aioice is not known here; install aiortc 1.16 with aioice 0.13")
        aioice.ice.get_host_addresses = self._addresses
        if settings["port_min"]:
            PortLoop.port_range = (settings["port_min"], max(settings["port_min"], settings["port_max"]))
        servers = [
            RTCIceServer(list(server["urls"]), server["username"] or None, server["credential"] or None)
            for server in settings["ice_servers"]
        ]
        self._configuration = RTCConfiguration(iceServers=servers)
        self._own = aioice.ice.ifaddr

    def peer(self, events: PeerEvents, mouth: Mouth) -> Peer:
        """See peers.Backend."""
        return AiortcPeer(self._configuration, self._settings, events, mouth)

    def _addresses(self, use_ipv4: bool, use_ipv6: bool) -> list[str]:
        """In place of aioice's own, which never gives a loopback address."""
        found = []
        for adapter in self._own.get_adapters():
            for ip in adapter.ips:
                if use_ipv4 and isinstance(ip.ip, str):
                    found.append(ip.ip)
                elif use_ipv6 and not isinstance(ip.ip, str) and ip.ip[2] == 0:
                    found.append(ip.ip[0])
        wanted = self._settings["addresses"]
        loopback = self._settings["loopback"]
        allowed = [address for address in found if loopback or address not in ("127.0.0.1", "::1")]
        return [address for address in allowed if not wanted or address in wanted]


class AiortcPeer:
    """See peers.Peer."""

    def __init__(self, configuration: RTCConfiguration, settings: Json, events: PeerEvents, mouth: Mouth) -> None:
        self._settings = settings
        self._events = events
        self._mouth = mouth
        self._connection = RTCPeerConnection(configuration)
        self._channels: dict[str, Any] = {}
        self._scope = TaskScope(self._failed, limit=4)
        self._state: State = "connecting"
        self._closed = False
        self._hears = False
        self._connection.on("track", self._track)
        self._connection.on("datachannel", self._channel)
        self._connection.on("connectionstatechange", self._changed)

    async def answer(self, sdp: str) -> str:
        """See peers.Peer."""
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            self._prepare()
            await connection.setLocalDescription(await connection.createAnswer())
        except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
            raise ProtocolViolation(
                f"this is no offer that can be answered: {error}", code="bad_offer", cause=error
            ) from error
        except (InvalidAccessError, InvalidStateError) as error:
            raise ProtocolViolation(f"this offer does not fit: {error}", code="bad_offer", cause=error) from error
        text: str = connection.localDescription.sdp
        return _MAX_SIZE.sub(f"a=max-message-size:{self._settings['max_message']}", text)

    def _prepare(self) -> None:
        """Opus in both directions, our encoder, our order of packets."""
        spoken = [transceiver for transceiver in self._connection.getTransceivers() if transceiver.kind == "audio"]
        if not spoken:
            raise ProtocolViolation("the offer has no audio; offer a microphone, or an audio transceiver", code="bad_offer")
        for transceiver in self._connection.getTransceivers():
            if transceiver is not spoken[0]:
                transceiver.direction = "inactive"  # pictures, and voices beside the first
        opus = [codec for codec in RTCRtpReceiver.getCapabilities("audio").codecs if codec.mimeType == "audio/opus"]
        spoken[0].setCodecPreferences(opus)
        receiver = spoken[0].receiver
        if not all(hasattr(receiver, _RECEIVER + name) for name in _INSIDE):
            raise EngineFailed("this version of aiortc is not known here; install aiortc 1.16")
        setattr(receiver, f"{_RECEIVER}jitter_buffer", _InOrder(receiver))
        sender: RTCRtpSender = self._connection.addTrack(_Voice(self._mouth, self._settings["bitrate"]))
        assert sender is spoken[0].sender

    async def add_candidate(self, candidate: Json | None) -> None:
        """See peers.Peer."""
        line = candidate_line(candidate or {})
        if not line:
            await self._connection.addIceCandidate(None)
            return
        assert candidate is not None
        try:
            parsed = candidate_from_sdp(line)
            parsed.sdpMid, parsed.sdpMLineIndex = candidate.get("sdpMid"), candidate.get("sdpMLineIndex")
            await self._connection.addIceCandidate(parsed)
        except (ValueError, IndexError, AssertionError) as error:
            raise ProtocolViolation(f"this is no candidate: {error}", code="bad_candidate", cause=error) from error

    def send(self, label: str, text: str) -> None:
        """See peers.Peer."""
        channel = self._channels.get(label)
        if channel is None or channel.readyState != "open":
            return
        if channel.bufferedAmount > MAX_BUFFERED:
            raise Overloaded("the client does not read its data channel", code="slow_client")
        channel.send(text)

    async def close(self) -> None:
        """See peers.Peer."""
        self._closed = True
        await self._scope.close()
        await self._connection.close()

    # --- what aiortc tells

    def _track(self, track: Any) -> None:
        if track.kind == "audio" and not self._hears:
            self._hears = True
            self._scope.start(self._hear(track), name="hear")

    async def _hear(self, track: Any) -> None:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=HEARING.rate)
        concealment = Concealment(HEARING.rate)
        expected: int | None = None
        try:
            while True:
                frame = await track.recv()
                if expected is not None and frame.pts is not None:
                    lost = min((frame.pts - expected) * HEARING.rate // 48_000, MAX_GAP)
                    if lost > 0:
                        self._events.heard(concealment.lost(lost))
                expected = None if frame.pts is None else frame.pts + frame.samples
                frame.pts = None  # gaps are filled here
                for piece in resampler.resample(frame):
                    self._events.heard(concealment.heard(bytes(piece.planes[0])[: piece.samples * SAMPLE_WIDTH]))
        except MediaStreamError:
            return  # the client's microphone is gone; the connection says whether the client is, too

    def _channel(self, channel: Any) -> None:
        label = str(channel.label)
        if len(self._channels) >= 4 and label not in self._channels:
            return
        self._channels[label] = channel
        channel.on("message", lambda message: self._said(label, message))
        self._events.opened(label)

    def _said(self, label: str, message: Any) -> None:
        if isinstance(message, str):
            self._events.said(label, message)

    def _changed(self) -> None:
        state = _STATES.get(self._connection.connectionState)
        if state is not None and state != self._state and not self._closed:
            self._state = state
            self._events.state(state)

    def _failed(self, error: Exception) -> None:
        _logger.error("a call failed", exc_info=error)
        if not self._closed:
            self._events.state("closed")


class _InOrder:
    """In place of a receiver's ``JitterBuffer``: each Opus packet is a frame, and several may be due at once.

    The receiver takes one frame for a packet; those before it are given to its decoder here, in the way it does it.
    """

    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver
        self._order: Reordering[Any] = Reordering()

    def add(self, packet: Any) -> tuple[bool, Any]:
        """The newest frame whose turn it is, if any; never a request for a key frame."""
        ready = self._order.add(packet.sequence_number, packet)
        for earlier in ready[:-1]:
            codec = self._inside("codecs").get(earlier.payload_type)
            frame = JitterFrame(earlier._data, self._inside("timestamp_mapper").map(earlier.timestamp))  # noqa: SLF001
            self._inside("decoder_queue").put((codec, frame))
        return False, JitterFrame(ready[-1]._data, ready[-1].timestamp) if ready else None  # noqa: SLF001

    def _inside(self, name: str) -> Any:
        return getattr(self._receiver, _RECEIVER + name)


class _Voice(MediaStreamTrack):  # type: ignore[misc]
    """What the client hears, as Opus packets."""

    kind = "audio"

    def __init__(self, mouth: Mouth, bitrate: int) -> None:
        super().__init__()
        self._mouth = mouth
        self._codec = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate = RATE
        self._codec.layout = "mono"
        self._codec.format = "s16"
        self._codec.bit_rate = bitrate
        self._codec.time_base = fractions.Fraction(1, RATE)
        self._codec.options = {"application": "voip", "fec": "1", "packet_loss": str(EXPECTED_LOSS)}
        self._samples = 0
        self._packets = 0

    async def recv(self) -> Any:
        """The next packet; 0.2 ms of computing."""
        while True:
            pcm = await self._mouth.next()
            if self.readyState != "live":
                raise MediaStreamError
            frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
            frame.planes[0].update(pcm)
            frame.sample_rate = RATE
            frame.pts = self._samples
            self._samples += FRAME
            for packet in self._codec.encode(frame):
                packet.pts = self._packets * FRAME * 48_000 // RATE
                packet.time_base = _CLOCK
                self._packets += 1
                return packet
