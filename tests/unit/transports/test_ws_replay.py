"""Cut anywhere, any number of times: what a client has in the end is what a client has that was never cut."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.contracts.audio import AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import InvalidRequest
from vivavoce.transports.options import ResumeOptions
from vivavoce.transports.ws.events import Pong
from vivavoce.transports.ws.protocol import decode_audio, encode, encode_audio
from vivavoce.transports.ws.replay import Replay

FORMAT = AudioFormat(24_000)
GENEROUS = ResumeOptions(resume_messages=10_000, resume_message_bytes=10**7, resume_audio_bytes=10**7)


def pcm(generation: int, start: int, samples: int) -> bytes:
    """Every sample tells where it belongs."""
    return b"".join(((generation * 4096 + n) & 0x7FFF).to_bytes(2, "little") for n in range(start, start + samples))


@dataclass
class Client:
    """What a client knows, by the rules of the protocol and nothing else."""

    messages: list[int] = field(default_factory=list)
    audio: dict[int, bytes] = field(default_factory=dict)
    newest: int | None = None
    stale: int = 0

    def receive(self, item: str | tuple[int, bytes]) -> None:
        if isinstance(item, str):
            seq = json.loads(item)["seq"]
            assert seq == self.seq + 1, "no message is missing and none comes twice"
            self.messages.append(seq)
            return
        audio = decode_audio(item[1], FORMAT.rate)
        generation = audio.stamp.generation
        held = self.audio.get(generation, b"")
        assert audio.chunk.offset == len(held) // 2, "no sample is missing and none comes twice"
        self.audio[generation] = held + audio.chunk.pcm
        self.newest = max(generation, self.newest or 0)

    @property
    def seq(self) -> int:
        return self.messages[-1] if self.messages else 0

    @property
    def position(self) -> tuple[int | None, int]:
        return self.newest, 0 if self.newest is None else len(self.audio[self.newest]) // 2


@dataclass
class Server:
    replay: Replay
    wire: list[str | tuple[int, bytes]] = field(default_factory=list)
    generation: int = 0
    sent: int = 0

    def says(self) -> None:
        self.wire.append(self.replay.number(encode(Pong(id=self.replay.seq))))

    def replies(self) -> None:
        self.generation, self.sent = self.generation + 1, 0

    def speaks(self, samples: int) -> None:
        if not self.generation:
            return
        chunk = AudioChunk(pcm(self.generation, self.sent, samples), FORMAT, self.sent)
        audio = ReplyAudio(Stamp(1, 1, self.generation), chunk)
        frame = encode_audio(audio)
        self.replay.keep(audio, frame)
        self.wire.append((self.generation, frame))
        self.sent += samples

    def interrupted(self) -> int:
        over = self.generation
        self.replay.over(over)
        self.wire = [item for item in self.wire if isinstance(item, str)]
        self.replies()
        return over

    def resumed(self, client: Client) -> None:
        missed = self.replay.missed(client.seq, *client.position)
        self.wire = [*missed.messages, *missed.audio]


STEPS = st.one_of(
    st.just(("say",)),
    st.just(("reply",)),
    st.tuples(st.just("speak"), st.integers(1, 50)),
    st.just(("interrupt",)),
    st.tuples(st.just("deliver"), st.integers(1, 12)),
    st.tuples(st.just("played"), st.floats(0, 1)),
    st.tuples(st.just("cut"), st.integers(0, 20)),
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=80))
def test_a_client_that_was_cut_has_what_an_uncut_one_has(steps: list[tuple[Any, ...]]) -> None:
    server, client, sent, over = Server(Replay(GENEROUS)), Client(), dict[int, int](), set[int]()
    for step, *arguments in steps:
        match step:
            case "say":
                server.says()
            case "reply":
                server.replies()
            case "speak":
                server.speaks(*arguments)
                if server.generation:
                    sent[server.generation] = server.sent
            case "interrupt" if server.generation:
                over.add(server.interrupted())
            case "deliver":
                for item in server.wire[: arguments[0]]:
                    client.receive(item)
                server.wire = server.wire[arguments[0] :]
            case "played":
                newest, held = client.position
                if newest is not None:
                    server.replay.played(newest, int(held * arguments[0]))
            case "cut":  # what was under way is lost but for a beginning of it
                for item in server.wire[: arguments[0]]:
                    client.receive(item)
                server.resumed(client)
    for item in server.wire:
        client.receive(item)
    assert client.messages == list(range(1, server.replay.seq + 1))
    for generation, samples in sent.items():
        held = client.audio.get(generation, b"")
        assert held == pcm(generation, 0, len(held) // 2)
        if generation > max(over, default=0):
            assert len(held) // 2 == samples, "every sample of a reply that may be heard"


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(0, 2_000), st.data())
def test_audio_goes_on_at_any_sample(frames: list[int], samples: int, data: st.DataObject) -> None:
    server = Server(Replay(GENEROUS))
    server.replies()
    for size in frames:
        server.speaks(size)
    held = min(samples, server.sent)
    acknowledged = data.draw(st.integers(0, held))
    server.replay.played(1, acknowledged)
    again = b"".join(frame[16:] for _, frame in server.replay.missed(0, 1, held).audio)
    assert again == pcm(1, held, server.sent - held)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(1, 400)), max_size=400))
def test_what_is_kept_is_bounded_and_a_gap_is_refused_not_hidden(steps: list[int | None]) -> None:
    options = ResumeOptions(resume_messages=16, resume_message_bytes=700, resume_audio_bytes=4_000)
    server = Server(Replay(options))
    server.replies()
    for step in steps:
        server.says() if step is None else server.speaks(step)
        messages, audio = server.replay.kept
        assert messages <= 700 and audio <= 4_000
    for seq in range(server.replay.seq + 2):
        try:
            missed = server.replay.missed(seq, 1 if server.sent else None, server.sent)
        except InvalidRequest as error:
            assert error.code == "resume_gap"
            assert seq > server.replay.seq or server.replay.seq - seq > 9, "what must have been kept is given"
        else:
            assert [json.loads(text)["seq"] for text in missed.messages] == list(range(seq + 1, server.replay.seq + 1))
    for held in range(0, server.sent + 1, max(1, server.sent // 50)):
        try:
            missed = server.replay.missed(server.replay.seq, 1, held)
        except InvalidRequest as error:
            assert error.code == "resume_gap"
        else:
            assert b"".join(frame[16:] for _, frame in missed.audio) == pcm(1, held, server.sent - held)


@pytest.mark.parametrize(("generation", "samples"), [(1, 99), (1, 101), (2, 0), (None, 0)])
def test_a_client_that_cannot_have_what_it_says_is_refused(generation: int | None, samples: int) -> None:
    server = Server(Replay(GENEROUS))
    server.replies()
    server.speaks(100)
    server.replay.played(1, 100)
    server.replies() if generation == 2 else None
    if samples in (99, 101) or generation == 2:
        with pytest.raises(InvalidRequest) as caught:
            server.replay.missed(0, generation, samples)
        assert caught.value.code == "resume_gap"
    else:
        assert server.replay.missed(0, generation, samples).audio == (), "what was played is not sent again"


def test_nothing_is_kept_where_nobody_may_come_back() -> None:
    server = Server(Replay(ResumeOptions(resume_window=0)))
    server.replies()
    for _ in range(10):
        server.says()
        server.speaks(100)
    assert server.replay.kept == (0, 0)
    assert [json.loads(item)["seq"] for item in server.wire if isinstance(item, str)] == list(range(1, 11))
