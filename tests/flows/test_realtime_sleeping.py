"""Sessions of the Realtime protocol that have to be called first: they sleep like all others, and keep it to themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.flows.realtime_stage import RealtimeStage
from vivavoce.contracts.speech import Capabilities
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.ports import WakeWords
from vivavoce.testing.waking import ScriptedWakeWordDetector
from vivavoce.transports.realtime.configuration import merged, new_session, shown

TIMEOUT = 5.0
CALL = 0.3
"""Seconds of sound that the scripted detector takes for a word."""


@dataclass
class Asleep(RealtimeStage):
    """A stage with a wake word detector whose sessions begin asleep."""

    options: ConversationOptions = field(
        default_factory=lambda: ConversationOptions(wake_words=("computer",), wake_timeout=TIMEOUT)
    )
    detector: ScriptedWakeWordDetector = field(default_factory=ScriptedWakeWordDetector)

    async def __aenter__(self) -> Asleep:
        async def load() -> Capabilities:
            return self.detector.capabilities

        self.wake = WakeWords(self.detector, load)
        await super().__aenter__()
        await self.until("session.created")
        return self

    def own(self) -> list[str]:
        return [event["type"] for event in self.events if event["type"].startswith("vivavoce.")]

    @property
    def heard(self) -> bool:
        return any("speech_started" in kind or "committed" in kind for kind in self.kinds())


async def test_asleep_nothing_is_heard_and_nothing_is_told() -> None:
    async with Asleep() as stage:
        await stage.speak(0.2, -0.5, 0.25, -2.0)
        assert stage.kinds() == ["session.created"]
        assert "vivavoce" not in stage.of("session.created")[0]["session"]
        assert stage.stt.tally.opened == 0


async def test_the_word_wakes_and_the_turn_behind_it_is_answered_without_a_private_event() -> None:
    async with Asleep() as stage:
        await stage.speak(-0.5, CALL, -0.6, 1.2, -1.0)
        await stage.until("response.done")
        started = stage.of("input_audio_buffer.speech_started")[0]["audio_start_ms"]
        assert started >= 1000 * (0.5 + CALL + 0.6) - 350, "the word is no part of the turn"
        await stage.speak(-(TIMEOUT + 2.0))
        before = len(stage.kinds())
        await stage.speak(0.25, -1.0)
        assert len(stage.kinds()) == before, "it sleeps again"
        await stage.speak(CALL, -0.6, 1.2, -1.0)
        await stage.until("response.done", 2)
        assert stage.own() == []


async def test_who_asks_for_private_events_is_told() -> None:
    async with Asleep() as stage:
        updated = await stage.update(vivavoce={"events": True})
        assert updated["session"]["vivavoce"] == {"events": True}
        await stage.until("vivavoce.slept")  # at once: it sleeps already
        await stage.speak(-0.5, CALL, -0.6)
        woke = await stage.until("vivavoce.woke")
        assert woke["word"] == "computer"
        assert woke["audio_start_ms"] == pytest.approx(1000 * (0.5 + CALL), abs=60)
        await stage.speak(1.2, -1.0)
        await stage.until("response.done")
        await stage.speak(-(TIMEOUT + 2.0))
        slept = await stage.until("vivavoce.slept", 2)
        assert slept["audio_end_ms"] > woke["audio_start_ms"] + 1000 * TIMEOUT
        await stage.update(vivavoce={"events": False})
        await stage.speak(CALL, -0.6, 1.2, -1.0)
        await stage.until("response.done", 2)
        assert stage.own() == ["vivavoce.slept", "vivavoce.woke", "vivavoce.slept"]


async def test_typed_text_needs_no_word() -> None:
    async with Asleep() as stage:
        content = [{"type": "input_text", "text": "What time is it?"}]
        stage.say("conversation.item.create", item={"type": "message", "role": "user", "content": content})
        stage.say("response.create")
        done = await stage.until("response.done")
        assert done["response"]["status"] == "completed"
        await stage.speak(0.25, -1.0)
        assert not stage.heard


async def test_without_turn_detection_no_word_is_needed() -> None:
    """Whoever commits by hand says so when the server is meant."""
    async with Asleep() as stage:
        await stage.update(audio={"input": {"turn_detection": None}})
        await stage.speak(-0.2, 1.2)
        stage.say("input_audio_buffer.commit")
        await stage.until("input_audio_buffer.committed")
        stage.say("response.create")
        await stage.until("response.done")
        await stage.update(audio={"input": {"turn_detection": {"type": "server_vad"}}})
        await stage.until("session.updated", 2)
        told = len(stage.events)
        await stage.speak(-(TIMEOUT + 1.0), 0.25, -1.0)
        assert stage.events[told:] == [], "with turn detection it sleeps again"


@pytest.mark.parametrize("how", ["intent", "update"])
async def test_transcription_sessions_never_sleep(how: str) -> None:
    stage = Asleep(query="intent=transcription") if how == "intent" else Asleep()
    async with stage:
        if how == "update":
            await stage.update(type="transcription", audio={"input": {"transcription": {"model": "whisper-1"}}})
        await stage.speak(-0.5, 1.2, -1.5)
        await stage.until("conversation.item.input_audio_transcription.completed")
        await stage.speak(-(TIMEOUT + 2.0), 1.2, -1.5)
        await stage.until("conversation.item.input_audio_transcription.completed", 2)


async def test_a_commit_in_its_sleep_ends_without_a_turn() -> None:
    async with Asleep() as stage:
        await stage.speak(0.25, -0.5)
        stage.say("input_audio_buffer.commit")
        stage.say("session.update", session={"type": "realtime", "instructions": "Be brief."})
        await stage.until("session.updated")  # what follows a commit waits for its transcript: it came, and is empty
        assert stage.stt.tally.opened == 0


async def test_idle_sessions_do_not_ask_in_their_sleep() -> None:
    async with Asleep() as stage:
        await stage.update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 20_000}}})
        await stage.speak(CALL, -0.6, 1.2, -1.0)
        await stage.until("response.done")
        await stage.speak(-30.0)
        assert not stage.of("input_audio_buffer.timeout_triggered")
        assert len(stage.of("response.done")) == 1


@pytest.mark.parametrize(("wish", "kept"), [(True, None), ({"events": "yes"}, False), ({}, False), ({"events": True}, True)])
def test_the_wish_is_cleaned_and_shown_only_where_there_is_one(wish: Any, kept: bool | None) -> None:
    for transcription in (False, True):
        session = merged(new_session("sess", "gpt-realtime", 0, transcription=transcription), {"vivavoce": wish})
        assert shown(session).get("vivavoce") == (None if kept is None else {"events": kept})
