"""The child's loop, step by step in this process, with the test as its parent."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import ProtocolViolation
from vivavoce.contracts.speech import Capabilities, SynthesisOptions, Transcript, TranscriptionOptions
from vivavoce.testing.engines import Beep, Echo, Tone
from vivavoce.workers import child, wire
from vivavoce.workers.child_loop import ChildLoop
from vivavoce.workers.child_voice import MAX_BATCH, VoiceBoard
from vivavoce.workers.wire import Decoder, Frame, Kind, pack, pack_json

SPEAK = {"voice": "", "language": "en", "rate": 22_050, "speed": 1.0}


class Bench:
    """Both ends of a child loop."""

    def __init__(self, load: Callable[..., Any]) -> None:
        self.parent, theirs = socket.socketpair()
        self.theirs = theirs
        self.parent.setblocking(False)
        self.loop = ChildLoop(theirs, load, child.make_resampler, 1)
        self._decoder = Decoder()

    def give(self, *frames: bytes) -> None:
        """Frames arrive at the child."""
        self.parent.sendall(b"".join(frames))
        for frame in self.loop._receive(wait=False):
            self.loop._handle(frame)

    def steps(self, most: int) -> int:
        """Let it work; how many steps it found."""
        for done in range(most):
            if not self.loop._step():
                return done
            self.loop._transmit()
        return most

    def got(self, kind: Kind | None = None) -> list[Frame]:
        """What the child sent."""
        self.loop._transmit()
        try:
            frames = self._decoder.feed(self.parent.recv(1 << 20))
        except BlockingIOError:
            frames = []
        return [frame for frame in frames if kind is None or frame.kind == kind]

    def close(self) -> None:
        """Close both ends."""
        self.parent.close()
        self.theirs.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(lambda kind, name, settings: Tone(settings) if kind == "tts" else Echo(settings))
    engines = [{"kind": "stt", "name": "e", "settings": {}}, {"kind": "tts", "name": "t", "settings": {}}]
    bench.give(pack_json(Kind.HELLO, 0, {"version": wire.VERSION, "engines": engines}))
    assert [frame.kind for frame in bench.got()] == [Kind.HELLO, Kind.LOADED, Kind.LOADED, Kind.READY]
    yield bench
    bench.close()


def speech(number: int, text: str, window: int = 1 << 20) -> list[bytes]:
    """Frames that ask for speech."""
    opening = {"kind": "tts", "name": "t", "options": SPEAK, "window": window}
    return [pack_json(Kind.OPEN, number, opening), pack(Kind.TEXT, number, text.encode())]


def test_a_cancel_is_noticed_between_two_steps(bench: Bench) -> None:
    bench.give(*speech(1, "word " * 500))
    assert bench.steps(10) == 10
    bench.got()
    bench.give(pack(Kind.CANCEL, 1))
    assert bench.steps(1) == 0
    assert bench.got() == [Frame(Kind.END, 1, b"")]


def test_jobs_take_turns(bench: Bench) -> None:
    for number in (1, 2, 3):
        bench.give(*speech(number, "one two three four"))
    bench.steps(3 * 4)
    counts = [frame.job for frame in bench.got(Kind.AUDIO)]
    assert counts[:6] == [1, 2, 3, 1, 2, 3]


def test_never_more_than_the_window_is_sent(bench: Bench) -> None:
    window = 4_000
    bench.give(*speech(1, "long " * 3, window), pack(Kind.FINISH, 1))
    sent, allowed, ended = 0, window, False
    while not ended:
        bench.steps(50)
        assert bench.steps(1) == 0, "it rests when the window is full"
        frames = bench.got()
        fresh = sum(len(wire.read_speech(frame.payload)[0]) for frame in frames if frame.kind == Kind.AUDIO)
        ended = any(frame.kind == Kind.END for frame in frames)
        sent += fresh
        assert sent <= allowed
        allowed += fresh
        bench.give(pack(Kind.CREDIT, 1, wire.credit(fresh)))
    assert sent == 2 * 22_050 * 30


def test_long_audio_is_read_in_slices(bench: Bench) -> None:
    """A second at once is ten steps, between which others have their turn."""
    options = {"language": "en", "session": "", "vocabulary": [], "partials": True}
    bench.give(pack_json(Kind.OPEN, 1, {"kind": "stt", "name": "e", "options": options}))
    bench.give(pack(Kind.AUDIO, 1, bytes(32_000)), pack(Kind.FINISH, 1))
    assert bench.steps(100) == 1 + 10 + 1  # open, read, finish
    frames = bench.got()
    assert [frame.kind for frame in frames][-2:] == [Kind.RESULT, Kind.END]
    assert sum(wire.read_credit(frame.payload) for frame in frames if frame.kind == Kind.CREDIT) == 32_000


def test_stale_and_misplaced_frames(bench: Bench) -> None:
    bench.give(pack(Kind.AUDIO, 77, b"\0\0"), pack(Kind.CANCEL, 77), pack(Kind.FINISH, 77))
    assert bench.got() == []
    bench.give(*speech(1, "hello"), pack(Kind.AUDIO, 1, b"\0\0"))
    (end,) = bench.got(Kind.END)
    assert wire.read_json(end.payload)["type"] == "protocol_violation"
    bench.give(pack_json(Kind.OPEN, 2, {"kind": "tts", "name": "nobody"}))
    (end,) = bench.got(Kind.END)
    assert wire.read_json(end.payload)["type"] == "unknown_name"
    bench.give(pack_json(Kind.OPEN, 3, {"kind": "vad", "name": "nobody"}))
    assert len(bench.got(Kind.END)) == 1


def test_a_heartbeat_tells_the_size(bench: Bench) -> None:
    bench.give(pack(Kind.PING))
    assert wire.read_json(bench.got(Kind.PONG)[0].payload)["memory"] > 1 << 20


@pytest.mark.parametrize(
    "first", [pack(Kind.PING), pack_json(Kind.HELLO, 0, {"version": 99, "engines": []}), b"no frame at all"]
)
def test_a_parent_of_another_kind_is_refused(first: bytes) -> None:
    bench = Bench(lambda *_: None)
    with pytest.raises(ProtocolViolation):
        bench.give(first)
    bench.close()


def test_stop_and_a_parent_that_is_gone_end_the_loop() -> None:
    for farewell in (pack(Kind.STOP), b""):
        bench = Bench(lambda *_: None)
        bench.parent.sendall(pack_json(Kind.HELLO, 0, {"version": wire.VERSION, "engines": []}) + farewell)
        if not farewell:
            bench.parent.close()
        bench.loop.run()
        bench.close()


class Recorder:
    """A detector that remembers its batches."""

    FRAME_SAMPLES = 2
    capabilities = Capabilities("recorder")

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.resets: list[tuple[int, int]] = []
        self.slots = 0

    def open(self) -> int:
        self.slots += 1
        return self.slots

    def detect(self, frames: Sequence[tuple[int, bytes]]) -> list[tuple[float, float]]:
        self.batches.append([slot for slot, _ in frames])
        return [(0.5, -20.0) for _ in frames]

    def reset(self, slot: int) -> None:
        self.resets.append((len(self.batches), slot))

    def release(self, slot: int) -> None:
        self.resets.append((-1, slot))

    def close(self) -> None:
        return


def test_a_batch_holds_each_stream_once_and_nobody_starves() -> None:
    engine = Recorder()
    board = VoiceBoard(engine, lambda number, error: None)
    for number in range(1, 101):
        board.open(number)
    flood = b"".join(wire.pack_voice(1, end) + b"\0\0\0\0" for end in range(10))
    board.receive(flood + b"".join(wire.pack_voice(number, 0) + b"\0\0\0\0" for number in range(2, 101)))
    while board.pending:
        board.step()
    assert [len(batch) for batch in engine.batches[:2]] == [MAX_BATCH, 100 - MAX_BATCH + 1]
    assert all(len(set(batch)) == len(batch) for batch in engine.batches)
    assert sum(batch.count(1) for batch in engine.batches) == 10


def test_a_reset_comes_behind_the_frames_before_it() -> None:
    engine = Recorder()
    board = VoiceBoard(engine, lambda number, error: None)
    board.open(7)
    board.receive(wire.pack_voice(7, 2) + b"\0\0\0\0")
    board.reset(7)
    board.receive(wire.pack_voice(7, 4) + b"\0\0\0\0")
    while board.pending:
        board.step()
    assert engine.resets == [(1, 1)]
    board.close(7)
    board.close(7)
    assert engine.resets[1:] == [(-1, 1)]
    board.receive(wire.pack_voice(7, 6) + b"\0\0\0\0")
    assert not board.pending


def test_scripted_engines_keep_the_contracts_shape() -> None:
    stream = Tone({}).open(SynthesisOptions())
    assert stream.format == AudioFormat(22_050)
    assert [type(beep) for beep in stream.speak("a b")] == [Beep, Beep]
    assert isinstance(Echo({}).open(TranscriptionOptions()).finish(), Transcript)
