"""The whole configuration: the options of every room in one tree, and the few settings that belong to none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vivavoce.media.options import WebRtcOptions
from vivavoce.observe.options import TurnOptions
from vivavoce.providers.options import DiscoveryOptions, ProviderOptions
from vivavoce.services.options import ModelOptions
from vivavoce.sessions.options import SessionOptions
from vivavoce.transports.openai.options import OpenAIOptions
from vivavoce.transports.options import ResumeOptions, ServerOptions
from vivavoce.workers.options import Setting, WorkerOptions


@dataclass(frozen=True, slots=True)
class EngineChoices:
    """Which engine serves each purpose, by the name of an engine or of an installed model. ``auto`` takes the best one that
    is installed; ``vivavoce doctor`` names it."""

    stt: str = "auto"
    """Speech to text, for example `pocketsphinx`, `whisper` or `whisper-base.en`."""
    tts: str = "auto"
    """Text to speech, for example `espeak`, `piper` or `piper-de_DE-thorsten`."""
    llm: str = "auto"
    """What answers: `commands`, the built-in agent, a provider, or several in turn: `openai, commands`."""
    vad: str = "auto"
    """Voice activity detection, for example `silero`."""
    turn: str = "auto"
    """End-of-turn detection by sound, for example `smart_turn`; `off` leaves it to the words alone."""
    wake: str = "auto"
    """Wake words, for example `micro_wakeword`; `off` is for nobody to be woken by a word."""
    threads: int = 0
    """Threads of each engine that computes with several; 0 leaves a core to the rest, and takes at most four."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where engines compute that can choose."""
    options: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)
    """Settings passed on to engines as they are, by the name of the engine or model."""


@dataclass(frozen=True, slots=True)
class LoggingOptions:
    """What the server writes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important message that is written."""
    format: Literal["text", "json"] = "text"
    """One line for people, or one JSON object a line for machines."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be configured."""

    dev: bool = False
    """Development: scripted engines in place of real ones, and a reload when a source file changes."""
    offline: bool = False
    """Make no connection to other machines to fetch models; `vivavoce models pull` refuses, `import` works."""
    models_dir: str = ""
    """Folder of model files; empty is `~/.local/share/vivavoce/models`."""
    models: ModelOptions = field(default_factory=ModelOptions)
    """Where model files are fetched from, and how patiently."""
    server: ServerOptions = field(default_factory=ServerOptions)
    """The doors: where the server listens and what it accepts."""
    websocket: ResumeOptions = field(default_factory=ResumeOptions)
    """Sessions of `/ws/audio` that outlive their connection."""
    openai: OpenAIOptions = field(default_factory=OpenAIOptions)
    """The routes under `/v1` that clients of OpenAI's API use."""
    webrtc: WebRtcOptions = field(default_factory=WebRtcOptions)
    """Calls over WebRTC."""
    sessions: SessionOptions = field(default_factory=SessionOptions)
    """Conversations: limits, endpointing, barge-in, replies."""
    turns: TurnOptions = field(default_factory=TurnOptions)
    """Finished turns kept in memory for the dashboard."""
    engines: EngineChoices = field(default_factory=EngineChoices)
    """Which engine serves each purpose."""
    providers: tuple[ProviderOptions, ...] = ()
    """Remote services, the one to ask first first. `vivavoce connect` adds one."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """API keys by the name of the provider; kept in `secrets.yaml` beside the user's file, or `VIVAVOCE_KEYS__NAME`."""
    local_only: bool = False
    """Refuse providers on other machines, so that nothing that is said leaves this one."""
    discovery: DiscoveryOptions = field(default_factory=DiscoveryOptions)
    """Language models that run on this machine are found and used if `engines.llm` is `auto`."""
    workers: tuple[WorkerOptions, ...] = ()
    """Worker groups; empty builds them from `engines`. A list given here takes the place of them all."""
    logging: LoggingOptions = field(default_factory=LoggingOptions)
    """What the server writes to standard error."""
