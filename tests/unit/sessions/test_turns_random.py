"""A million random events, and the laws hold."""

from __future__ import annotations

import random

import pytest

from tests.unit.sessions.turn_world import World
from vivavoce.sessions.options import BargeInOptions, ConversationOptions, EndpointingOptions, WatchdogOptions
from vivavoce.sessions.turns import TurnMachine

EVENTS_PER_LIFE = 250
LIVES = 4000

VARIANTS = (
    ConversationOptions(),
    ConversationOptions(mode="push_to_talk"),
    ConversationOptions(mode="manual", hint="digits"),
    ConversationOptions(barge_in=BargeInOptions(enabled=False)),
    ConversationOptions(endpointing=EndpointingOptions(fixed_silence=0.5), watchdogs=WatchdogOptions(fallback="")),
)


def machine(seed: int) -> TurnMachine:
    return TurnMachine(VARIANTS[seed % len(VARIANTS)], scoring=seed % 2 == 0, speculate=seed % 3 != 0)


@pytest.mark.parametrize("part", range(8))
def test_the_laws_hold_in_random_lives(part: int) -> None:
    ended: dict[str, int] = {}
    for seed in range(part * LIVES // 8, (part + 1) * LIVES // 8):
        rng = random.Random(seed)
        world = World(machine(seed))
        for _ in range(EVENTS_PER_LIFE):
            world.tell(world.random_event(rng))
        world.wind_down()
        assert not world.turns_open, "every turn ends"
        for how, count in world.ended.items():
            ended[how] = ended.get(how, 0) + count
    assert min(ended.get(how, 0) for how in ("cut", "complete", "discard")) > 200, f"lives too dull: {ended}"
    assert ended.get("continued", 0) > 30, "so many ends are taken back that the laws about it mean something"


def test_the_same_events_give_the_same_commands() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        first = World(machine(seed))
        told = [(event := first.random_event(rng), first.tell(event)) for _ in range(EVENTS_PER_LIFE)]
        second = machine(seed)
        for event, commands in told:
            assert second.handle(event) == commands
