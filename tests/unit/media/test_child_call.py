"""One call inside the media process, with a scripted library in place of a real one, on virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from vivavoce.contracts.errors import (
    EngineFailed,
    LimitExceeded,
    Overloaded,
    ProtocolViolation,
    Unavailable,
    VivavoceError,
)
from vivavoce.media.child_call import MESSAGES, REPORT, CallLimits, ChildCall
from vivavoce.media.frames import FRAME, RATE, pack_reply
from vivavoce.media.peers import Json, Mouth, Peer, PeerEvents
from vivavoce.workers.wire import Decoder, Kind, dump_json

LIMITS = CallLimits(max_candidates=3, max_message=100, connect_timeout=10.0, playout_delay=0.04)


class Scripted:
    """A library whose peers do what they are told, and note what is asked of them."""

    name = "scripted"

    def __init__(self, answering: Callable[[str], str] = str.upper, gathering: float = 0.0) -> None:
        self.answering = answering
        self.gathering = gathering
        self.events: PeerEvents | None = None
        self.mouth: Mouth | None = None
        self.candidates: list[Json | None] = []
        self.sent: list[tuple[str, str]] = []
        self.closed = 0

    def peer(self, events: PeerEvents, mouth: Mouth) -> Peer:
        self.events, self.mouth = events, mouth
        return self

    async def answer(self, sdp: str) -> str:
        await asyncio.sleep(self.gathering)
        return self.answering(sdp)

    async def add_candidate(self, candidate: Json | None) -> None:
        if candidate == {}:
            raise ProtocolViolation("this is no candidate")
        self.candidates.append(candidate)

    def send(self, label: str, text: str) -> None:
        if text == "stuck":
            raise Overloaded("the client does not read its data channel")
        self.sent.append((label, text))

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Stage:
    """A call, and all that it told."""

    library: Scripted
    call: ChildCall = field(init=False)
    told: list[dict[str, Any]] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    ended: list[VivavoceError | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.call = ChildCall(7, LIMITS, self._sent, self._audio, lambda _, error: self.ended.append(error))

    def _sent(self, frame: bytes) -> None:
        for one in Decoder().feed(frame):
            assert one.kind == Kind.RESULT and one.job == 7
            self.told.append(json.loads(one.payload))

    def _audio(self, frame: bytes) -> None:
        self.heard += [one.payload for one in Decoder().feed(frame)]

    def text(self, **value: Any) -> None:
        self.call.receive(Kind.TEXT, dump_json(value))

    async def speak(self, frames: int) -> list[bytes]:
        assert self.library.mouth is not None
        return [await self.library.mouth.next() for _ in range(frames)]

    def played(self) -> list[list[int]]:
        return [told["played"] for told in self.told if "played" in told]


async def started(library: Scripted | None = None, *, connected: bool = True) -> Stage:
    stage = Stage(library or Scripted())
    stage.call.start(stage.library, "offer")
    await asyncio.sleep(stage.library.gathering + 0.001)
    if connected and not stage.ended:
        stage.call.state("connected")
        stage.told.pop()
    return stage


async def test_an_offer_is_answered_and_candidates_wait_for_that() -> None:
    stage = Stage(Scripted(gathering=1.0))
    stage.call.start(stage.library, "offer")
    stage.text(candidate={"candidate": "one"})
    await asyncio.sleep(0.5)
    assert stage.told == [] and stage.library.candidates == []
    await asyncio.sleep(0.6)
    stage.text(candidate=None)
    await asyncio.sleep(0)
    assert stage.told == [{"answer": "OFFER"}]
    assert stage.library.candidates == [{"candidate": "one"}, None]
    await stage.call.close()
    assert stage.library.closed == 1


async def test_audio_goes_both_ways_at_its_pace_and_is_reported_when_it_is_heard() -> None:
    stage = await started()
    assert stage.library.events is not None
    stage.library.events.heard(bytes(640))
    assert stage.heard == [bytes(640)]
    tone = b"\x01\x02" * (FRAME * 8)
    stage.call.receive(Kind.AUDIO, pack_reply(3, 0, tone))
    began = asyncio.get_running_loop().time()
    frames = await stage.speak(12)
    assert asyncio.get_running_loop().time() - began == pytest.approx(11 * FRAME / RATE)
    assert b"".join(frames) == tone + bytes(2 * FRAME * 4)
    assert stage.played() == [[3, (REPORT - 2) * FRAME], [3, 8 * FRAME]], "40 ms behind the encoder"
    await stage.call.close()


async def test_a_pause_stands_still_and_a_clear_is_final() -> None:
    stage = await started()
    stage.call.receive(Kind.AUDIO, pack_reply(1, 0, b"\x01\x01" * FRAME * 4))
    await stage.speak(1)
    stage.text(order="pause", generation=1)
    assert await stage.speak(2) == [bytes(2 * FRAME)] * 2
    stage.text(order="resume", generation=1)
    assert (await stage.speak(1))[0] == b"\x01\x01" * FRAME
    stage.text(order="clear", generation=1)
    assert (await stage.speak(1))[0] == bytes(2 * FRAME)
    await stage.call.close()


async def test_without_a_network_a_reply_stands_still_and_none_of_it_is_lost() -> None:
    stage = await started(connected=False)
    stage.call.receive(Kind.AUDIO, pack_reply(1, 0, b"\x01\x01" * FRAME * 2))
    speaking = asyncio.get_running_loop().create_task(stage.speak(2))
    await asyncio.sleep(1)
    assert not speaking.done()
    stage.call.state("connected")
    assert b"".join(await speaking) == b"\x01\x01" * FRAME * 2
    stage.call.state("disconnected")
    speaking = asyncio.get_running_loop().create_task(stage.speak(1))
    await asyncio.sleep(1)
    assert not speaking.done()
    stage.call.state("connected")
    await speaking
    await stage.call.close()


async def test_a_flood_of_messages_ends_its_call() -> None:
    stage = await started()
    for _ in range(MESSAGES):
        stage.call.said("vivavoce", "x" * LIMITS.max_message)
    assert stage.ended == []
    await asyncio.sleep(1.0)
    for _ in range(MESSAGES + 1):
        stage.call.said("vivavoce", "x" * LIMITS.max_message)
    [error] = stage.ended
    assert isinstance(error, LimitExceeded)
    await stage.call.close()


async def test_messages_go_both_ways() -> None:
    stage = await started()
    assert stage.library.events is not None
    stage.library.events.opened("vivavoce")
    stage.library.events.said("vivavoce", "hello")
    stage.library.events.candidate({"candidate": "late"})
    stage.text(channel="vivavoce", text="ready")
    assert stage.told[1:] == [
        {"channel": "vivavoce", "open": True},
        {"channel": "vivavoce", "text": "hello"},
        {"candidate": {"candidate": "late"}},
    ]
    assert stage.library.sent == [("vivavoce", "ready")]
    with pytest.raises(Overloaded):
        stage.text(channel="vivavoce", text="stuck")
    await stage.call.close()


async def test_a_call_that_does_not_connect_is_given_up() -> None:
    stage = await started(connected=False)
    await asyncio.sleep(LIMITS.connect_timeout - 0.1)
    assert stage.ended == []
    await asyncio.sleep(0.2)
    [error] = stage.ended
    assert isinstance(error, Unavailable) and error.code == "call_not_connected"
    await stage.call.close()


async def test_a_network_that_comes_back_in_time_is_forgiven() -> None:
    stage = await started()
    assert stage.library.events is not None
    stage.library.events.state("connected")
    await asyncio.sleep(60)
    stage.library.events.state("disconnected")
    await asyncio.sleep(LIMITS.connect_timeout - 0.1)
    stage.library.events.state("connected")
    await asyncio.sleep(60)
    assert stage.ended == []
    stage.library.events.state("disconnected")
    await asyncio.sleep(LIMITS.connect_timeout + 0.1)
    assert len(stage.ended) == 1
    await stage.call.close()


async def test_the_end_is_told_once_and_nothing_behind_it() -> None:
    stage = await started()
    assert stage.library.events is not None
    stage.library.events.state("closed")
    stage.library.events.state("closed")
    stage.call.receive(Kind.FINISH, b"")
    stage.library.events.said("vivavoce", "late")
    stage.library.events.heard(bytes(640))
    assert stage.ended == [None] and len(stage.told) == 1 and stage.heard == []
    await stage.call.close()
    await stage.call.close()
    assert stage.library.closed == 1


def refuses(sdp: str) -> str:
    raise ProtocolViolation("this offer cannot be answered", code="bad_offer")


def breaks(sdp: str) -> str:
    raise ZeroDivisionError("a bug of the library's")


@pytest.mark.parametrize(("answering", "kind"), [(refuses, ProtocolViolation), (breaks, EngineFailed)])
async def test_an_offer_that_cannot_be_answered_ends_its_call(answering: Any, kind: type[VivavoceError]) -> None:
    stage = await started(Scripted(answering))
    [error] = stage.ended
    assert isinstance(error, kind)
    await stage.call.close()


async def test_a_bad_candidate_ends_the_call_with_the_reason() -> None:
    stage = await started()
    stage.text(candidate={})
    await asyncio.sleep(0.001)
    [error] = stage.ended
    assert isinstance(error, ProtocolViolation)
    await stage.call.close()


async def test_bounds_hold() -> None:
    stage = await started()
    assert stage.library.events is not None
    for _ in range(LIMITS.max_candidates):
        stage.text(candidate=None)
    with pytest.raises(LimitExceeded):
        stage.text(candidate=None)
    with pytest.raises(ProtocolViolation):
        stage.text(order="jump", generation=1)
    with pytest.raises(ProtocolViolation):
        stage.call.receive(Kind.RESET, b"")
    with pytest.raises(Overloaded):
        for second in range(200):
            stage.call.receive(Kind.AUDIO, pack_reply(1, second * RATE, bytes(2 * RATE)))
    stage.library.events.said("vivavoce", "x" * (LIMITS.max_message + 1))
    [error] = stage.ended
    assert isinstance(error, LimitExceeded) and not error.retryable
    await stage.call.close()
