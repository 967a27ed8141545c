"""The protocol without sockets: nothing crashes the parser, and everything told conforms to the published schema."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts import events as told
from vivavoce.contracts.audio import AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import InvalidAudio, InvalidRequest, InvalidText, LimitExceeded, ProtocolViolation
from vivavoce.contracts.events import SessionEvent, Waterfall
from vivavoce.transports.options import MAX_AUDIO_MESSAGE
from vivavoce.transports.ws.messages import ClientMessage, Hello, Played, TypedText
from vivavoce.transports.ws.protocol import (
    HEADER,
    MESSAGE_TYPES,
    check_audio,
    decode_audio,
    encode_audio,
    encode_error,
    encode_event,
    parse_text,
)

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/reference/websocket.schema.json").read_text())
SERVER = jsonschema.Draft202012Validator({"$ref": "#/$defs/ServerMessage", "$defs": SCHEMA["$defs"]})
CLIENT = jsonschema.Draft202012Validator({"$ref": "#/$defs/ClientMessage", "$defs": SCHEMA["$defs"]})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted({field.name for kind in ClientMessage.__args__ for field in fields(kind)} | {"nonsense"})
likely_messages = st.builds(
    lambda kind, body: {**body, "type": kind},
    st.sampled_from([*MESSAGE_TYPES, "nonsense"]),
    st.dictionaries(st.sampled_from(FIELDS), json_values | st.integers(0, 50_000) | st.sampled_from(["en", "auto", "tts"])),
)


def _parses_or_explains(text: str) -> None:
    try:
        message = parse_text(text)
    except InvalidRequest as error:
        assert error.message
        assert len(error.message) < 1_000
        assert not error.retryable
        json.loads(encode_error(error))
    else:
        assert isinstance(message, ClientMessage)


@given(st.text())
def test_no_text_crashes_the_parser(text: str) -> None:
    _parses_or_explains(text)


@given(st.text(alphabet=st.characters(categories=["Cs", "Lu", "Po"])))
def test_not_even_half_a_surrogate_pair(text: str) -> None:
    _parses_or_explains(text)
    _parses_or_explains(json.dumps({"type": "text", "text": text}))


@given(json_values)
def test_no_json_crashes_the_parser(value: Any) -> None:
    _parses_or_explains(json.dumps(value))


@given(likely_messages)
def test_what_the_parser_takes_the_schema_takes_too(message: dict[str, Any]) -> None:
    text = json.dumps(message)
    _parses_or_explains(text)
    try:
        parse_text(text)
    except InvalidRequest:
        return
    CLIENT.validate(json.loads(text))


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("nope", ProtocolViolation, ["not JSON"]),
        ("[]", ProtocolViolation, ["JSON object"]),
        ("{}", ProtocolViolation, ["`type`", "hello", "goodbye"]),
        ('{"type":"shout"}', ProtocolViolation, ["'shout'", "hello", "goodbye"]),
        ('{"type":"hello","colour":1}', ProtocolViolation, ["'colour'", "allowed are", "eagerness"]),
        ('{"type":"hello","audio":{"rate":1}}', ProtocolViolation, ["hello.audio", "'rate'", "input_rate"]),
        ('{"type":"hello","audio":{"input_rate":7975}}', ProtocolViolation, ["hello.audio.input_rate", "8000"]),
        ('{"type":"hello","audio":{"input_rate":47990}}', ProtocolViolation, ["hello.audio.input_rate", "25"]),
        ('{"type":"hello","audio":{"output_rate":48025}}', ProtocolViolation, ["hello.audio.output_rate", "48000"]),
        ('{"type":"hello","audio":{"input_rate":"16000"}}', ProtocolViolation, ["integer"]),
        ('{"type":"hello","mode":"loud"}', ProtocolViolation, ["hello.mode", "push_to_talk"]),
        ('{"type":"hello","version":2}', ProtocolViolation, ["hello.version"]),
        ('{"type":"hello","acknowledge":1}', ProtocolViolation, ["hello.acknowledge", "boolean"]),
        ('{"type":"commit","now":true}', ProtocolViolation, ["no fields besides"]),
        ('{"type":"text"}', ProtocolViolation, ["text.text is missing"]),
        ('{"type":"text","text":" \\n "}', InvalidText, ["at least 1"]),
        ('{"type":"played","generation":-1,"samples":0}', ProtocolViolation, ["played.generation"]),
        ('{"type":"played","generation":1,"samples":0.5}', ProtocolViolation, ["played.samples", "integer"]),
        ('{"type":"setLanguage","language":"deutsch bitte"}', ProtocolViolation, ["setLanguage.language"]),
        ('{"type":"setProvider","kind":"ear","name":"x"}', ProtocolViolation, ["setProvider.kind", "'stt'"]),
        ('{"type":"setProvider","kind":"stt"}', ProtocolViolation, ["name"]),
        ('{"type":"ping","id":1.5}', ProtocolViolation, ["ping.id"]),
        (f'{{"type":"text","text":"{"a" * 200_000}"}}', ProtocolViolation, ["200"]),
        ("[" * 100_000, ProtocolViolation, ["not JSON"]),
    ],
)
def test_a_bad_message_is_explained(text: str, error: type[InvalidRequest], words: list[str]) -> None:
    with pytest.raises(error) as raised:
        parse_text(text)
    for word in words:
        assert word in raised.value.message


def test_text_is_measured_without_white_space_at_its_ends() -> None:
    assert parse_text(json.dumps({"type": "text", "text": " " + "é" * 5_000 + "\n"})) == TypedText(text="é" * 5_000)
    with pytest.raises(InvalidText):
        parse_text(json.dumps({"type": "text", "text": "é" * 5_001}))
    escaped = json.dumps({"type": "text", "text": "😀" * 5_000})
    assert len(escaped) > 60_000
    parse_text(escaped)


def test_good_messages() -> None:
    assert parse_text('{"type":"hello"}') == Hello()
    assert parse_text('{"type":"played","generation":2,"samples":48000}') == Played(generation=2, samples=48_000)


@pytest.mark.parametrize("size", [0, 1, 3, 641, MAX_AUDIO_MESSAGE + 2])
def test_audio_of_a_wrong_size(size: int) -> None:
    with pytest.raises(InvalidAudio):
        check_audio(bytes(size))


@pytest.mark.parametrize("size", [2, 640, MAX_AUDIO_MESSAGE])
def test_audio_of_a_right_size(size: int) -> None:
    check_audio(bytes(size))


u32 = st.integers(0, 2**32 - 1)


@given(u32, st.integers(0, 2**16 - 1), u32, u32, st.binary(max_size=64).filter(lambda b: len(b) % 2 == 0))
def test_audio_survives_the_wire(turn: int, revision: int, generation: int, offset: int, pcm: bytes) -> None:
    audio = ReplyAudio(Stamp(turn, revision, generation), AudioChunk(pcm, AudioFormat(24_000), offset))
    frame = encode_audio(audio)
    assert len(frame) == HEADER.size + len(pcm)
    assert decode_audio(frame, 24_000) == audio


@given(st.binary(max_size=40))
def test_no_bytes_crash_the_decoder(frame: bytes) -> None:
    try:
        decode_audio(frame, 16_000)
    except InvalidAudio as error:
        assert error.message


def test_the_header_is_laid_out_as_documented() -> None:
    audio = ReplyAudio(Stamp(0x01020304, 0x1_0506, 0x0708090A), AudioChunk(b"\xaa\xbb", AudioFormat(24_000), 0x0B0C0D0E))
    assert encode_audio(audio).hex() == "01000605040302010a0908070e0d0c0baabb"


# --- every event ---------------------------------------------------------------------------------------------------------

any_text = st.text(alphabet=st.characters(), max_size=30)  # half surrogate pairs included: models do write them


def _values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a contract's field, from its type."""
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: any_text, int: u32, bool: st.booleans(), float: st.floats(allow_nan=True), type(None): st.none(),
        dict[str, Any]: st.dictionaries(any_text, json_values | st.binary() | st.frozensets(st.integers()), max_size=3),
    }  # fmt: skip
    if annotation in simple:
        return simple[annotation]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(_values, arguments))
    if origin is tuple:
        return st.lists(_values(arguments[0]), max_size=2).map(tuple)
    assert is_dataclass(annotation), annotation
    hints = typing.get_type_hints(annotation)
    return st.builds(annotation, **{field.name: _values(hints[field.name]) for field in fields(annotation)})


