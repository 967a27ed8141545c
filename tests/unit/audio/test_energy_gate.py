from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.audio.energy_gate import EnergyGate, levels
from vivavoce.audio.level import FLOOR


def passes(gate: EnergyGate, slot: int, loudness: list[float]) -> list[bool]:
    one = np.array([slot])
    return [bool(gate.judge(one, np.array([level], np.float32))[0][0]) for level in loudness]


def test_levels_of_known_signals() -> None:
    frames = np.stack([np.zeros(512), np.ones(512), np.full(512, 0.1)]).astype(np.float32)
    assert levels(frames) == pytest.approx([FLOOR, 0.0, -20.0], abs=0.01)


def test_it_closes_after_a_hang_over_and_opens_at_once() -> None:
    gate = EnergyGate(-70.0, 1)
    judged = passes(gate, 0, [-30.0] * 5 + [-60.0] * 20)
    assert judged == [True] * 13 + [False] * 12
    passing, opened = gate.judge(np.array([0]), np.array([-45.0], np.float32))
    assert passing[0]
    assert opened[0]
    passing, opened = gate.judge(np.array([0]), np.array([-45.0], np.float32))
    assert passing[0]
    assert not opened[0]


@pytest.mark.parametrize("noise", [-90.0, -75.0, -60.0, -50.0, -45.0])
def test_steady_noise_is_held_back_and_speech_above_it_passes(noise: float) -> None:
    gate = EnergyGate(-70.0, 1)
    wobble = np.random.default_rng(1).normal(0.0, 0.3, 2_000)
    assert sum(passes(gate, 0, list(noise + wobble))[1_000:]) < 20
    assert passes(gate, 0, [max(noise + 6.0, -68.0)]) == [True]


def test_a_long_loud_sentence_never_becomes_its_own_floor() -> None:
    gate = EnergyGate(-70.0, 1)
    assert all(passes(gate, 0, [-25.0] * 3_000))


def test_silence_of_a_muted_microphone_is_held_back() -> None:
    assert not any(passes(EnergyGate(-70.0, 1), 0, [FLOOR] * 100)[8:])


def test_without_a_threshold_all_pass() -> None:
    assert all(passes(EnergyGate(FLOOR, 1), 0, [FLOOR] * 100))


def test_reset_and_growth() -> None:
    gate = EnergyGate(-70.0, 1)
    passes(gate, 0, [-80.0] * 50)
    gate.grow(3)
    assert passes(gate, 0, [-80.0]) == [False]
    assert passes(gate, 2, [-80.0]) == [True]  # a fresh stream begins open
    gate.reset(0)
    assert passes(gate, 0, [-80.0]) == [True]


@given(st.lists(st.tuples(st.floats(-96, 0), st.floats(-96, 0)), max_size=80))
def test_streams_judged_together_are_judged_as_alone(pairs: list[tuple[float, float]]) -> None:
    together, alone = EnergyGate(-70.0, 2), EnergyGate(-70.0, 2)
    slots = np.array([1, 0])
    joint = [together.judge(slots, np.array(pair, np.float32))[0].tolist() for pair in pairs]
    first, second = passes(alone, 1, [pair[0] for pair in pairs]), passes(alone, 0, [pair[1] for pair in pairs])
    assert joint == [list(pair) for pair in zip(first, second, strict=True)]
