"""A server that does not keep up takes nobody in, and does again when it does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import Overloaded
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions, SessionOptions
from vivavoce.sessions.ports import Choice, SessionPorts
from vivavoce.sessions.registry import Sessions
from vivavoce.sessions.strain import PROBES, Strain
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech

lateness = st.lists(st.floats(0, 2), max_size=60)


def told(limit: float, *probes: float) -> Strain:
    strain = Strain(limit)
    for probe in probes:
        strain.report(probe)
    return strain


@given(lateness)
def test_a_limit_of_nothing_never_refuses(probes: list[float]) -> None:
    assert not told(0.0, *probes).strained


@given(lateness, st.floats(0.01, 1))
def test_after_three_quiet_seconds_it_keeps_up(probes: list[float], limit: float) -> None:
    assert not told(limit, *probes, *[limit / 2] * PROBES).strained


@given(lateness, st.floats(0.01, 1))
def test_after_three_late_seconds_it_does_not(probes: list[float], limit: float) -> None:
    strain = told(limit, *probes, *[limit * 1.01] * PROBES)
    assert strain.strained
    assert strain.lateness == pytest.approx(limit * 1.01)


def test_a_stall_or_two_are_nobody_s_trouble() -> None:
    assert not told(0.1, *[0.001] * PROBES, 5.0, 5.0, *[0.001] * 4, 5.0).strained


def test_between_relief_and_limit_it_stays_as_it_was() -> None:
    between = [0.075] * PROBES
    assert not told(0.1, *between).strained
    assert told(0.1, *[0.2] * PROBES, *between).strained
    assert not told(0.1, *[0.2] * PROBES, *between, *[0.04] * PROBES, *between).strained


async def test_who_is_here_goes_on_and_who_comes_is_told_to_come_back() -> None:
    clock = SystemClock()
    ports = SessionPorts(
        stt=Choice("stt", {"scripted": ScriptedSpeechToText(["hello"])}),
        llm=Choice("llm", {"scripted": ScriptedLanguageModel(["Hello."])}),
        tts=Choice("tts", {"scripted": ScriptedTextToSpeech()}),
        vad=EnergyVoiceActivityDetector(),
    )
    sessions = Sessions(ports, SessionOptions(), clock)

    async def open_one() -> Conversation:
        return await sessions.open("test", ConversationOptions(), LoopbackSink(clock), EventRecorder(clock))

    first = await open_one()
    for _ in range(PROBES):
        sessions.strain.report(0.25)
    with pytest.raises(Overloaded, match="250 ms behind") as refused:
        await open_one()
    assert (refused.value.code, refused.value.retryable, refused.value.retry_after) == ("strained", True, 5)
    assert len(sessions) == 1
    for _ in range(PROBES):
        sessions.strain.report(0.01)
    second = await open_one()
    await sessions.close(first)
    await sessions.close(second)
