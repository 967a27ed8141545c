"""Utterances read together: the child's loop step by step, with a clock that the test moves."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.workers.test_worker_child import Bench
from vivavoce.contracts.errors import EngineFailed
from vivavoce.testing.batching import STEP, Batch, BatchStream
from vivavoce.workers import wire
from vivavoce.workers.child_loop import ChildLoop
from vivavoce.workers.wire import Kind, pack, pack_json

LETTER = struct.pack("<h", 5_000) * (STEP // 2)
"""100 ms that are heard as one letter."""
WINDOW = 0.015


class Batches(Bench):
    """A child loop with one batching engine and a clock of our own."""

    def __init__(self, load: Callable[..., Any] | None = None, **options: Any) -> None:
        super().__init__(load or (lambda kind, name, settings: Batch(settings)))
        self.now = 1_000_000_000
        self.loop._now = lambda: self.now
        engines = [{"kind": "stt", "name": "b", "settings": {"window": WINDOW, **options}}]
        self.give(pack_json(Kind.HELLO, 0, {"version": wire.VERSION, "engines": engines}))
        assert [frame.kind for frame in self.got()] == [Kind.HELLO, Kind.LOADED, Kind.READY]

    @property
    def engine(self) -> Batch:
        engine = self.loop._engines["stt", "b"]
        assert isinstance(engine, Batch)
        return engine

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.engine.batches]

    def open(self, *numbers: int, vocabulary: Sequence[str] = (), partials: bool = True) -> None:
        options = {"language": "en", "session": "", "vocabulary": list(vocabulary), "partials": partials}
        self.give(*(pack_json(Kind.OPEN, n, {"kind": "stt", "name": "b", "options": options}) for n in numbers))
        self.steps(10)

    def say(self, number: int, steps: int = 1) -> bytes:
        return pack(Kind.AUDIO, number, LETTER * steps)

    def later(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)

    def texts(self, final: bool) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for frame in self.got(Kind.RESULT):
            value = wire.read_json(frame.payload)
            if bool(value.get("final")) == final:
                found.setdefault(frame.job, []).append(value["text"])
        return found


Make = Callable[..., Batches]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Batches] = []

    def one(*arguments: Any, **options: Any) -> Batches:
        made.append(Batches(*arguments, **options))
        return made[-1]

    yield one
    for bench in made:
        bench.close()


@pytest.fixture
def batches(make: Make) -> Batches:
    return make()


def test_what_arrives_together_is_read_together(batches: Batches) -> None:
    batches.open(1, 2, 3)
    batches.give(batches.say(1), batches.say(2), batches.say(3))
    assert batches.steps(10) == 1
    assert batches.sizes == [3]
    assert batches.texts(final=False) == {1: ["d"], 2: ["d"], 3: ["d"]}


def test_the_first_waits_for_company_and_no_longer_than_the_window(batches: Batches) -> None:
    batches.open(1, 2, 3)
    batches.give(batches.say(1))
    batches.steps(10)
    assert batches.sizes == [], "two others could still come"
    assert batches.loop._patience() == 15
    batches.later(0.010)
    batches.give(batches.say(2))
    batches.steps(10)
    assert batches.sizes == []
    assert batches.loop._patience() == 5, "the window began with the first"
    batches.later(0.005)
    batches.steps(10)
    assert batches.sizes == [2]
    assert batches.loop._patience() is None, "nobody waits: it sleeps until a frame comes"


def test_a_single_utterance_waits_for_nobody(batches: Batches) -> None:
    batches.open(1)
    batches.give(batches.say(1))
    assert batches.steps(10) > 0
    assert batches.sizes == [1]


def test_a_batch_is_never_larger_than_the_engine_takes(make: Make) -> None:
    batches = make(batch=4)
    batches.open(*range(1, 11))
    batches.give(*(batches.say(number) for number in range(1, 11)))
    batches.steps(10)
    assert batches.sizes == [4, 4], "the rest waits for company"
    batches.later(WINDOW)
    batches.steps(10)
    assert batches.sizes == [4, 4, 2]


def test_a_minute_at_once_delays_nobody(make: Make) -> None:
    batches = make(batch=1, window=0.0)
    batches.open(1, 2)
    batches.give(batches.say(1, 20), pack(Kind.FINISH, 1))
    batches.steps(3)
    batches.give(batches.say(2))
    before = len(batches.sizes)
    batches.steps(2)
    second = batches.loop._jobs[2]
    assert second.stream in [stream for batch in batches.engine.batches[before:] for stream in batch]  # type: ignore[attr-defined]
    batches.steps(100)
    assert batches.texts(final=True) == {1: ["d" * 20]}


def test_a_final_waits_neither_for_company_nor_behind_partials(make: Make) -> None:
    batches = make(batch=8)
    batches.open(1, 2, 3)
    batches.give(batches.say(1), batches.say(2))
    batches.steps(5)
    assert batches.sizes == []
    batches.give(pack(Kind.AUDIO, 3, LETTER[:100]), pack(Kind.FINISH, 3))
    batches.steps(1)
    assert batches.sizes == [1], "the ended one by itself, at once"
    batches.steps(1)
    assert batches.texts(final=True) == {3: ["d"]}


def test_finals_do_not_starve_partials(make: Make) -> None:
    """However many end, every other batch takes those that do not."""
    batches = make(batch=2, window=10.0)
    batches.open(*range(1, 20))
    batches.give(batches.say(1))
    batches.steps(3)
    quiet = batches.loop._jobs[1].stream  # type: ignore[attr-defined]
    for number in range(2, 20):
        batches.give(pack(Kind.AUDIO, number, LETTER[:100]), pack(Kind.FINISH, number))
        batches.steps(1)
        if any(quiet in batch for batch in batches.engine.batches):
            break
    assert len(batches.sizes) <= 3


def test_one_that_fails_fails_alone(batches: Batches) -> None:
    batches.open(1, 3)
    batches.open(2, vocabulary=["fail"])
    batches.give(*(batches.say(number) + pack(Kind.FINISH, number) for number in (1, 2, 3)))
    batches.steps(10)
    frames = batches.got()
    ends = {frame.job: frame.payload for frame in frames if frame.kind == Kind.END}
    assert wire.read_json(ends[2])["type"] == "engine_failed"
    assert (ends[1], ends[3]) == (b"", b"")
    finals = {frame.job: wire.read_json(frame.payload)["text"] for frame in frames if frame.kind == Kind.RESULT}
    assert finals == {1: "d", 3: "d"}
    assert all(stream.closed for batch in batches.engine.batches for stream in batch)


def test_a_cancel_is_noticed_between_two_steps(batches: Batches) -> None:
    batches.open(1, 2)
    batches.give(batches.say(1, 10), batches.say(2, 10))
    batches.steps(3)
    stream = batches.loop._jobs[1].stream  # type: ignore[attr-defined]
    batches.give(pack(Kind.CANCEL, 1))
    assert stream.closed
    done = len(batches.engine.batches)
    batches.steps(100)
    assert all(stream not in batch for batch in batches.engine.batches[done:])
    assert [frame.job for frame in batches.got(Kind.END)] == [1]


def test_credit_comes_back_for_all_audio_and_only_as_it_is_taken(batches: Batches) -> None:
    """What the parent may send is bounded by what the engine has read."""
    batches.open(1, 2)
    batches.give(batches.say(1, 10))
    batches.steps(5)
    assert sum(wire.read_credit(frame.payload) for frame in batches.got(Kind.CREDIT)) == STEP
    batches.give(pack(Kind.FINISH, 1))
    for _ in range(100):
        batches.later(WINDOW)
        batches.steps(1)
    frames = batches.got()
    assert sum(wire.read_credit(frame.payload) for frame in frames if frame.kind == Kind.CREDIT) == 9 * STEP
    assert frames[-1].kind == Kind.END


def test_partials_only_if_asked_for(batches: Batches) -> None:
    batches.open(1, partials=False)
    batches.give(batches.say(1, 3), pack(Kind.FINISH, 1))
    batches.steps(20)
    (result,) = batches.got(Kind.RESULT)
    assert wire.read_json(result.payload) == {"text": "ddd", "final": True, "stable": 3, "language": "en"}


def test_it_rests_while_the_parent_does_not_read(batches: Batches) -> None:
    """With too much unsent there is no work, and the loop waits for the socket instead of for the clock."""
    batches.open(1)
    batches.give(batches.say(1))
    batches.loop._unsent += bytes(2 << 20)
    assert batches.steps(1) == 0
    assert batches.loop._patience() is None


class Modest(Batch):
    """Takes one of each batch, and leaves the others pending."""

    def advance(self, streams: Sequence[BatchStream]) -> None:
        super().advance(streams[:1])


def test_who_is_left_out_of_a_step_comes_in_a_later_one(make: Make) -> None:
    batches = make(lambda kind, name, settings: Modest(settings))
    batches.open(1, 2, 3)
    batches.give(*(batches.say(number, 3) + pack(Kind.FINISH, number) for number in (1, 2, 3)))
    for _ in range(50):
        batches.later(WINDOW)
        batches.steps(1)
    assert batches.texts(final=True) == {1: ["ddd"], 2: ["ddd"], 3: ["ddd"]}
    first = [batch[0] for batch in batches.engine.batches[:3]]
    assert len(set(first)) == 3, "in turns"


class Brittle(Batch):
    """Fails on opening or on finishing, as the language asks."""

    def open(self, options: Any) -> BatchStream:
        if options.session == "open":
            raise EngineFailed("no")
        return super().open(options)


def test_an_utterance_that_cannot_be_opened_leaves_the_board(make: Make) -> None:
    batches = make(lambda kind, name, settings: Brittle(settings))
    options = {"language": "en", "session": "open", "vocabulary": [], "partials": True}
    batches.give(pack_json(Kind.OPEN, 1, {"kind": "stt", "name": "b", "options": options}))
    batches.steps(3)
    assert [frame.job for frame in batches.got(Kind.END)] == [1]
    batches.open(2)
    batches.give(batches.say(2))
    batches.steps(3)
    assert batches.sizes == [1], "nobody waits for the one that failed"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from(["audio", "bit", "finish", "cancel", "step", "later"])), max_size=80
    ),
    st.integers(1, 4),
    st.sampled_from([0.0, WINDOW]),
)
def test_whatever_happens_everything_is_read_once(script: list[tuple[int, str]], size: int, window: float) -> None:
    """Any order of audio, ends, cancels and steps: the finals are what was sent, and nothing is left open."""
    with contextlib.closing(Batches(batch=size, window=window)) as batches:
        read_all(batches, script, size)


def read_all(batches: Batches, script: list[tuple[int, str]], size: int) -> None:
    batches.open(*range(1, 6))
    sent = dict.fromkeys(range(1, 6), b"")
    finished: set[int] = set()
    cancelled: set[int] = set()
    for number, what in script:
        if what in ("audio", "bit") and number not in finished | cancelled:
            pcm = LETTER * 3 if what == "audio" else LETTER[:700]
            sent[number] += pcm
            batches.give(pack(Kind.AUDIO, number, pcm))
        elif what == "finish" and number not in finished | cancelled:
            finished.add(number)
            batches.give(pack(Kind.FINISH, number))
        elif what == "cancel" and number not in finished:
            cancelled.add(number)
            batches.give(pack(Kind.CANCEL, number))
        elif what == "step":
            batches.steps(1)
        elif what == "later":
            batches.later(WINDOW)
    for number in set(sent) - finished - cancelled:
        batches.give(pack(Kind.FINISH, number))
    while batches.loop._jobs:
        batches.later(WINDOW)
        assert batches.steps(1)
    finals = batches.texts(final=True)
    assert finals == {number: ["d" * -(-len(sent[number]) // STEP)] for number in set(sent) - cancelled}
    assert batches.loop._patience() is None
    assert all(0 < count <= size for count in batches.sizes)


def test_the_loop_wakes_by_itself_when_the_window_is_over(make: Make) -> None:
    """On the real clock: nothing comes from the parent, and the step is taken all the same."""
    batches = make(window=0.02)
    batches.loop = ChildLoop(batches.theirs, lambda *_: Batch({"window": 0.02}), lambda *_: None, 1)  # type: ignore[arg-type, return-value]
    batches.give(
        pack_json(Kind.HELLO, 0, {"version": wire.VERSION, "engines": [{"kind": "stt", "name": "b", "settings": {}}]})
    )
    batches.open(1, 2)
    batches.give(batches.say(1))
    rounds = 0
    while not batches.sizes:
        busy = batches.loop._step()
        batches.loop._transmit()
        assert batches.loop._receive(wait=not busy) == []
        rounds += 1
    assert batches.sizes == [1]
    assert rounds <= 6, "it slept, it did not spin"
