"""Conversations whose connection is lost, on virtual time: real sessions, the real door, a client that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.flows.caller import Caller, calling
from tests.flows.score import LONG_REPLY
from tests.unit.transports.entrances import entrance
from vivavoce.contracts.speech import Message
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.options import ConversationOptions, SessionOptions, WatchdogOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.sessions.registry import Sessions
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.ws.handler import WebSocketDoor


class House:
    """A server with scripted engines. ``read`` keeps what the recogniser was given, utterance by utterance."""

    def __init__(
        self, reply: str = LONG_REPLY, latency: float = 0.0, latency_of_ears: float = 0.02, **watchdogs: Any
    ) -> None:
        self.read: list[bytes] = []
        self.llm = ScriptedLanguageModel([reply])
        self.llm.first_token_latency = latency
        ports = SessionPorts(
            stt=Choice("stt", {"scripted": ScriptedSpeechToText(self._reading)}),
            llm=Choice("llm", {"scripted": self.llm}),
            tts=Choice("tts", {"scripted": ScriptedTextToSpeech()}),
            vad=EnergyVoiceActivityDetector(latency=latency_of_ears),
            turn=ScriptedTurnDetector(0.95),
        )
        conversation = replace(ConversationOptions(), watchdogs=WatchdogOptions(**watchdogs))
        self.sessions = Sessions(ports, SessionOptions(conversation=conversation), SystemClock())
        self.door = WebSocketDoor(self.sessions, ServerOptions(), SystemClock(), entrance())

    def _reading(self, pcm: bytes) -> str:
        self.read.append(pcm)
        return "tell me about the sea"

    @property
    def history(self) -> tuple[Message, ...]:
        [session] = self.sessions
        return session.conversation.history

    def heard_words(self) -> bytes:
        """The last utterance, without the silence around it."""
        return self.read[-1].strip(b"\0")


def told(caller: Caller) -> list[tuple[Any, ...]]:
    """What happened, without the times at which it did."""
    return [
        (event["type"], event.get("turn"), event.get("generation"), event.get("text"), event.get("content"))
        for event in caller.events
        if event["type"] not in ("ready", "goodbye", "transcription") or event.get("final")
    ]


async def conversation(house: House, cuts: Sequence[float], away: float = 1.0) -> tuple[Caller, tuple[Message, ...]]:
    """Ask one thing and hear the answer; at each of ``cuts`` (seconds) the connection is lost for ``away`` seconds."""
    async with calling(house.door) as caller:
        stop = asyncio.Event()

        async def cutting() -> None:
            begun = asyncio.get_running_loop().time()
            for cut in cuts:
                await asyncio.sleep(begun + cut - asyncio.get_running_loop().time())
                caller.cut()
                await asyncio.sleep(away)
                await caller.back()
            stop.set()

        saboteur = asyncio.get_running_loop().create_task(cutting())
        await caller.speak(-0.5, 1.2)
        await caller.listen("response_complete", limit=200)
        await stop.wait()
        await saboteur
        return caller, house.history


CUTS = [round(0.05 + 0.35 * n, 2) for n in range(34)]
"""Before, in and behind the question, while it is answered, in all of the answer."""


@pytest.mark.parametrize("cut", CUTS)
async def test_cut_once_anywhere(cut: float) -> None:
    uncut, whole = House(), House()
    expected, history = await conversation(uncut, [])
    found, same = await conversation(whole, [cut])
    assert told(found) == told(expected)
    assert same == history
    assert whole.heard_words() == uncut.heard_words(), "not a sample of the question is lost"
    assert found.ear.pcm() == expected.ear.pcm(), "not a sample of the answer is lost"
    assert found.ear.discontinuities == found.ear.stale == []


@pytest.mark.parametrize("away", [0.05, 0.5, 8.0])
async def test_cut_again_and_again(away: float) -> None:
    uncut, whole = House(), House()
    expected, history = await conversation(uncut, [])
    cuts = [0.7 + n * (0.4 + away) for n in range(12)]
    found, same = await conversation(whole, cuts, away)
    assert told(found) == told(expected)
    assert same == history
    assert whole.heard_words() == uncut.heard_words()
    assert found.ear.pcm() == expected.ear.pcm()


async def test_the_reply_stands_at_the_acknowledged_sample_and_goes_on_there() -> None:
    house = House()
    async with calling(house.door) as caller:
        await caller.speak(-0.5, 1.2)
        await caller.listen("reply_started")
        await caller.speak(-2.0)
        [session] = house.sessions
        reply = session.conversation._driver.replies._reply
        assert reply is not None and reply.playback is not None
        playback = reply.playback
        caller.cut()
        await asyncio.sleep(0.01)
        acknowledged = playback._base
        sent = playback.sent
        assert acknowledged <= caller.ear.played(1) <= acknowledged + 2_400 + 480
        await asyncio.sleep(30)
        assert (playback.playhead, playback.sent) == (acknowledged, sent), "nothing is spoken to nobody"
        assert sent - acknowledged <= 24_000 * 0.75
        await caller.back()
        done = await caller.listen("response_complete")
        assert not done["interrupted"] and caller.ear.played(1) == caller.held[1]


@pytest.mark.parametrize("away", [5.0, 25.0, 50.0])
async def test_a_network_that_dies_silently_costs_no_word(away: float) -> None:
    """Until the connection counts as lost nobody knows why playback stands still: the watchdog leaves it the time."""
    house = House()
    async with calling(house.door) as caller:
        await caller.speak(-0.5, 1.2)
        await caller.listen("reply_started")
        await caller.speak(-2.0)
        caller.vanish()
        await asyncio.sleep(away)
        await caller.back()
        done = await caller.listen("response_complete")
        assert not done["interrupted"] and caller.ear.played(1) == caller.held[1]
        assert caller.ear.discontinuities == caller.ear.stale == []


async def test_a_reply_that_becomes_ready_waits() -> None:
    house = House(latency=3.0)
    async with calling(house.door) as caller:
        await caller.speak(-0.5, 1.2, -1.5)
        assert caller.of("transcription")[-1]["final"] and not caller.held
        caller.cut()
        await asyncio.sleep(20)
        [session] = house.sessions
        assert session.conversation._driver.replies._reply is not None
        await caller.back()
        done = await caller.listen("response_complete")
        assert done["text"] == LONG_REPLY and not done["interrupted"]
        assert caller.ear.discontinuities == []


@pytest.mark.parametrize(
    ("watchdogs", "latency", "prompt"),
    [({"idle": 5.0, "idle_prompt": "Still there?"}, 0.0, "Still there?"), ({"first_token": 6.0}, 60.0, "Sorry")],
)
async def test_watchdogs_say_nothing_to_nobody(watchdogs: dict[str, Any], latency: float, prompt: str) -> None:
    house = House("Fine.", latency=latency, **watchdogs)

    def prompts(caller: Caller) -> list[str]:
        return [event["content"] for event in caller.of("text") if prompt in event["content"]]

    async with calling(house.door) as caller:
        await caller.speak(-0.5, 1.2)
        if not latency:
            await caller.listen("response_complete")
        await caller.speak(-1.5)
        before = len(caller.events)
        caller.cut()
        await asyncio.sleep(25)
        await caller.back()
        await asyncio.sleep(0.5)
        assert prompts(caller) == [] and len(caller.events) == before, "25 s away were no time at all"
        await caller.speak(-6.0)
        assert len(prompts(caller)) == 1, "with somebody there it is said, in its time"


async def test_a_word_is_held_until_its_rest_arrives() -> None:
    house = House()
    async with calling(house.door) as caller:
        await caller.speak(-0.5, 0.6)
        caller.cut()
        speaking = asyncio.get_running_loop().create_task(caller.speak(0.6, -0.2, 0.8, -2.0))
        await asyncio.sleep(5)
        assert caller.of("speech_stopped") == []
        [session] = house.sessions
        assert session.conversation.busy and not house.history, "nothing was endpointed"
        await caller.back()
        await speaking
        await caller.listen("reply_started")
        finals = [event for event in caller.of("transcription") if event["final"]]
        assert len(finals) == 1, "the pause in what came all at once ended no turn"


async def test_a_backlog_that_never_comes_holds_nothing_up_for_long() -> None:
    house = House()
    async with calling(house.door) as caller:
        await caller.speak(-0.5, 1.2)
        caller.cut()
        await asyncio.sleep(5)
        caller.spoken.clear()  # a client without a ring, and muted
        await caller.back()
        await caller.until("reply_started", seconds=5)


async def test_committed_behind_a_backlog_nothing_of_it_is_missed() -> None:
    house = House()
    async with calling(house.door, mode="manual") as caller:
        await caller.speak(-0.5, 0.5)
        caller.cut()
        await caller.speak(3.0)
        await caller.back()
        caller.say({"type": "commit"})
        await caller.listen("reply_started")
        assert len(house.heard_words()) > 3.3 * 32_000


async def test_without_acknowledgements_no_sample_is_lost_either() -> None:
    for cut in (2.0, 3.3, 6.1):
        house = House()
        async with calling(house.door, acknowledge=False) as caller:
            await caller.speak(-0.5, 1.2)
            await asyncio.sleep(max(0.0, cut - 1.7))
            caller.cut()
            await asyncio.sleep(9)
            await caller.back()
            await caller.listen("response_complete")
            await asyncio.sleep(1)
            assert caller.ear.discontinuities == []
            assert len(caller.ear.pcm(1)) // 2 == caller.held[1] and caller.held[1] > 24_000 * 5


async def test_two_sessions_one_of_them_cut() -> None:
    house = House()
    uncut = House()
    expected, _ = await conversation(uncut, [])
    async with calling(house.door) as victim, calling(house.door) as other:

        async def ask(caller: Caller, during: Callable[[], Any]) -> None:
            await caller.speak(-0.5, 1.2)
            await during()
            await caller.listen("response_complete")

        async def cut() -> None:
            victim.cut()
            await asyncio.sleep(4)
            await victim.back()

        async def nothing() -> None:
            return None

        await asyncio.gather(ask(victim, cut), ask(other, nothing))
        assert told(other) == told(expected) == told(victim)
        assert other.ear.pcm() == expected.ear.pcm() == victim.ear.pcm()
        assert other.ear.underruns == []


async def test_speech_over_a_reply_that_is_cut_off_is_still_judged() -> None:
    house = House()
    async with calling(house.door) as caller:
        await caller.speak(-0.5, 1.2)
        await caller.listen("reply_started")
        await caller.speak(-3.0, 0.1)
        caller.cut()
        await caller.speak(1.2, -0.3)
        await caller.back()
        interrupted = await caller.listen("interrupted")
        assert interrupted["reason"] == "speech"
        await caller.listen("response_complete", 2)
        assert caller.ear.stale == []


async def test_a_microphone_that_stalls_behind_the_return_is_heard_again() -> None:
    house = House()
    async with calling(house.door) as caller:
        await caller.speak(-0.5)
        caller.cut()
        await caller.back()
        await caller.speak(-0.1)
        await asyncio.sleep(0.6)
        await caller.speak(-0.4, 1.2)
        await caller.listen("response_complete", limit=60)
        assert [event["text"] for event in caller.of("transcription") if event["final"]] == ["tell me about the sea"]
