"""The laws of an ear, for every AudioSink there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from vivavoce.app.recorder import Recorder
from vivavoce.contracts.audio import AudioChunk, ReplyAudio, Stamp
from vivavoce.contracts.errors import Overloaded
from vivavoce.contracts.ports import AudioSink
from vivavoce.flow.clock import SystemClock
from vivavoce.testing.sinks import LoopbackSink
from vivavoce.transports.options import ResumeOptions
from vivavoce.transports.outbox import Outbox
from vivavoce.transports.ws.protocol import HEADER
from vivavoce.transports.ws.replay import Replay
from vivavoce.transports.ws.speaker import Speaker, Way

RATE = 24_000
FRAME = 480


@dataclass
class Ear:
    """A sink, and what comes out of it in the end."""

    sink: AudioSink
    heard: Callable[[], bytes]
    close: Callable[[], None] = lambda: None


def loopback() -> Ear:
    sink = LoopbackSink(SystemClock(), RATE)
    return Ear(sink, sink.pcm, sink.close)


def recorder() -> Ear:
    sink = Recorder(RATE)
    return Ear(sink, lambda: sink.pcm)


def speaker(direct: bool) -> Ear:
    outbox, written = Outbox(1000, 10**7), list[bytes]()

    def write_now(frame: bytes) -> bool:
        if direct:
            written.append(frame)
        return direct

    def stuck(error: Overloaded) -> None:
        raise error

    def heard() -> bytes:
        while isinstance(item := outbox.pop(), tuple):
            written.append(item[1])
        return b"".join(frame[HEADER.size :] for frame in written)

    return Ear(Speaker(Recorder(RATE).format, Replay(ResumeOptions()), Way(outbox, write_now, stuck)), heard)


EARS: dict[str, Callable[[], Ear]] = {
    "loopback": loopback,
    "recorder": recorder,
    "websocket, directly": lambda: speaker(True),
    "websocket, queued": lambda: speaker(False),
}


def frame(generation: int, number: int) -> ReplyAudio:
    pcm = (generation * 100 + number).to_bytes(2, "little") * FRAME
    return ReplyAudio(Stamp(1, 1, generation), AudioChunk(pcm, Recorder(RATE).format, number * FRAME))


@pytest.fixture(params=EARS)
def make(request: pytest.FixtureRequest) -> Callable[[], Ear]:
    return EARS[request.param]


async def test_all_that_is_written_comes_out_in_order(make: Callable[[], Ear]) -> None:
    ear = make()
    frames = [frame(1, number) for number in range(20)]
    for audio in frames:
        ear.sink.write(audio)
    await SystemClock().sleep(2)
    assert ear.heard() == b"".join(audio.chunk.pcm for audio in frames)
    ear.close()


async def test_a_pause_loses_and_repeats_nothing(make: Callable[[], Ear]) -> None:
    ear = make()
    stamp = Stamp(1, 1, 1)
    for number in range(10):
        ear.sink.write(frame(1, number))
    await SystemClock().sleep(0.05)
    for _ in range(2):
        ear.sink.pause(stamp)
        ear.sink.pause(stamp)
        await SystemClock().sleep(1)
        ear.sink.resume(stamp)
        ear.sink.resume(stamp)
        await SystemClock().sleep(0.03)
    await SystemClock().sleep(2)
    assert ear.heard() == b"".join(frame(1, number).chunk.pcm for number in range(10))
    ear.close()


async def test_what_is_stale_is_not_heard(make: Callable[[], Ear]) -> None:
    ear = make()
    ear.sink.clear(Stamp(1, 1, 3))
    ear.sink.clear(Stamp(1, 1, 3))
    for generation in (2, 3, 4):
        ear.sink.write(frame(generation, 0))
    await SystemClock().sleep(1)
    assert ear.heard() == frame(4, 0).chunk.pcm
    ear.close()


async def test_commands_about_nothing_are_harmless(make: Callable[[], Ear]) -> None:
    ear = make()
    for command in (ear.sink.pause, ear.sink.resume, ear.sink.clear):
        command(Stamp(9, 9, 9))
    assert ear.sink.format.rate == RATE and ear.sink.format.channels == 1
    assert ear.heard() == b""
    ear.close()
