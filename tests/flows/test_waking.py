"""Conversations that have to be called first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.flows.score import LONG_REPLY, Stage
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import EngineFailed, EngineMissing, UnknownName, WorkerLost
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyStarted,
    ResponseCompleted,
    SessionFailed,
    Slept,
    SpeechStarted,
    TranscriptUpdated,
    Woke,
)
from vivavoce.contracts.speech import Capabilities
from vivavoce.sessions.options import ConversationOptions, WatchdogOptions
from vivavoce.sessions.ports import WakeWords
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel
from vivavoce.testing.waking import ScriptedWakeWordDetector

TIMEOUT = 5.0
OPTIONS = ConversationOptions(acknowledged=True, wake_words=("computer",), wake_timeout=TIMEOUT)
CALL = 0.3
"""Seconds of sound that the scripted detector takes for a word."""


@dataclass
class Asleep(Stage):
    """A stage with a wake word detector; everything that reaches the recogniser is kept."""

    options: ConversationOptions = OPTIONS
    detector: ScriptedWakeWordDetector | None = field(default_factory=ScriptedWakeWordDetector)

    def ports(self, **changes: Any) -> Any:
        detector = self.detector
        if detector is None:
            return super().ports(**changes)

        async def load() -> Capabilities:
            return detector.capabilities

        return super().ports(wake=WakeWords(detector, load), **changes)


class Recording:
    """Keeps what the recogniser was given."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.stt = ScriptedSpeechToText(self._read)

    def _read(self, pcm: bytes) -> str:
        self.heard.append(pcm)
        return "what time is it" if any(pcm) else ""


def names(stage: Stage) -> list[str]:
    wanted = (Woke, Slept, SpeechStarted, ReplyStarted, ResponseCompleted)
    return [type(event).__name__ for event in stage.events.events if isinstance(event, wanted)]


async def test_what_is_said_before_the_word_is_heard_by_nobody() -> None:
    async with Asleep() as stage:
        await stage.hear(0.2, -0.5, 0.25, -3.0, 0.25, -2.0)  # sounds, none of them the word
        assert stage.events.events == []
        assert stage.stt.tally.opened == 0
        assert stage.conversation.statistics.level == -96.0  # voice activity has not seen it either


async def test_the_word_wakes_and_the_turn_behind_it_is_answered() -> None:
    async with Asleep() as stage:
        await stage.hear(-0.5, CALL, -0.6)
        [woke] = stage.events.of(Woke)
        assert (woke.word, woke.at) == ("computer", HEARING.samples(0.5 + CALL))
        await stage.hear(1.2)
        [done] = await stage.until_completed()
    assert done.text == "It is late. Go to bed."
    assert names(stage)[0] == "Woke"


@pytest.mark.parametrize("latency", [0.0, 0.2, 0.6])
async def test_word_and_question_in_one_breath(latency: float) -> None:
    """However late the word is recognised, the audio right behind it is there, and none of before."""
    recording = Recording()
    stage = Asleep(stt=recording.stt, detector=ScriptedWakeWordDetector(latency=latency))
    async with stage:
        await stage.hear(-0.5, CALL + 1.2)
        [done] = await stage.until_completed()
    assert done.text == "It is late. Go to bed."
    heard = max(recording.heard, key=len)
    [started] = stage.events.of(SpeechStarted)
    called = HEARING.samples(0.5 + CALL)
    assert called <= started.at <= called + HEARING.samples(0.05)
    voiced = len(heard.rstrip(b"\0")) / 2 / HEARING.rate
    assert 1.15 <= voiced <= 1.2  # the question, and not the word before it


async def test_it_falls_asleep_behind_the_quiet_and_needs_the_word_again() -> None:
    async with Asleep() as stage:
        await stage.hear(CALL, -0.6, 1.2)
        await stage.until_completed()
        over = stage.clock.now()
        await stage.hear(-(TIMEOUT - 1.0))
        assert stage.events.of(Slept) == []
        await stage.hear(-1.5)
        [(slept_at, slept)] = [(at, e) for at, e in stage.events.timed if isinstance(e, Slept)]
        assert slept_at - over == pytest.approx(TIMEOUT, abs=0.15)
        assert slept.at == pytest.approx(HEARING.samples(slept_at), abs=HEARING.samples(0.3))
        opened = stage.stt.tally.opened
        await stage.hear(0.25, -0.5)
        assert stage.stt.tally.opened == opened
        await stage.hear(CALL, -0.6, 1.2)
        await stage.until_completed(2)
    assert len(stage.events.of(Woke)) == 2


async def test_within_the_timeout_a_second_turn_needs_no_word() -> None:
    async with Asleep() as stage:
        await stage.hear(CALL, -0.6, 1.2)
        await stage.until_completed()
        await stage.hear(-(TIMEOUT - 1.0), 1.2)
        await stage.until_completed(2)
    assert len(stage.events.of(Woke)) == 1
    assert stage.events.of(Slept) == []


async def test_a_word_and_nothing_behind_it() -> None:
    async with Asleep() as stage:
        await stage.hear(CALL, -(TIMEOUT + 0.5))
        assert [kind for kind in names(stage) if kind != "SpeechStarted"] == ["Woke", "Slept"]
        assert stage.events.of(ResponseCompleted) == []


