"""What can be configured about remote services."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

ProfileName = Literal["custom", "openai", "ollama", "llamacpp", "lmstudio", "vllm", "groq", "gemini", "vivavoce"]
Scalar = str | int | float | bool

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """A service that speaks the OpenAI API: where it is, what it is asked for, and how patient one is with it."""

    name: str
    """What it is called here: small letters, digits, `-` and `_`."""
    profile: ProfileName = "custom"
    """Whose service it is; sets the address and the habits it is known for."""
    url: str = ""
    """Base address up to `/v1`; empty is that of the profile."""
    key: str = field(default="", repr=False)
    """API key. Better kept in the secrets file or in `VIVAVOCE_KEYS__NAME`, see `keys`."""
    llm: str = ""
    """Name of its language model; `auto` is the first it lists, empty is none."""
    stt: str = ""
    """Name of its speech-to-text model, empty is none."""
    tts: str = ""
    """Name of its text-to-speech model, empty is none."""
    voice: str = ""
    """Voice of its text to speech; empty is that of the profile."""
    group: str = ""
    """Providers of one group are equals: work goes to the one that has least to do."""
    metered: bool | None = None
    """Whether work costs money, so that none is done ahead of time; null is as the profile says."""
    languages: tuple[str, ...] = ()
    """Languages its models speak, as BCP 47 tags; empty is any."""
    tts_rate: int = field(default=24_000, metadata={"min": 4_000, "max": 192_000})
    """Samples per second of its raw speech; a WAV answer says it itself."""
    extra: Mapping[str, Scalar] = field(default_factory=dict)
    """Further fields of each chat request, such as `reasoning_effort`."""
    connect_timeout: float = field(default=2.0, metadata={"min": 0.05})
    """Longest time to connect."""
    first_timeout: float = field(default=6.0, metadata={"min": 0.05})
    """Longest time from the request to the first of the answer."""
    between_timeout: float = field(default=6.0, metadata={"min": 0.05})
    """Longest silence within an answer."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"name must be small letters, digits, - and _, not {self.name[:60]!r}")
        if not (self.url or self.profile != "custom"):
            raise ValueError(f"needs url (the address of {self.name}), or a profile that has one")
        if self.url:
            check_url(self.url)
        if not (self.llm or self.stt or self.tts):
            raise ValueError("needs the name of a model: llm, stt or tts")
        if any(not character.isprintable() or not character.isascii() for character in self.key):
            raise ValueError("has a key with characters no key has; was it copied whole?")


@dataclass(frozen=True, slots=True)
class DiscoveryOptions:
    """Finding language models that run on this machine: Ollama, llama.cpp and LM Studio."""

    services: tuple[str, ...] = ("http://127.0.0.1:11434", "http://127.0.0.1:8080", "http://127.0.0.1:1234")
    """Addresses on this machine that are asked; an empty list turns it off."""
    timeout: float = field(default=0.5, metadata={"min": 0.05, "max": 10})
    """Longest time for all of them together."""
    interval: float = field(default=30.0, metadata={"max": 86_400})
    """Seconds, more or less, until they are asked again; 0 asks at the start only."""

    def __post_init__(self) -> None:
        for url in self.services:
            check_url(url)
            if not is_loopback(url):
                raise ValueError(f"services must be on this machine (127.0.0.1, ::1 or localhost), not {url[:100]}")


def check_url(url: str) -> None:
    """Raises ValueError for anything but an http or https address without user, query or fragment."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"url cannot be read: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("url must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("url must hold no user or password; the key has a place of its own")
    if parts.query or parts.fragment:
        raise ValueError("url must hold no ? and no #")


def is_loopback(url: str) -> bool:
    """Whether an address is this very machine by its name alone: 127.x.x.x, ::1 or localhost. Nothing is looked up."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))
