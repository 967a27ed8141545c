"""The laws of the turn machine hold where a client directs: replies on request, turns only noted, new rules."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.unit.sessions.turn_world import World
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import SpeechStarted, TranscriptUpdated
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.asked import ReplyRequest
from vivavoce.sessions.options import BargeInOptions, ConversationOptions
from vivavoce.sessions.turns import TurnMachine

BESIDE = BargeInOptions(enabled=False, listen_on=True)
RULES = [
    ConversationOptions(mode=mode, answering=answering, barge_in=barge_in)
    for mode in ("auto", "push_to_talk")
    for answering in (True, False)
    for barge_in in (BargeInOptions(), BESIDE)
]
EVENTS_PER_LIFE = 250
LIVES = 1200


class DirectedWorld(World):
    """A world whose client asks for replies and changes the rules."""

    noted = 0
    asked = 0

    def execute(self, command: m.Command) -> None:
        match command:
            case m.RecordUser(stamp, text, replaces) if stamp.generation == 0:
                assert text
                assert stamp.turn not in self.turns_recorded[-50:]
                assert replaces is None or replaces in self.turns_recorded
                self.turns_recorded.append(stamp.turn)
                self.turns_open.discard(stamp.turn)
                self.noted += 1
            case m.Prepare(request=request) if request is not None:
                self.asked += 1
                super().execute(command)
            case _:
                super().execute(command)

    def random_request(self, rng: random.Random) -> m.Event:
        choice = rng.random()
        if choice < 0.3:
            return m.ReplyAsked(self.now, ReplyRequest())
        if choice < 0.4:
            return m.ClearAsked(self.now)
        if choice < 0.6:
            options = rng.choice(RULES)
            return m.Changed(self.now, mode=options.mode, options=options)
        return super().random_request(rng)


@pytest.mark.parametrize("part", range(4))
def test_the_laws_hold_in_directed_lives(part: int) -> None:
    noted = asked = 0
    for seed in range(part * LIVES // 4, (part + 1) * LIVES // 4):
        rng = random.Random(seed)
        world = DirectedWorld(TurnMachine(RULES[seed % len(RULES)], scoring=seed % 2 == 0, speculate=seed % 3 != 0))
        for _ in range(EVENTS_PER_LIFE):
            world.tell(world.random_event(rng))
        world.wind_down()
        assert not world.turns_open, "every turn ends"
        noted, asked = noted + world.noted, asked + world.asked
    assert min(noted, asked) > 100, (noted, asked)


def told(machine: TurnMachine, *events: m.Event) -> list[m.Command]:
    return [command for event in events for command in machine.handle(event)]


def spoken(turn: int = 1, text: str = "what time is it") -> tuple[m.Event, ...]:
    start = turn * 100_000
    return (
        m.VoiceBegan(start + 512, start),
        m.VoiceWent(start + 16_000, 16_000),
        m.VoiceEnded(start + 17_600, start + 16_000, 16_000),
        m.CommitAsked(start + 17_700),
        m.Read(start + 20_000, turn, text, 4),
    )


def test_a_turn_that_is_only_noted_makes_no_reply() -> None:
    machine = TurnMachine(ConversationOptions(answering=False))
    commands = told(machine, *spoken())
    assert not [c for c in commands if isinstance(c, m.Prepare)]
    assert m.RecordUser(Stamp(1, 1, 0), "what time is it") in commands
    assert m.Notify(TranscriptUpdated(Stamp(1, 1, 0), "what time is it", True)) in commands
    assert machine.idle


def test_a_reply_that_is_asked_for_ends_the_one_before_and_is_released_at_once() -> None:
    machine = TurnMachine(ConversationOptions())
    request = ReplyRequest(instructions="Be brief.")
    first = told(machine, m.ReplyAsked(0, request))
    assert [type(c) for c in first if not isinstance(c, m.SetTimer)] == [m.Prepare, m.Release]
    second = told(machine, m.ReplyAsked(10, request))
    assert [type(c) for c in second if not isinstance(c, m.SetTimer)] == [m.Cut, m.Prepare, m.Release]


def test_speech_beside_a_reply_neither_pauses_nor_cuts_it() -> None:
    machine = TurnMachine(ConversationOptions(answering=False, barge_in=BESIDE))
    told(machine, m.ReplyAsked(0, ReplyRequest()), m.ReplySounded(1, 1), m.ReplyFinished(2, 1, 10**6))
    commands = told(machine, *spoken())
    assert not [c for c in commands if isinstance(c, m.Pause | m.Cut | m.Discard)]
    assert [c.event for c in commands if isinstance(c, m.Notify) and isinstance(c.event, SpeechStarted)]
    assert [c for c in commands if isinstance(c, m.RecordUser)]


def test_where_every_turn_is_answered_the_answer_ends_the_reply_beside_it() -> None:
    machine = TurnMachine(ConversationOptions(barge_in=BESIDE), speculate=False)
    told(machine, m.ReplyAsked(0, ReplyRequest()), m.ReplySounded(1, 1), m.ReplyFinished(2, 1, 10**6))
    commands = [type(c) for c in told(machine, *spoken()) if isinstance(c, m.Cut | m.Prepare | m.Release)]
    assert commands == [m.Cut, m.Prepare, m.Release]


def test_a_cleared_turn_was_never_said() -> None:
    machine = TurnMachine(replace(RULES[-1]))
    commands = told(machine, m.VoiceBegan(512, 0), m.ClearAsked(16_000))
    assert [type(c) for c in commands if not isinstance(c, m.SetTimer | m.Notify)] == [m.OpenSegment, m.CancelSegment]
    assert machine.idle