@pytest.mark.parametrize("kind", SessionEvent.__args__, ids=lambda kind: kind.__name__)
def test_every_event_is_told_as_the_schema_says(kind: type) -> None:
    @given(_values(kind))
    def check(event: SessionEvent) -> None:
        message = json.loads(encode_event(event, Stamp(1, 2, 3)))
        SERVER.validate(message)
        stamp = getattr(event, "stamp", Stamp(1, 2, 3))
        assert (message["turn"], message["revision"], message["generation"]) == (
            stamp.turn,
            stamp.revision,
            stamp.generation,
        )

    check()


def test_a_waterfall_is_told_in_milliseconds_with_what_is_derived() -> None:
    waterfall = Waterfall(
        transcript=0.08, first_token=0.2, first_sentence=0.25, first_audio=0.31234, first_played=0.4, wait=0.1
    )
    event = told.ResponseCompleted(Stamp(1, 1, 1), "Hi.", False, waterfall)
    told_as = json.loads(encode_event(event))["waterfall"]
    assert (told_as["first_audio"], told_as["wait"]) == (312.3, 100)
    assert (told_as["stt"], told_as["llm"], told_as["tts"], told_as["total"]) == (80, 120, 62.3, 400)


def test_an_error_carries_what_the_tree_says() -> None:
    message = json.loads(encode_error(LimitExceeded("slower", retry_after=2.5), Stamp(4, 5, 6)))
    SERVER.validate(message)
    assert message == {
        "seq": 0, "type": "error", "turn": 4, "revision": 5, "generation": 6, "code": "limit_exceeded", "message": "slower",
        "retryable": True, "retry_after": 2.5,
    }  # fmt: skip
