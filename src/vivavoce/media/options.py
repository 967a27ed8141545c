"""What can be configured about WebRTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

BackendName = Literal["auto", "wrtc", "aiortc"]


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server, for this server and for its clients."""

    urls: tuple[str, ...]
    """Its addresses, such as `stun:stun.example:3478` or `turn:turn.example:3478?transport=tcp`."""
    username: str = ""
    """Of a TURN server."""
    credential: str = ""
    """Password of a TURN server. Clients are told it: give it a user of its own, with a quota."""


@dataclass(frozen=True, slots=True)
class WebRtcOptions:
    """Calls over WebRTC. They need the extra `webrtc` (preferred) or `webrtc-native`."""

    backend: BackendName = "auto"
    """The library calls end in; `auto` takes `aiortc` where it is installed, else `wrtc`."""
    ice_servers: tuple[IceServer, ...] = ()
    """STUN and TURN servers. None is needed where clients reach this machine's addresses."""
    port_min: int = field(default=0, metadata={"min": 0, "max": 65_535})
    """Lowest UDP port of media; 0 leaves the choice to the system."""
    port_max: int = field(default=0, metadata={"min": 0, "max": 65_535})
    """Highest UDP port of media. A call needs one port for each address of this machine."""
    addresses: tuple[str, ...] = ()
    """Addresses of this machine that are offered to clients; empty is all of them."""
    loopback: bool = False
    """Offer 127.0.0.1, too: for a client on this very machine, and for tests."""
    max_calls: int = field(default=32, metadata={"min": 1})
    """Calls at the same time."""
    processes: int = field(default=1, metadata={"min": 1})
    """Media processes that share them; one carries about as many calls as fit on a core."""
    prewarm: bool = False
    """Start the media processes with the server; otherwise with the first call."""
    idle_unload: float = field(default=600.0, metadata={"min": 1})
    """Seconds without a call after which the media processes end."""
    bitrate: int = field(default=24_000, metadata={"min": 6_000, "max": 128_000})
    """Bits per second of what callers hear (Opus, mono); `wrtc` adapts it to the network by itself."""
    playout_delay: float = field(default=0.08, metadata={"min": 0, "max": 2})
    """Seconds between the encoder and the ear (network, the client's jitter buffer), for what counts as heard."""
    connect_timeout: float = field(default=30.0, metadata={"min": 1})
    """Seconds a call may take to connect, and to recover when the network is gone; then it is ended."""
    max_sdp: int = field(default=65_536, metadata={"min": 1_024, "max": 524_288})
    """Bytes of an offer."""
    max_candidates: int = field(default=64, metadata={"min": 1})
    """Candidates a client may add to its offer."""
    max_message: int = field(default=262_144, metadata={"min": 1_024, "max": 524_288})
    """Bytes of one message of a data channel."""
