"""The store of finished turns stays within its bounds, and folding survives any order of events."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.contracts.audio import HEARING, AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    ResponseCompleted,
    SessionFailed,
    SettingsChanged,
    SpeechStarted,
    SpeechStopped,
    ToolUsed,
    TranscriptUpdated,
    TurnContinued,
    TurnDiscarded,
    Waterfall,
)
from vivavoce.observe.following import MAX_OPEN, MAX_STEPS, Witnesses
from vivavoce.observe.latency import BUCKETS, STAGES, LatencyLog, Seen, buckets, overall
from vivavoce.observe.options import TurnOptions
from vivavoce.observe.timeline import KEPT, Sample, Timeline
from vivavoce.observe.turns import MEGABYTE, FinishedTurn, Recording, TurnStore


class Hands:
    """A clock whose hands are moved."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time + 1e9

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")

    def call_later(self, seconds: float, callback: Any) -> Any:
        raise AssertionError("nobody waits here")


def finished(number: int, hands: Hands, session: str = "s", sound: int = 0) -> FinishedTurn:
    recording = Recording(bytes(sound), HEARING) if sound else None
    return FinishedTurn(
        f"{session}.{number}", session, "test", number, hands.wall(), hands.wall(), "said", "reply", "heard", "", (), (),
        Waterfall(), recording, recording,
    )  # fmt: skip


def test_the_oldest_turns_give_way() -> None:
    hands = Hands()
    store = TurnStore(TurnOptions(keep=3), hands)
    for number in range(1, 6):
        store.add(finished(number, hands, "ab"[number % 2]))
    assert [turn.turn for turn in store.latest(10)] == [5, 4, 3]
    assert [turn.turn for turn in store.latest(1)] == [5]
    assert [turn.turn for turn in store.latest(10, "a")] == [4]
    assert store.find("b.1") is None and store.find("b.5") is not None
    assert store.clear() == 3 and len(store) == 0


def test_old_turns_are_forgotten() -> None:
    hands = Hands()
    store = TurnStore(TurnOptions(max_age=60), hands)
    store.add(finished(1, hands))
    hands.time += 59
    store.add(finished(2, hands))
    assert len(store.latest(10)) == 2
    hands.time += 2
    assert [turn.turn for turn in store.latest(10)] == [2]
    assert store.find("s.1") is None


def test_turns_outlive_their_sound() -> None:
    hands = Hands()
    store = TurnStore(TurnOptions(audio_mb=1), hands)
    for number in range(1, 5):
        store.add(finished(number, hands, sound=200_000))
    assert store.sound_bytes == 800_000
    assert [turn.user is None for turn in store.latest(10)] == [False, False, True, True]
    store.drop("s.4")
    assert store.sound_bytes == 400_000 and store.sound_bytes <= MEGABYTE
    store.clear()
    assert store.sound_bytes == 0


STAMPS = st.builds(Stamp, st.integers(0, 12), st.integers(0, 3), st.integers(0, 5))
TEXTS = st.text(max_size=20)
AT = st.integers(0, 200_000)
EVENTS = st.one_of(
    st.builds(SpeechStarted, STAMPS, AT),
    st.builds(SpeechStopped, STAMPS, AT),
    st.builds(TurnDiscarded, STAMPS, st.sampled_from(["noise", "backchannel", "echo", "empty", "reset"])),
    st.builds(TurnContinued, STAMPS, st.integers(0, 12)),
    st.builds(TranscriptUpdated, STAMPS, TEXTS, st.booleans()),
    st.builds(ReplyStarted, STAMPS),
    st.builds(ReplyText, STAMPS, TEXTS),
    st.builds(ReplyPaused, STAMPS),
    st.builds(ReplyResumed, STAMPS, AT, st.sampled_from(["noise", "backchannel"])),
    st.builds(ReplyInterrupted, STAMPS, AT, TEXTS, st.sampled_from(["speech", "command"])),
    st.builds(ResponseCompleted, STAMPS, TEXTS, st.booleans(), st.just(Waterfall())),
    st.builds(ToolUsed, STAMPS, TEXTS, st.just({}), TEXTS),
    st.builds(SessionFailed, STAMPS, TEXTS, TEXTS, st.booleans()),
    st.builds(SettingsChanged, TEXTS, TEXTS),
    st.builds(AudioChunk, st.integers(0, 2_000).map(lambda n: bytes(2 * n)), st.just(HEARING), AT),
    st.builds(
        ReplyAudio,
        STAMPS,
        st.builds(AudioChunk, st.integers(0, 2_000).map(lambda n: bytes(2 * n)), st.just(AudioFormat(24_000)), AT),
    ),
)


