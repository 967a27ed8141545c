"""The protocol of `/ws/audio` without sockets: bytes to messages, events to bytes.

Raises only errors of the tree. A session's own state (who may send what when) lives in ``connection``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError

from vivavoce.contracts import events as told
from vivavoce.contracts.audio import AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import InvalidAudio, InvalidText, ProtocolViolation, VivavoceError
from vivavoce.contracts.events import SessionEvent, Waterfall
from vivavoce.transports.options import MAX_AUDIO_MESSAGE, MAX_CONTROL_MESSAGE
from vivavoce.transports.ws import events as wire
from vivavoce.transports.ws.messages import AudioWish, ClientMessage, ProviderWish

HEADER = struct.Struct("<BBHIII")
"""Of a binary reply message: version u8, flags u8, revision u16, turn u32, generation u32, offset u32; little-endian.

``offset`` counts samples at the output rate from the start of the generation; revision keeps its lowest 16 bits; flags
are zero and to be ignored. PCM s16le follows.
"""

FRAME_VERSION = 1
_UNNUMBERED = '{"seq":0'
NOWHERE = Stamp(0, 0, 0)
"""The stamp before anything happened."""

_messages: TypeAdapter[ClientMessage] = TypeAdapter(Annotated[ClientMessage, Field(discriminator="type")])
_TYPES: dict[str, Any] = {kind.__dataclass_fields__["type"].default: kind for kind in ClientMessage.__args__}
_NESTED: dict[tuple[str, str], Any] = {("hello", "audio"): AudioWish, ("hello", "provider"): ProviderWish}
MESSAGE_TYPES = tuple(_TYPES)
"""What clients may send, besides audio."""


# --- from the client ---------------------------------------------------------------------------------------------------


def parse_text(text: str) -> ClientMessage:
    """One JSON message. Raises ProtocolViolation or InvalidText, naming the field and what is allowed."""
    if len(text) > MAX_CONTROL_MESSAGE:
        raise ProtocolViolation(f"a JSON message of {len(text)} characters; at most {MAX_CONTROL_MESSAGE} are allowed")
    try:
        return _messages.validate_json(text)
    except ValidationError as error:
        raise _explained(error.errors(include_url=False)[0]) from error
    except UnicodeEncodeError as error:  # lone surrogates
        raise ProtocolViolation("a JSON message has to be valid Unicode", cause=error) from error


def check_audio(pcm: bytes) -> None:
    """Raises InvalidAudio unless ``pcm`` is 2 bytes to 1 MB of whole samples."""
    size = len(pcm)
    if size & 1 or not 2 <= size <= MAX_AUDIO_MESSAGE:
        raise InvalidAudio(
            f"an audio message of {size} bytes; send 2 to {MAX_AUDIO_MESSAGE} bytes, an even number (PCM s16le, mono)"
        )


def _explained(problem: ErrorDetails) -> ProtocolViolation | InvalidText:
    kind = problem["type"]
    place = [str(part) for part in problem["loc"]]
    place = place[: 3 if tuple(place[:2]) in _NESTED else 2]  # deeper parts name members of unions
    path = ".".join(place)
    if kind == "json_invalid":
        return ProtocolViolation(f"not JSON: {problem['ctx']['error']}")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = problem.get("ctx", {}).get("tag")
        wrong = "a message needs a `type`" if tag is None else f"unknown message type {str(tag)[:40]!r}"
        return ProtocolViolation(f"{wrong}; known types are {', '.join(MESSAGE_TYPES)}", code="unknown_message")
    if not place:
        return ProtocolViolation("a message is a JSON object with a `type`")
    if kind == "unexpected_keyword_argument":
        return ProtocolViolation(f"{'.'.join(place[:-1])}: unknown field {place[-1][:40]!r}; {_allowed(place[:-1])}")
    if kind == "missing":
        return ProtocolViolation(f"{path} is missing")
    message = f"{path}: {problem['msg'].removeprefix('Value error, ')[:300]}"
    return InvalidText(message) if path == "text.text" else ProtocolViolation(message)


def _allowed(place: list[str]) -> str:
    target = _TYPES[place[0]] if len(place) == 1 else _NESTED.get((place[0], place[1]))
    names = [field.name for field in fields(target) if field.name != "type"] if target is not None else []
    return f"allowed are {', '.join(names)}" if names else "it has no fields besides `type`"


# --- from the server ---------------------------------------------------------------------------------------------------


def encode(message: wire.ServerMessage) -> str:
    """One JSON message."""
    return _encoders[type(message)].dump_json(message).decode()


def numbered(text: str, seq: int) -> str:
    """An encoded message with its number."""
    return f'{{"seq":{seq}{text[len(_UNNUMBERED) :]}'


def encode_event(event: SessionEvent, last: Stamp = NOWHERE) -> str:
    """What happened, as JSON. ``last`` is the stamp told for events without one of their own."""
    translate, stamp = _translations[type(event)], _stamp(getattr(event, "stamp", last))
    try:
        return encode(translate(event, stamp))
    except (ValidationError, PydanticSerializationError):  # half a surrogate pair, or a tool's argument that is no JSON
        return encode(translate(_presentable(event), stamp))


def encode_error(error: VivavoceError, last: Stamp = NOWHERE) -> str:
    """An error of the tree, as JSON."""
    return encode(
        wire.Error(
            code=error.code,
            message=error.message,
            retryable=error.retryable,
            retry_after=error.retry_after,
            **_stamp(last),
        )
    )


def encode_audio(audio: ReplyAudio) -> bytes:
    """A piece of a reply: the header, then PCM."""
    stamp = audio.stamp
    header = HEADER.pack(
        FRAME_VERSION, 0, stamp.revision & 0xFFFF, stamp.turn, stamp.generation, audio.chunk.offset & 0xFFFFFFFF
    )
    return header + audio.chunk.pcm


def without_start(frame: bytes, samples: int) -> bytes:
    """An encoded piece of a reply without its first ``samples`` samples."""
    version, flags, revision, turn, generation, offset = HEADER.unpack_from(frame)
    header = HEADER.pack(version, flags, revision, turn, generation, (offset + samples) & 0xFFFFFFFF)
    return header + frame[HEADER.size + 2 * samples :]


def decode_audio(frame: bytes, rate: int) -> ReplyAudio:
    """The other way, for clients in Python. Raises InvalidAudio."""
    if len(frame) < HEADER.size or (len(frame) - HEADER.size) & 1:
        raise InvalidAudio(f"a reply message of {len(frame)} bytes is no header of {HEADER.size} and whole samples")
    version, _flags, revision, turn, generation, offset = HEADER.unpack_from(frame)
    if version != FRAME_VERSION:
        raise InvalidAudio(f"a reply message of version {version}; this client knows version {FRAME_VERSION}")
    return ReplyAudio(Stamp(turn, revision, generation), AudioChunk(frame[HEADER.size :], AudioFormat(rate), offset))


def _presentable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {str(_presentable(str(key))): _presentable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_presentable(item) for item in value]
    if isinstance(value, Stamp | Waterfall | int | float | None):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _presentable(getattr(value, field.name)) for field in fields(value)})
    return _presentable(repr(value))


def _stamp(stamp: Stamp) -> dict[str, Any]:
    return {"turn": stamp.turn, "revision": stamp.revision, "generation": stamp.generation}


def milliseconds(seconds: float | None) -> float | None:
    """To a tenth; what is no finite number is nothing."""
    return None if seconds is None or not math.isfinite(seconds * 1000) else round(seconds * 1000, 1)


def _waterfall(waterfall: Waterfall) -> wire.LatencyWaterfall:
    values: dict[str, Any] = {
        name: value if name in ("speculated", "revisions") else milliseconds(value)
        for name, value in asdict(waterfall).items()
        if name != "speech_end"
    }
    values["wait"] = values["wait"] or 0.0
    derived: dict[str, Any] = {name: milliseconds(getattr(waterfall, name)) for name in ("stt", "llm", "tts", "total")}
    return wire.LatencyWaterfall(**values, **derived)


_encoders: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in wire.ServerMessage.__args__}

_translations: dict[type, Callable[[Any, dict[str, Any]], wire.ServerMessage]] = {
    told.SpeechStarted: lambda e, s: wire.SpeechStarted(at=e.at, **s),
    told.SpeechStopped: lambda e, s: wire.SpeechStopped(at=e.at, **s),
    told.TurnDiscarded: lambda e, s: wire.TurnDiscarded(reason=e.reason, **s),
    told.TurnContinued: lambda e, s: wire.TurnContinued(continues=e.continues, **s),
    told.TranscriptUpdated: lambda e, s: wire.Transcription(text=e.text, final=e.final, stable=e.stable, **s),
    told.ReplyStarted: lambda e, s: wire.ReplyStarted(**s),
    told.ReplyText: lambda e, s: wire.ReplyText(content=e.text, **s),
    told.ReplyPaused: lambda e, s: wire.Paused(**s),
    told.ReplyResumed: lambda e, s: wire.Resumed(at=e.at, reason=e.reason, **s),
    told.ReplyInterrupted: lambda e, s: wire.Interrupted(at=e.at, heard=e.heard, reason=e.reason, **s),
    told.ResponseCompleted: lambda e, s: wire.ResponseComplete(
        text=e.text, interrupted=e.interrupted, waterfall=_waterfall(e.waterfall), **s
    ),
    told.ToolUsed: lambda e, s: wire.ToolUsed(name=e.name, arguments=e.arguments, result=e.result, **s),
    told.SessionFailed: lambda e, s: wire.Error(code=e.code, message=e.message, retryable=e.retryable, **s),
    told.Woke: lambda e, s: wire.Woke(word=e.word, at=e.at, **s),
    told.Slept: lambda e, s: wire.Slept(at=e.at, **s),
    told.SettingsChanged: lambda e, s: wire.SettingChanged(name=e.name, value=e.value, **s),
}
