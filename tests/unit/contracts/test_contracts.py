"""The contracts are plain data: a closed error tree, frozen slotted values, and events everybody can list."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import types
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts import audio, errors, events, speech
from vivavoce.contracts.audio import AudioChunk, AudioFormat, Stamp
from vivavoce.contracts.errors import VivavoceError, error_types
from vivavoce.contracts.events import SessionEvent, Waterfall

TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, VivavoceError) and kind is not VivavoceError
]
RETRYABLE = {
    "limit_exceeded", "overloaded", "deadline_exceeded", "unavailable", "worker_lost", "provider_failed",
    "gpu_failed",
}  # fmt: skip
VALUES = [
    kind
    for module in (audio, events, speech)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if kind.__module__ == module.__name__ and dataclasses.is_dataclass(kind)
]


def test_codes_are_unique_and_the_table_is_total() -> None:
    codes = [kind.code for kind in TREE]
    assert len(set(codes)) == len(codes)
    assert all("code" in vars(kind) for kind in TREE), "a class without a code of its own hides behind its parent's"
    assert {code: error_types()[code] for code in codes} == {kind.code: kind for kind in TREE}


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_an_error_says_what_it_is(kind: type[VivavoceError]) -> None:
    assert kind.__doc__
    assert kind.retryable is (kind.code in RETRYABLE)
    cause = ValueError("why")
    error = kind("do this", cause=cause, retry_after=3.0)
    assert (str(error), error.message, error.code, error.retryable) == ("do this", "do this", kind.code, kind.retryable)
    assert (error.cause, error.retry_after) == (cause, 3.0)
    turned = kind("x", code="finer", retryable=not kind.retryable)
    assert (turned.code, turned.retryable) == ("finer", not kind.retryable)
    assert (kind.code, kind("y").retryable) != ("finer", turned.retryable), "an instance changed its class"


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_an_error_survives_copying(kind: type[VivavoceError]) -> None:
    error = kind("do this", code="finer", retryable=True, retry_after=2.0)
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is kind
        assert (twin.message, twin.code, twin.retryable, twin.retry_after) == ("do this", "finer", True, 2.0)


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_values_are_frozen_and_slotted(kind: type) -> None:
    assert kind.__dataclass_params__.frozen, f"{kind.__name__} can be changed"  # type: ignore[attr-defined]
    assert "__slots__" in vars(kind), f"{kind.__name__} has a dictionary per value"


def test_every_event_is_listed_and_every_listed_event_is_stamped() -> None:
    listed = set(typing.get_args(SessionEvent))
    assert isinstance(SessionEvent, types.UnionType)
    written = {kind for kind in VALUES if kind.__module__ == events.__name__} - {Waterfall}
    assert listed == written
    unstamped = {kind.__name__ for kind in listed if "stamp" not in {field.name for field in dataclasses.fields(kind)}}
    assert unstamped == {"SettingsChanged", "Slept", "Woke"}


@given(st.integers(1, 8), st.integers(1, 192_000), st.integers(0, 500), st.integers(0, 10**9))
def test_chunks_count_in_sample_instants(channels: int, rate: int, samples: int, offset: int) -> None:
    form = AudioFormat(rate, channels)
    chunk = AudioChunk(bytes(2 * channels * samples), form, offset)
    assert (chunk.samples, chunk.end) == (samples, offset + samples)
    assert form.samples(form.seconds(samples)) == samples


@given(st.tuples(*[st.integers(0, 5)] * 3), st.tuples(*[st.integers(0, 5)] * 3))
def test_stamps_are_ordered_by_turn_then_revision_then_generation(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert (Stamp(*one) < Stamp(*other)) is (one < other)


def test_a_waterfall_never_runs_backwards_or_invents_a_step() -> None:
    none = Waterfall()
    assert (none.stt, none.llm, none.tts, none.total) == (None, None, None, None)
    speculated = Waterfall(transcript=0.3, first_token=0.2, first_sentence=0.25, first_audio=0.3, first_sent=0.4)
    assert (speculated.llm, speculated.total) == (0.0, 0.4)
    assert speculated.tts == pytest.approx(0.05)
    assert Waterfall(first_sent=0.4, first_played=0.5).total == 0.5