async def test_a_long_turn_and_a_long_reply_do_not_let_it_sleep() -> None:
    stage = Asleep(llm=ScriptedLanguageModel([LONG_REPLY * 3]))
    async with stage.with_options(wake_timeout=1.0):
        await stage.hear(CALL, -0.4, 6.0)
        [done] = await stage.until_completed()
        assert len(done.text) > len(LONG_REPLY)
        assert stage.events.of(Slept) == []
        await stage.hear(-1.5)
        assert len(stage.events.of(Slept)) == 1


async def test_a_reply_is_spoken_over_without_another_word() -> None:
    stage = Asleep(
        llm=ScriptedLanguageModel([LONG_REPLY]), stt=ScriptedSpeechToText(["tell me about the sea", "no I meant the lakes"])
    )
    async with stage:
        await stage.hear(CALL, -0.6, 1.2, -2.5, 1.2)
        await stage.until_completed()
    assert [event.reason for event in stage.events.of(ReplyInterrupted)] == ["speech"]


async def test_what_it_says_of_its_own_accord_is_stopped_by_word_and_order() -> None:
    """Asleep, speech over an announcement is not heard; behind the word it is."""
    stage = Asleep(stt=ScriptedSpeechToText(["stop now please"]))
    async with stage.with_options(greeting=LONG_REPLY):
        await stage.hear(-1.0, 0.25, -1.0)
        assert stage.events.of(ReplyInterrupted) == []
        await stage.hear(CALL, -0.3, 1.0, -1.0)
        assert len(stage.events.of(ReplyInterrupted)) == 1


async def test_typed_text_is_answered_and_wakes_nobody() -> None:
    async with Asleep() as stage:
        stage.conversation.type("what time is it")
        await stage.until_completed()
        await stage.hear(0.25, -1.0)
    assert stage.stt.tally.opened == 0
    assert stage.events.of(Woke) == []


async def test_push_to_talk_needs_no_word() -> None:
    async with Asleep().with_options(mode="push_to_talk") as stage:
        await stage.hear(0.25)
        stage.conversation.commit()
        await stage.clock.sleep(10.0)
    assert stage.events.of(TranscriptUpdated)[-1].final
    assert stage.events.of(Woke) == []


async def test_who_sleeps_does_not_ask_whether_anybody_is_there() -> None:
    watchdogs = WatchdogOptions(idle=3.0)
    async with Asleep().with_options(watchdogs=watchdogs) as stage:
        await stage.hear(-20.0)
        assert stage.events.events == []


async def test_a_detector_that_is_lost_comes_back() -> None:
    detector = ScriptedWakeWordDetector()
    async with Asleep(detector=detector) as stage:
        detector.fail = WorkerLost("the process died")
        await stage.hear(-0.1)
        assert [e.code for e in stage.events.of(SessionFailed)] == ["worker_lost"]
        await stage.hear(CALL, -0.1)  # nobody listens
        detector.fail = None
        await stage.hear(-1.0, CALL, -0.6, 1.2)
        await stage.until_completed()
    assert len(stage.events.of(Woke)) == 1
    assert detector.tally.opened == detector.tally.finished + detector.tally.failed


async def test_a_detector_that_is_broken_for_good_is_not_asked_all_the_time() -> None:
    detector = ScriptedWakeWordDetector()
    async with Asleep(detector=detector) as stage:
        detector.fail = EngineFailed("the network is broken")
        await stage.hear(-120.0)
    assert 6 <= len(stage.events.of(SessionFailed)) <= 12
    assert {event.code for event in stage.events.of(SessionFailed)} == {"engine_failed"}


async def test_without_a_detector_and_with_an_unknown_word_it_does_not_begin() -> None:
    with pytest.raises(EngineMissing, match=r"pip install 'vivavoce\[wakeword\]'"):
        async with Asleep(detector=None):
            pass
    with pytest.raises(UnknownName, match=r"'abracadabra' here; there is computer, hey_you.*\.tflite") as told:
        async with Asleep(options=replace(OPTIONS, wake_words=("computer", "abracadabra"))):
            pass
    assert told.value.code == "unknown_wake_word"


async def test_gaps_in_the_stream_while_it_sleeps() -> None:
    """A microphone that sends nothing for a while does not move the word to another place."""
    async with Asleep() as stage:
        await stage.hear(-0.5)
        await stage.clock.sleep(30.0)
        await stage.hear(-0.5, CALL + 1.2)
        await stage.until_completed()
    [woke], [started] = stage.events.of(Woke), stage.events.of(SpeechStarted)
    assert 0 <= started.at - woke.at <= HEARING.samples(0.05)


async def test_without_wake_words_nothing_changes() -> None:
    detector = ScriptedWakeWordDetector()
    async with Asleep(detector=detector).with_options(wake_words=()) as stage:
        await stage.hear(1.2)
        await stage.until_completed()
        await stage.hear(-TIMEOUT * 2)
    assert detector.tally.opened == 0
    assert stage.events.of(Slept) == []
