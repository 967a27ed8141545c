"""The loopback sink plays every sample once, in order, at the right time, and nothing that was cleared."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.flow.virtual import run
from vivavoce.contracts.audio import AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import DeadlineExceeded, InvalidAudio, Overloaded
from vivavoce.contracts.events import ReplyPaused, ReplyStarted
from vivavoce.flow.clock import SystemClock
from vivavoce.testing.ports import tone_pcm
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speech import speak, tone

RATE = 24_000
FORMAT = AudioFormat(RATE)
CLOCK = SystemClock()


def stamp(generation: int) -> Stamp:
    return Stamp(1, 1, generation)


def pieces(generation: int, seconds: float, start: float = 0.0, size: int = 480) -> list[ReplyAudio]:
    first, last = round(start * RATE), round((start + seconds) * RATE)
    return [
        ReplyAudio(stamp(generation), AudioChunk(tone_pcm(RATE, at, min(at + size, last)), FORMAT, at))
        for at in range(first, last, size)
    ]


def write(sink: LoopbackSink, audio: list[ReplyAudio]) -> None:
    for piece in audio:
        sink.write(piece)


async def test_it_plays_in_real_time_without_a_gap_and_reports_it() -> None:
    reports: list[tuple[float, int, int]] = []
    sink = LoopbackSink(on_played=lambda generation, samples: reports.append((CLOCK.now(), generation, samples)))
    begin = CLOCK.now()
    write(sink, pieces(1, 0.5))
    await CLOCK.sleep(0.25)
    assert sink.played(1) == 6_000
    assert sink.buffered == 0.25
    write(sink, pieces(1, 0.5, start=0.5))
    await CLOCK.sleep(5)
    assert sink.pcm(1) == tone_pcm(RATE, 0, RATE)
    assert [report[1:] for report in reports] == [(1, 2_400 * i) for i in range(1, 11)]
    assert [round(at - begin, 6) for at, _, _ in reports] == [round(0.1 * i, 6) for i in range(1, 11)]
    assert not sink.underruns
    assert not sink.discontinuities
    assert sink.first_heard == {1: begin}


async def test_pause_and_resume_are_exact_to_the_sample() -> None:
    sink = LoopbackSink()
    write(sink, pieces(1, 1.0))
    await CLOCK.sleep(0.123456)
    sink.pause(stamp(1))
    held = sink.played(1)
    assert held == int(0.123456 * RATE)
    await CLOCK.sleep(10)
    assert sink.played(1) == held
    sink.resume(stamp(1))
    await CLOCK.sleep(0.5)
    assert sink.played(1) == held + 12_000
    await CLOCK.sleep(1)
    assert sink.pcm() == tone_pcm(RATE, 0, RATE)
    assert not sink.underruns


async def test_nothing_stale_is_heard_after_clear() -> None:
    sink = LoopbackSink()
    write(sink, pieces(1, 1.0))
    await CLOCK.sleep(0.305)  # in the middle of a piece
    sink.clear(stamp(1))
    write(sink, pieces(1, 0.2, start=1.0))
    write(sink, pieces(2, 0.4))
    await CLOCK.sleep(3)
    assert [piece.stamp.generation for piece in sink.heard] == sorted(piece.stamp.generation for piece in sink.heard)
    assert sink.played(1) == 7_320
    assert sink.pcm(2) == tone_pcm(RATE, 0, 9_600)
    assert len(sink.stale) == 10
    assert [name for _, name, _ in sink.commands] == ["clear"]


async def test_clear_keeps_a_newer_generation_and_ends_a_pause() -> None:
    sink = LoopbackSink()
    write(sink, pieces(1, 0.5))
    write(sink, pieces(2, 0.5))
    await CLOCK.sleep(0.1)
    sink.pause(stamp(1))
    sink.clear(stamp(1))
    await CLOCK.sleep(0.25)
    assert (sink.played(1), sink.played(2)) == (2_400, 6_000)
    sink.clear(stamp(1))
    await CLOCK.sleep(1)
    assert sink.pcm(2) == tone_pcm(RATE, 0, 12_000)


async def test_a_pause_that_was_overtaken_holds_nothing_up() -> None:
    sink = LoopbackSink()
    write(sink, pieces(1, 0.5))
    sink.clear(stamp(1))
    write(sink, pieces(2, 0.5))
    sink.pause(stamp(1))
    await CLOCK.sleep(1)
    assert sink.pcm() == tone_pcm(RATE, 0, 12_000)
    write(sink, pieces(2, 0.5, start=0.5))
    sink.pause(stamp(2))
    sink.resume(stamp(1))
    await CLOCK.sleep(1)
    assert sink.played(2) == 12_000


@pytest.mark.real_time
async def test_on_the_real_clock_it_loses_nothing_either() -> None:
    sink = LoopbackSink(acknowledge_every=0.02)
    write(sink, pieces(1, 0.1))
    played = asyncio.Event()
    sink.on_played = lambda _, samples: played.set() if samples == 2_400 else None
    async with asyncio.timeout(10):
        await played.wait()
    assert sink.pcm() == tone_pcm(RATE, 0, 2_400)


async def test_latency_delays_both_ways_and_keeps_the_order() -> None:
    reports: list[tuple[float, int]] = []
    sink = LoopbackSink(on_played=lambda _, samples: reports.append((round(CLOCK.now() - begin, 6), samples)), latency=0.05)
    begin = CLOCK.now()
    write(sink, pieces(1, 1.0))
    await CLOCK.sleep(0.2)
    sink.pause(stamp(1))
    sink.clear(stamp(1))
    await CLOCK.sleep(1)
    assert sink.first_heard[1] - begin == 0.05
    assert sink.pcm() == tone_pcm(RATE, 0, 4_800)
    assert reports == [(0.2, 2_400), (0.3, 4_800)]


async def test_it_tells_of_gaps_underruns_and_leads() -> None:
    sink = LoopbackSink()
    write(sink, pieces(1, 0.2))
    await CLOCK.sleep(0.5)
    write(sink, pieces(1, 0.2, start=0.3))
    await CLOCK.sleep(1)
    assert [(gap.generation, gap.offset, round(gap.seconds, 6)) for gap in sink.underruns] == [(1, 4_800, 0.3)]
    assert [(gap.offset, round(gap.seconds, 6)) for gap in sink.discontinuities] == [(4_800, 0.1)]
    assert round(sink.max_lead, 6) == 0.2


async def test_it_refuses_what_a_sink_cannot_take() -> None:
    sink = LoopbackSink()
    with pytest.raises(InvalidAudio):
        sink.write(ReplyAudio(stamp(1), AudioChunk(b"\0\0", AudioFormat(8_000), 0)))
    with pytest.raises(Overloaded):
        for piece in pieces(1, 160, size=RATE):
            sink.write(piece)
    sink.close()
    await CLOCK.sleep(10)
    assert sink.played(1) == 0


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["write", "write", "write", "pause", "resume", "clear", "next", "wait"]), st.floats(0, 0.5)),
    max_size=40,
)


@settings(max_examples=250, deadline=None)
@given(ACTIONS, st.sampled_from([0.0, 0.03]), st.sampled_from([0.02, 0.1]))
def test_whatever_is_asked_each_generation_is_heard_once_from_its_beginning(
    actions: list[tuple[str, float]], latency: float, every: float
) -> None:
    async def play() -> None:
        reports: list[tuple[int, int]] = []
        sink = LoopbackSink(on_played=lambda *report: reports.append(report), latency=latency, acknowledge_every=every)
        generation, written, begin = 1, dict.fromkeys(range(1, 50), 0), CLOCK.now()
        for action, seconds in actions:
            if action == "write":
                write(sink, pieces(generation, seconds, start=written[generation] / RATE))
                written[generation] += round((written[generation] / RATE + seconds) * RATE) - written[generation]
            elif action == "next":
                generation += 1
            elif action == "wait":
                await CLOCK.sleep(seconds)
            else:
                getattr(sink, action)(stamp(generation))
                generation += action == "clear"
        sink.resume(stamp(generation))
        await CLOCK.sleep(60)
        for number in range(1, generation + 1):
            assert sink.pcm(number) == tone_pcm(RATE, 0, sink.played(number))
            assert sink.played(number) <= written[number]
            told = [samples for of, samples in reports if of == number]
            assert told == sorted(set(told))
            assert not told or told[-1] == sink.played(number)
        if not any(name == "clear" for _, name, _ in sink.commands):
            assert all(sink.played(number) == written[number] for number in range(1, generation + 1))
        for one, other in pairwise(sink.heard):
            assert one.at + len(one.pcm) / 2 / RATE <= other.at + 1e-4, "two samples at once"
        assert not sink.heard or sink.heard[0].at >= begin + latency
        assert sink.buffered == 0.0
        assert not sink.discontinuities

    run(play())


async def test_the_recorder_finds_past_and_coming_events_and_says_what_it_saw_instead() -> None:
    recorder = EventRecorder()
    recorder(ReplyStarted(stamp(1)))
    assert (await recorder.wait_for(ReplyStarted)).stamp == stamp(1)
    loop = asyncio.get_running_loop()
    loop.call_later(2, recorder, ReplyPaused(stamp(1)))
    loop.call_later(3, recorder, ReplyPaused(stamp(2)))
    begin = CLOCK.now()
    assert (await recorder.wait_for(ReplyPaused, lambda event: event.stamp.generation == 2)).stamp == stamp(2)
    assert CLOCK.now() - begin == 3
    assert (len(recorder.of(ReplyPaused)), recorder.times(ReplyPaused)) == (2, [begin + 2, begin + 3])
    with pytest.raises(DeadlineExceeded, match="ReplyStarted, ReplyPaused, ReplyPaused"):
        await recorder.wait_for(ReplyStarted, lambda event: event.stamp.generation == 9, timeout=5)


async def test_a_speaker_hands_over_each_frame_when_its_last_sample_is_spoken() -> None:
    heard: list[Any] = []
    begin = CLOCK.now()
    pcm = tone(0.05)
    await speak(lambda piece: heard.append((round(CLOCK.now() - begin, 6), piece)), pcm, CLOCK)
    assert [at for at, _ in heard] == [0.02, 0.04, 0.05]
    assert b"".join(piece for _, piece in heard) == pcm
