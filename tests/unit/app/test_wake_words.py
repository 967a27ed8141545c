"""Wake words in the configuration."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from vivavoce.app.graph import parts_of
from vivavoce.config.settings import EngineChoices, Settings
from vivavoce.contracts.errors import ConfigurationError
from vivavoce.sessions.options import ConversationOptions, SessionOptions

CALLED = SessionOptions(conversation=ConversationOptions(wake_words=("okay_nabu",)))
SCRIPTED = EngineChoices(stt="scripted", tts="scripted", llm="scripted", vad="scripted", turn="scripted", wake="scripted")


@pytest.mark.real_time
async def test_an_engine_from_outside_tells_its_words() -> None:
    parts = await asyncio.to_thread(parts_of, Settings(engines=SCRIPTED, sessions=CALLED))  # it reads what is installed
    assert parts.ports.wake is not None
    assert (await parts.ports.wake.load()).words == ("computer", "hey_you")


def test_words_that_nobody_could_hear_are_refused_at_the_start() -> None:
    silent = Settings(engines=replace(SCRIPTED, wake="off"), sessions=CALLED)
    with pytest.raises(ConfigurationError, match=r"pip install 'vivavoce\[wakeword\]'"):
        parts_of(silent)
    assert parts_of(replace(silent, sessions=SessionOptions())).ports.wake is None
