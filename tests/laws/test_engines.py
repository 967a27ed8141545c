"""The laws of the ports, kept by every built-in engine that is installed, in a real worker process."""

from __future__ import annotations

from functools import cache

import pytest

from tests.conftest import require
from tests.laws import laws
from tests.laws.test_workers import keep
from vivavoce.app.engines import CATALOGUE, EngineEntry, lacking, mending
from vivavoce.services.models import directory, locate
from vivavoce.workers.options import EngineOptions, WorkerOptions

pytestmark = [pytest.mark.engine, pytest.mark.process, pytest.mark.real_time]

PORTS = {
    "stt": ("speech_to_text", laws.SPEECH_TO_TEXT),
    "tts": ("text_to_speech", laws.TEXT_TO_SPEECH),
    "llm": ("language_model", laws.LANGUAGE_MODEL),
    "vad": ("voice_activity", laws.VOICE_ACTIVITY),
    "turn": ("turn_detector", laws.TURN_DETECTOR),
}
BUILT_IN = [engine for engine in CATALOGUE if not engine.pulls and engine.kind in PORTS]
"""Those that need a package or a model from elsewhere are tested where these are, in tests/engines."""
CASES = [(engine, law) for engine in BUILT_IN for law in PORTS[engine.kind][1]]


@cache
def group_of(engine: EngineEntry) -> WorkerOptions | str:
    """A worker group that runs the engine, or what it lacks."""
    models = directory("")
    lack = lacking(engine, models)
    if lack:
        return f"{engine.name} needs {lack}; {mending(engine, lack)}"
    path = locate(engine.model, models) if engine.model else None
    return WorkerOptions("law", (EngineOptions(engine.kind, engine.name, {"model": str(path)} if path else {}),))


@pytest.fixture
def group(engine: EngineEntry) -> WorkerOptions:
    """The engine's group; looks at files, so not on the loop."""
    found = group_of(engine)
    require(isinstance(found, WorkerOptions), str(found))
    assert isinstance(found, WorkerOptions)
    return found


@pytest.mark.parametrize(("engine", "law"), CASES, ids=[f"{engine.name}-{laws.name(law)}" for engine, law in CASES])
async def test_installed_engines(engine: EngineEntry, law: laws.Law, group: WorkerOptions) -> None:
    await keep(law, PORTS[engine.kind][0], engine.name, group)
