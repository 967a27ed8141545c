"""From settings to live parts: worker processes, ports, sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any, TypeVar

from vivavoce.app.engines import OFF, WAKE_WORDS, aliases, languages, worker_groups
from vivavoce.app.providers import Providers, local_engines
from vivavoce.config.settings import Settings
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.contracts.ports import Clock, WakeWordDetector
from vivavoce.contracts.speech import Capabilities
from vivavoce.flow.clock import MonotonicClock
from vivavoce.sessions.ports import Choice, SessionPorts, WakeWords
from vivavoce.workers.options import EngineKind, WorkerOptions
from vivavoce.workers.pool import WorkerPool, WorkerStatus

T = TypeVar("T")

KINDS: tuple[EngineKind, ...] = ("stt", "tts", "llm", "vad", "turn", "wake")
PLUGINS = "vivavoce.ports"
"""Entry-point group of ports from outside: ``open(kind, name, settings)``. ``serve --dev`` takes the scripted ones."""
SCRIPTED = "scripted"


class Parts:
    """Ports and the processes behind them."""

    def __init__(
        self,
        ports: SessionPorts,
        pool: WorkerPool,
        clock: Clock,
        providers: Providers,
        groups: Sequence[WorkerOptions] = (),
    ) -> None:
        self.ports = ports
        self.pool = pool
        self.providers = providers
        self.clock = clock
        self.groups = groups
        self._starting: asyncio.Future[Any] | None = None

    def begin(self) -> None:
        """Start and load what is used by default; what fails to load says so when it is used and in the status."""
        if self._starting is None:
            self._starting = asyncio.gather(self.pool.start(), self.providers.start())

    async def start(self) -> None:
        """``begin``, if that was not done, and wait until everything has been loaded."""
        self.begin()
        assert self._starting is not None
        await self._starting

    async def close(self) -> None:
        """End all processes and connections. Idempotent."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)  # whoever waited for it has heard how it went
        await self.providers.close()
        await self.pool.close(grace=1.0)

    def workers(self) -> Sequence[WorkerStatus]:
        """How the processes are."""
        return self.pool.status()


def parts_of(settings: Settings, kinds: tuple[EngineKind, ...] | None = None) -> Parts:
    """Build, but do not start. ``kinds`` limits which engines are wanted. Raises ConfigurationError."""
    clock = MonotonicClock()
    wanted = kinds or KINDS
    plugins = _plugins(settings)
    providers = Providers(settings, clock, wanted)
    local = tuple(kind for kind in wanted if kind not in plugins and providers.needs_engine(kind))
    engines = local_engines(settings)
    groups = settings.workers or worker_groups(engines, local)
    pool = WorkerPool(groups, clock)
    own = bool(settings.workers)  # groups of the configuration hold several engines, each known by its own name

    def choice(kind: EngineKind, port: Callable[[str], T]) -> Choice[T]:
        if kind in plugins:
            return Choice(kind, {settings_name(settings, kind): plugins[kind]})
        found = [(group, engine) for group in groups for engine in group.engines if engine.kind == kind]
        names = [engine.name if own else group.name for group, engine in found] if kind in local else []
        return Choice(kind, {name: port(name) for name in names}, {} if own else aliases(groups, kind))

    vad = choice("vad", pool.voice_activity)
    turn = choice("turn", pool.turn_detector)
    wake = choice("wake", pool.wake_words)
    if "wake" in wanted and settings.sessions.conversation.wake_words and not wake.ports:
        raise ConfigurationError(
            f"sessions.conversation.wake_words: nobody could hear them; {WAKE_WORDS}, engines.wake: auto"
        )
    ports = SessionPorts(
        stt=providers.join(choice("stt", pool.speech_to_text), "stt"),
        llm=providers.join(choice("llm", pool.language_model), "llm"),
        tts=providers.join(choice("tts", pool.text_to_speech), "tts"),
        vad=vad.get() if vad.ports else _NoDetector(),
        turn=turn.get() if turn.ports else None,
        wake=_wake_words(wake, pool, plugged="wake" in plugins),
        **({} if own or "stt" not in local else {"languages": languages(engines)}),
    )
    ports = replace(ports, languages=providers.languages(ports.languages))
    return Parts(ports, pool, clock, providers, groups)


def _wake_words(choice: Choice[WakeWordDetector], pool: WorkerPool, *, plugged: bool) -> WakeWords | None:
    if not choice.ports:
        return None
    name, detector = choice.default, choice.get()

    async def load() -> Capabilities:
        return detector.capabilities if plugged else await pool.describe("wake", name)

    return WakeWords(detector, load)


def settings_name(settings: Settings, kind: EngineKind) -> str:
    """What the configuration calls the engine of a kind."""
    return SCRIPTED if settings.dev else str(getattr(settings.engines, kind))


def _plugins(settings: Settings) -> dict[EngineKind, Any]:
    """Ports that come from outside: all of them in development, else those named in ``engines`` by their entry point."""
    doors = {point.name: point for point in entry_points(group=PLUGINS)}
    found: dict[EngineKind, Any] = {}
    for kind in KINDS:
        name = settings_name(settings, kind)
        if name in doors and name != OFF:
            found[kind] = doors[name].load()(kind, name, {})
    if settings.dev and SCRIPTED not in doors:
        raise ConfigurationError("the scripted engines are not installed; install the package again (./setup.sh)")
    return found


class _NoDetector:
    """Stands where no voice activity is wanted."""

    @property
    def capabilities(self) -> Any:
        raise ConfigurationError("this command was built without voice activity detection")

    def open(self, on_result: Any, on_error: Any) -> Any:
        """See VoiceActivityDetector."""
        raise ConfigurationError("this command was built without voice activity detection")
