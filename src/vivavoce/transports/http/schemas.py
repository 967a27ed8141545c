"""The bodies of the HTTP door."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from vivavoce.contracts.speech import Voice
from vivavoce.sessions.conversation import AudioStatistics
from vivavoce.sessions.options import Mode
from vivavoce.transports.bodies import ErrorBody as ErrorBody
from vivavoce.transports.bodies import ErrorDetail as ErrorDetail

State = Literal["starting", "ok", "draining"]


class Health(BaseModel):
    """Whether the server lives, and whether it takes work."""

    status: State
    live: bool = True
    ready: bool
    version: str


class WorkerStatus(BaseModel):
    """One worker process."""

    group: str
    state: str = Field(description="For instance `starting`, `ready`, `stopped`, `failed`.")
    pid: int | None = None
    engines: list[str] = []
    jobs: int = Field(0, description="Jobs in progress.")
    waiting: int = Field(0, description="Jobs that wait for the group.")
    restarts: int = 0
    memory_mb: float | None = None


class ProviderStatus(BaseModel):
    """One engine or remote service of one kind, as requests of this server find it."""

    name: str
    kind: Literal["stt", "llm", "tts"]
    place: int | None = Field(description="Where it stands in the chain, from 0; null: only who chooses it asks it.")
    found: bool = Field(description="Found on this machine, not configured.")
    local: bool = Field(description="Nothing leaves this machine.")
    state: Literal["closed", "open", "half_open"] = Field(
        description="Of its breaker: `closed` is asked, `open` is left alone for a while, `half_open` is tried again."
    )
    answers: int = Field(0, description="Requests of the chain that it gave something for.")
    failures: int = 0
    last_error: str | None = Field(None, description="Code of the last failure.")
    last_error_age: float | None = Field(None, description="Seconds since then.")
    latency_p50: float | None = Field(None, description="Seconds to the first output, of the last 256 answers.")
    latency_p95: float | None = None


class ProviderList(BaseModel):
    """Engines and remote services."""

    providers: list[ProviderStatus]


class SessionStatus(BaseModel):
    """One live session."""

    id: str
    transport: str
    age: float = Field(description="Seconds since it was opened.")
    audio: AudioStatistics = Field(description="Microphone so far: levels in dBFS, times in seconds.")


class Status(BaseModel):
    """What the server is doing."""

    status: State
    version: str
    uptime: float = Field(description="Seconds.")
    sessions: list[SessionStatus]
    sessions_max: int
    sessions_opened: int = Field(description="Since the start.")
    workers: list[WorkerStatus]
    providers: list[ProviderStatus]
    certificate_ends: float | None = Field(
        None, description="When the listener's certificate ends, in seconds since the epoch; null without TLS."
    )


class OneTimeToken(BaseModel):
    """Good for one connection."""

    token: str
    expires_in: int = Field(description="Seconds.")
    scopes: list[str] = Field(description="What it allows.")


class Formats(BaseModel):
    """What a client may send and ask for; always mono PCM s16le."""

    encoding: Literal["pcm_s16le"] = "pcm_s16le"
    channels: Literal[1] = 1
    input_rate: int = 16_000
    output_rate: int = 24_000
    rate_min: int = 8_000
    rate_max: int = 48_000
    frame_ms: int = 20


class ProviderNames(BaseModel):
    """Names by kind; the first is the default."""

    stt: list[str]
    llm: list[str]
    tts: list[str]


class ClientLimits(BaseModel):
    """What one connection may do."""

    audio_message_bytes: tuple[int, int]
    text_characters: tuple[int, int]
    control_messages_per_minute: int
    played_per_second: int
    audio_speed: float = Field(description="In times real time.")
    audio_burst_seconds: float


class ClientConfig(BaseModel):
    """What a client needs to connect."""

    websocket: str = Field(description="Path of the WebSocket.")
    version: int = Field(description="Version of its protocol.")
    formats: Formats
    language: str = Field(description="Default.")
    languages: list[str]
    voice: str = Field(description="Default; empty is the engine's own.")
    voices: dict[str, list[Voice]] = Field(description="By text-to-speech provider.")
    providers: ProviderNames
    mode: Mode = Field(description="Default.")
    modes: list[Mode]
    limits: ClientLimits


class Percentiles(BaseModel):
    """Of the most recent values; seconds unless the name says otherwise."""

    count: int = Field(description="Values ever seen.")
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class MetricsReport(BaseModel):
    """Counts, latencies and depths."""

    uptime: float
    counts: dict[str, int] = Field(description="Since the start.")
    latencies: dict[str, Percentiles] = Field(
        description="Per stage of a turn after the end of speech, event-loop lag, audio age."
    )
    gauges: dict[str, float] = Field(description="Now: sessions, connections, queue depths.")
