"""Which models a machine can carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.services.model_catalogue import CATALOGUE
from vivavoce.services.recommendation import SHARE, Machine, recommend, this_machine

KNOWN = tuple(CATALOGUE.values())


def names(machine: Machine, language: str = "en") -> list[str]:
    return [entry.name for entry in recommend(machine, language, KNOWN)]


@pytest.mark.parametrize(
    ("machine", "language", "expected"),
    [
        (Machine(2, 24_576), "en", ["silero-vad", "smart-turn", "moonshine-small-en", "piper-en_US-amy"]),
        (Machine(1, 24_576), "en", ["silero-vad", "smart-turn", "moonshine-tiny-en", "piper-en_US-amy"]),
        (Machine(8, 24_576), "en", ["silero-vad", "smart-turn", "moonshine-medium-en", "kokoro-v1.0"]),
        (Machine(4, 16_384), "de-DE", ["silero-vad", "smart-turn", "sherpa-parakeet-v3", "piper-de_DE-thorsten"]),
        (Machine(2, 4_096), "it", ["silero-vad", "smart-turn", "whisper-base", "piper-it_IT-paola"]),
        (Machine(1, 1_024), "en", ["silero-vad", "smart-turn"]),
        (Machine(2, 4_096), "tlh", ["silero-vad", "smart-turn"]),
    ],
)
def test_for_known_machines(machine: Machine, language: str, expected: list[str]) -> None:
    assert names(machine, language) == expected


@given(st.integers(1, 128), st.integers(64, 1 << 20), st.sampled_from(["en", "de", "fr", "zh", "ja", "xx"]))
def test_it_fits_and_is_free_of_restrictions(cores: int, memory: int, language: str) -> None:
    found = recommend(Machine(cores, memory), language, KNOWN)
    assert sum(entry.needs.memory for entry in found) <= memory * SHARE
    assert len({entry.kind for entry in found}) == len(found)
    for entry in found:
        assert entry.needs.cores <= cores
        assert not entry.restricted
        assert entry.speaks(language)


@given(st.integers(1, 64), st.integers(512, 1 << 18))
def test_a_larger_machine_never_gets_a_worse_recogniser(cores: int, memory: int) -> None:
    def rank(machine: Machine) -> int:
        return max((entry.rank for entry in recommend(machine, "en", KNOWN) if entry.kind == "stt"), default=0)

    assert rank(Machine(cores + 1, memory)) >= rank(Machine(cores, memory))
    assert rank(Machine(cores, memory * 2)) >= rank(Machine(cores, memory))


def test_this_machine() -> None:
    machine = this_machine()
    assert machine.cores >= 1 and machine.memory > 64
    assert str(Machine(2, 24_576)) == "2 cores, 24 GB"
    assert str(Machine(1, 1_024)) == "1 core, 1 GB"