@settings(max_examples=300)
@given(st.lists(EVENTS, max_size=120), st.booleans())
def test_whatever_happens_in_whatever_order_nothing_breaks_and_nothing_grows(happened: list[Any], audio: bool) -> None:
    hands = Hands()
    options = TurnOptions(keep=5, audio=audio, audio_seconds=1.0)
    store = TurnStore(options, hands)
    watch = Witnesses(store, LatencyLog(hands), hands).watch("s", "test", 24_000)
    assert watch.listens is audio
    completed = 0
    for event in happened:
        hands.time += 0.01
        if isinstance(event, AudioChunk):
            watch.heard(event)
        elif isinstance(event, ReplyAudio):
            watch.spoken(event)
        else:
            watch.told(event)
            completed += isinstance(event, ResponseCompleted)
    assert len(watch._open) <= MAX_OPEN
    assert len(store) <= min(5, completed)
    for turn in store.latest(10):
        assert len(turn.steps) <= MAX_STEPS
        assert turn.spoken is None or len(turn.spoken.pcm) <= 48_000
        assert turn.user is None or len(turn.user.pcm) <= 32_000
        assert audio or (turn.user is None and turn.spoken is None)
        assert turn.speech_end >= 0


def test_sound_that_comes_twice_is_kept_once() -> None:
    """A client that comes back is sent the end of a reply again."""
    hands = Hands()
    store = TurnStore(TurnOptions(audio=True), hands)
    watch = Witnesses(store, LatencyLog(hands), hands).watch("s", "test", 24_000)
    pcm = b"".join(value.to_bytes(2, "little") for value in range(1_000))
    stamp = Stamp(1, 1, 1)
    watch.told(ReplyStarted(stamp))
    watch.spoken(ReplyAudio(stamp, AudioChunk(pcm[:1_200], AudioFormat(24_000), 0)))
    watch.spoken(ReplyAudio(stamp, AudioChunk(pcm[800:], AudioFormat(24_000), 400)))
    watch.told(ResponseCompleted(stamp, "", False, Waterfall()))
    [turn] = store.latest(1)
    assert turn.spoken is not None and turn.spoken.pcm == pcm


def test_many_interim_transcripts_leave_room_for_what_counts() -> None:
    hands = Hands()
    store = TurnStore(TurnOptions(), hands)
    watch = Witnesses(store, LatencyLog(hands), hands).watch("s", "test", 24_000)
    stamp = Stamp(1, 1, 1)
    for _ in range(500):
        watch.told(TranscriptUpdated(stamp, "so and so on", False))
    watch.told(TranscriptUpdated(stamp, "so and so on", True))
    watch.told(ReplyStarted(stamp))
    watch.told(ResponseCompleted(stamp, "", False, Waterfall()))
    [turn] = store.latest(1)
    assert [step.kind for step in turn.steps][-3:] == ["transcript", "reply_started", "completed"]


TIMES = st.lists(st.tuples(st.floats(0, 4_000), st.floats(0, 10)), max_size=60)


@given(TIMES, st.integers(1, BUCKETS))
def test_every_turn_of_the_window_is_in_one_stretch(times: list[tuple[float, float]], count: int) -> None:
    now = 4_000.0
    seen = [Seen(wall, Waterfall(first_played=total, transcript=total / 2)) for wall, total in times]
    cut = buckets(seen, now, 3_600, count)
    assert len(cut) == count and sum(bucket.count for bucket in cut) == sum(wall >= 400 for wall, _ in times)
    width = 3_600 / count
    for place, bucket in enumerate(cut):
        inside = sorted(total for wall, total in times if wall >= 400 and min(int((wall - 400) / width), count - 1) == place)
        if inside:
            low, high = bucket.stages["total"]
            assert inside[0] <= low <= high <= inside[-1]
        assert set(bucket.stages) <= set(STAGES)


def test_the_whole_window_has_its_percentiles() -> None:
    seen = [Seen(0.0, Waterfall(first_played=float(value))) for value in range(1, 101)]
    assert overall(seen) == {"total": (50.0, 95.0, 99.0)}
    assert overall([]) == {}


def test_the_timeline_keeps_an_hour_and_the_worst_lag() -> None:
    line = Timeline()
    for lag in (0.001, 0.5, 0.002):
        line.late(lag)
    assert (line.take_lag(), line.take_lag()) == (0.5, 0.0)
    for at in range(KEPT + 10):
        line.add(Sample(float(at), 0.0, 50.0, 0, 0, 0))
    assert len(line.samples) == KEPT and line.samples[0].wall == 10.0
