from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import ProtocolViolation
from vivavoce.workers import wire
from vivavoce.workers.wire import Decoder, Kind, pack

frames = st.lists(st.tuples(st.sampled_from(list(Kind)), st.integers(0, 2**32 - 1), st.binary(max_size=200)), max_size=12)


@given(frames, st.data())
def test_frames_survive_any_cutting_of_the_stream(sent: list[tuple[Kind, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(pack(*frame) for frame in sent)
    decoder, got, position = Decoder(), [], 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream) - position))
        got += decoder.feed(stream[position : position + size])
        position += size
    assert [tuple(frame) for frame in got] == sent


@given(st.binary(min_size=10, max_size=400), st.integers(1, 50))
def test_garbage_is_refused_or_waits_but_never_escapes_otherwise(garbage: bytes, step: int) -> None:
    decoder = Decoder()
    try:
        for position in range(0, len(garbage), step):
            for frame in decoder.feed(garbage[position : position + step]):
                assert frame.kind in set(Kind)
    except ProtocolViolation as error:
        assert "no frame" in error.message


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n", b"\x00" * 10, b"V\xff" + bytes(8), b"V\x04" + b"\xff" * 8])
def test_what_is_no_frame_is_refused_at_its_header(garbage: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Decoder().feed(garbage)


def test_a_frame_is_bounded_on_both_sides() -> None:
    largest = bytes(wire.MAX_PAYLOAD)
    assert Decoder().feed(pack(Kind.AUDIO, 1, largest))[0].payload == largest
    with pytest.raises(ProtocolViolation):
        pack(Kind.AUDIO, 1, largest + b"\0")
    with pytest.raises(ProtocolViolation):
        wire.pack_json(Kind.RESULT, 1, {"text": "x" * wire.MAX_PAYLOAD})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_json_survives(value: object) -> None:
    payload = Decoder().feed(wire.pack_json(Kind.RESULT, 7, {"value": value}))[0].payload
    assert wire.read_json(payload) == {"value": json.loads(json.dumps(value).encode("utf-8", "replace"))}


@pytest.mark.parametrize("payload", [b"{", b"[]", b"7", b"\xff\xfe", b"[" * 100_000])
def test_a_control_frame_without_an_object_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        wire.read_json(payload)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**63), st.binary(min_size=64, max_size=64))))
def test_voice_records_survive(records: list[tuple[int, int, bytes]]) -> None:
    payload = b"".join(wire.pack_voice(stream, end) + pcm for stream, end, pcm in records)
    assert list(wire.read_voice(payload, 64)) == records


def test_half_a_record_is_refused() -> None:
    with pytest.raises(ProtocolViolation):
        list(wire.read_voice(bytes(63), 64))
    with pytest.raises(ProtocolViolation):
        wire.read_judgements(bytes(19))
    with pytest.raises(ProtocolViolation):
        wire.read_speech(bytes(10))
    with pytest.raises(ProtocolViolation):
        wire.read_credit(b"\1")


def test_speech_survives() -> None:
    payload = Decoder().feed(wire.pack_speech(3, b"\1\2\3\4", 5, 9, True))[0].payload
    assert wire.read_speech(payload) == (b"\1\2\3\4", 5, 9, True)
