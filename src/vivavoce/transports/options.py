"""What can be configured about the doors. Durations are seconds, sizes bytes, unless the name says otherwise."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any

from vivavoce.contracts.errors import ConfigurationError

MAX_AUDIO_MESSAGE = 1024 * 1024
"""Largest binary message."""

WEBSOCKET_PATH = "/ws/audio"
REALTIME_PATH = "/v1/realtime"
PROTOCOL_VERSION = 1
"""Of the WebSocket protocol; it rises when a client of the older one could no longer work."""

MAX_TEXT = 5_000
"""Characters of a typed turn."""

MAX_REALTIME_MESSAGE = 15 * 1024 * 1024 + 64 * 1024
"""Largest message at the Realtime door: 15 MiB of base64 in one append, and what is around it."""

MAX_CONTROL_MESSAGE = 128 * 1024
"""Largest JSON message: 5 000 characters of text escaped to six bytes each, twice, with room."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """Budgets of one WebSocket connection. Audio has its own, so that control limits never silence a speaker."""

    max_connections: int = field(default=512, metadata={"min": 1})
    """Open connections, those without a session included."""
    control_per_minute: int = field(default=240, metadata={"min": 1})
    """Control messages in any 60 s, acknowledgements apart."""
    played_per_second: int = field(default=60, metadata={"min": 1})
    """Acknowledgements; a client needs five to ten."""
    bad_messages: int = field(default=20, metadata={"min": 1})
    """Messages that fail validation within ``bad_window``."""
    bad_window: float = 10.0
    """Seconds over which ``bad_messages`` are counted."""
    refusal: float = 10.0
    """Control messages are ignored for this long after a limit was passed; audio goes on."""
    audio_speed: float = field(default=4.0, metadata={"min": 1})
    """Microphone audio accepted, in times real time."""
    audio_burst: float = field(default=10.0, metadata={"min": 0.1})
    """Seconds of audio that may come at once."""
    first_message: float = field(default=60.0, metadata={"min": 1})
    """A connection that says nothing for this long is closed."""
    outbox_messages: int = field(default=2_048, metadata={"min": 64})
    """Messages waiting for a slow client; beyond it the connection is closed."""
    outbox_bytes: int = field(default=1024 * 1024, metadata={"min": 65_536})
    """Bytes waiting for a slow client; beyond it the connection is closed."""
    close_wait: float = 5.0
    """Time to write the last messages before the connection is dropped."""


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """Sessions of `/ws/audio` that outlive their connection."""

    resume_window: float = 60.0
    """Seconds a session waits for its client after the connection was lost; 0 ends it at once."""
    resume_sessions: int = field(default=64, metadata={"min": 1})
    """Sessions that may wait at one time; beyond it the one that waits longest is ended. They count as sessions, and give
    way to new ones when the server is full."""
    resume_messages: int = field(default=1_024, metadata={"min": 16})
    """Messages, and as many pieces of reply audio, kept to be sent again."""
    resume_message_bytes: int = field(default=256 * 1024, metadata={"min": 16_384})
    """Bytes of messages kept to be sent again."""
    resume_audio_bytes: int = field(default=512 * 1024, metadata={"min": 16_384})
    """Bytes of reply audio kept to be sent again; what was acknowledged as played is not kept."""

    @property
    def on(self) -> bool:
        """Whether sessions wait at all."""
        return self.resume_window > 0


@dataclass(frozen=True, slots=True)
class RateOptions:
    """What one key (or, without keys, one address) may ask; 0 is no limit."""

    requests_per_minute: int = 3_000
    """Requests of any kind in any 60 s."""
    characters_per_minute: int = 0
    """Characters to be spoken in any 60 s."""
    audio_seconds_per_minute: int = 0
    """Seconds of recordings to be read in any 60 s."""
    upload_mb_per_minute: int = 0
    """Megabytes of recordings in any 60 s."""
    wrong_guesses: int = field(default=10, metadata={"min": 1})
    """Wrong keys from one address within a minute, after which it has to rest."""
    rest: float = 60.0
    """Seconds such an address is refused."""


@dataclass(frozen=True, slots=True)
class JwtOptions:
    """Tokens signed elsewhere; nothing here turns them off."""

    secret: str = ""
    """Shared secret (HS256, HS384, HS512), 32 characters or more."""
    jwks_file: str = ""
    """File with the public keys of whoever signs (a JSON Web Key Set)."""
    jwks_url: str = ""
    """Address of the same, fetched at the start and again when a token names an unknown key, at most once a minute."""
    jwks_lifetime: float = field(default=3_600.0, metadata={"min": 120})
    """Seconds fetched keys count; where they cannot be had anew by then, tokens are refused."""
    audience: str = ""
    """Audience tokens must be meant for; empty does not look."""
    issuer: str = ""
    """Who must have issued them; empty does not look."""
    scopes: tuple[str, ...] = ("converse",)
    """What a token without a `scope` claim may do."""

    @property
    def wanted(self) -> bool:
        """Whether anything is configured."""
        return bool(self.secret or self.jwks_file or self.jwks_url)


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """A certificate makes the server speak `https` and `wss`, and nothing else."""

    certificate_file: str = ""
    """Certificate, with those of its issuers behind it (PEM)."""
    key_file: str = ""
    """Its private key (PEM); empty where it stands in the same file."""
    password: str = ""
    """Password of the key; better in the environment, as `VIVAVOCE_SERVER__TLS__PASSWORD`."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The listening server."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback a key is needed."""
    port: int = field(default=8765, metadata={"min": 1, "max": 65_535})
    """TCP port to listen on."""
    allowed_hosts: tuple[str, ...] = ()
    """Names this server is reached by, beyond loopback names and ``host``; ``*`` allows any."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may connect (``https://app.example``), beyond pages of this server and of loopback."""
    ping_interval: float = field(default=30.0, metadata={"min": 1})
    """WebSocket pings to each client; a ping unanswered for as long again ends the connection."""
    unread_timeout: float = field(default=30.0, metadata={"min": 1})
    """A peer that takes nothing of what was sent for this long is cut off (where the kernel supports it)."""
    keys_file: str = ""
    """File with hashes of the API keys; empty is `keys.json` beside the user's configuration (`~/.config/vivavoce`). Without
    any key, and without `jwt`, the server asks for none and listens on loopback only."""
    tls: TlsOptions = field(default_factory=TlsOptions)
    """Certificate of the listener; who may listen beyond loopback is another question, which only keys answer."""
    jwt: JwtOptions = field(default_factory=JwtOptions)
    """Signed tokens of somebody else's making, accepted like keys."""
    rates: RateOptions = field(default_factory=RateOptions)
    """What one key, or one address, may ask."""
    sockets: SocketLimits = field(default_factory=SocketLimits)
    """Limits of each WebSocket connection."""


def is_loopback(host: str) -> bool:
    """Whether ``host`` (name or address, without port or brackets) means this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_binding(options: ServerOptions, *, protected: bool = False) -> None:
    """Refuse to listen beyond loopback without a key (``protected``). Raises ConfigurationError."""
    if is_loopback(options.host) or protected:
        return
    raise ConfigurationError(
        f"refusing to listen on {options.host!r} without an API key: anybody on the network could use the server. "
        "Listen on 127.0.0.1, or configure a key first"
    )


def uvicorn_options(options: ServerOptions) -> dict[str, Any]:
    """Keyword arguments for ``uvicorn.Config``, as far as the doors decide them.

    Per-message deflate is off because it doubles the CPU per session for nothing: PCM hardly shrinks.
    """
    return {
        "host": options.host,
        "port": options.port,
        "loop": "auto",
        "ws": "websockets-sansio",
        "ws_ping_interval": options.ping_interval,
        "ws_ping_timeout": options.ping_interval,
        "ws_max_size": MAX_AUDIO_MESSAGE + 1024,
        "ws_max_queue": 32,
        "ws_per_message_deflate": False,
        "server_header": False,
        "access_log": False,
        "timeout_graceful_shutdown": 5,
    }
