"""All worker groups of a server, and their engines as ports."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vivavoce.contracts.errors import ConfigurationError, UnknownName
from vivavoce.contracts.ports import (
    Clock,
    LanguageModel,
    SpeechToText,
    TextToSpeech,
    TurnDetector,
    VoiceActivityDetector,
    WakeWordDetector,
)
from vivavoce.contracts.speech import Capabilities
from vivavoce.workers.access import EngineAccess
from vivavoce.workers.activity import WorkerVoiceActivityDetector
from vivavoce.workers.answering import WorkerLanguageModel, WorkerTurnDetector
from vivavoce.workers.fleet import WorkerStatus
from vivavoce.workers.group import WorkerGroup
from vivavoce.workers.hearing import WorkerSpeechToText
from vivavoce.workers.options import EngineKind, WorkerOptions
from vivavoce.workers.speaking import WorkerTextToSpeech
from vivavoce.workers.waking import WorkerWakeWordDetector

__all__ = ["WorkerPool", "WorkerStatus"]


class WorkerPool:
    """Starts the groups, hands out ports, ends everything.

    Ports may be made before ``start`` and outlive crashes, unloading and recycling. A port's capabilities are what its
    engine told at its last load; before that only the name is known (``describe`` loads the engine and tells).
    """

    def __init__(self, groups: Sequence[WorkerOptions], clock: Clock) -> None:
        """Raises ConfigurationError for two groups of one name or two voice activity detectors in one process."""
        names = [group.name for group in groups]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"worker groups need different names, not {', '.join(names)}")
        for group in groups:
            if sum(engine.kind == "vad" for engine in group.engines) > 1:
                raise ConfigurationError(f"worker group {group.name} may hold one voice activity detector, not several")
        self._clock = clock
        self._groups = [WorkerGroup(group, clock) for group in groups]

    async def start(self) -> None:
        """Bring up the groups that are prewarmed, side by side; return when all are loaded.

        An engine that cannot be loaded is no reason to fail here: its jobs fail with its error, and ``status`` shows it.
        """
        await asyncio.gather(*(group.start() for group in self._groups if group.options.prewarm))

    async def close(self, grace: float = 0.0) -> None:
        """Refuse new jobs, give those in progress ``grace`` seconds, end every process. Idempotent."""
        await asyncio.gather(*(group.close(grace) for group in self._groups))

    def status(self) -> list[WorkerStatus]:
        """One line per process, or place for one."""
        return [line for group in self._groups for line in group.status()]

    def speech_to_text(self, name: str) -> SpeechToText:
        """Raises UnknownName."""
        return WorkerSpeechToText(self._access("stt", name))

    def text_to_speech(self, name: str) -> TextToSpeech:
        """Raises UnknownName."""
        return WorkerTextToSpeech(self._access("tts", name))

    def language_model(self, name: str) -> LanguageModel:
        """Raises UnknownName."""
        return WorkerLanguageModel(self._access("llm", name))

    def voice_activity(self, name: str) -> VoiceActivityDetector:
        """Raises UnknownName."""
        return WorkerVoiceActivityDetector(self._access("vad", name))

    def turn_detector(self, name: str) -> TurnDetector:
        """Raises UnknownName."""
        return WorkerTurnDetector(self._access("turn", name))

    def wake_words(self, name: str) -> WakeWordDetector:
        """Raises UnknownName."""
        return WorkerWakeWordDetector(self._access("wake", name))

    async def describe(self, kind: EngineKind, name: str) -> Capabilities:
        """What the engine can do, loading it if need be. Raises UnknownName, or what keeps it from loading."""
        access = self._access(kind, name)
        return await access.group.describe(access.engine)

    def _access(self, kind: EngineKind, name: str) -> EngineAccess:
        """By the engine's name, or by the group's where several groups run one engine with a model each."""
        engines = [(group, engine) for group in self._groups for engine in group.options.engines if engine.kind == kind]
        by_engine = [(group, engine) for group, engine in engines if engine.name == name]
        by_group = [(group, engine) for group, engine in engines if group.options.name == name]
        for group, engine in by_engine or by_group:
            return EngineAccess(group, (kind, engine.name), self._clock)
        there = sorted(e.name for group in self._groups for e in group.options.engines if e.kind == kind)
        raise UnknownName(f"no worker runs a {kind} engine {name!r}; there is {', '.join(there) or 'none'}")
