"""How the routes are described in `/openapi.json`, where the code alone does not say it."""

from __future__ import annotations

from typing import Any

from vivavoce.transports.bodies import ErrorBody

Answers = dict[int | str, dict[str, Any]]

FAILS: Answers = {
    400: {"model": ErrorBody, "description": "A wrong parameter; `param` names it."},
    404: {"model": ErrorBody, "description": "No such model."},
    429: {"model": ErrorBody, "description": "No room now; `Retry-After` says when."},
    500: {"model": ErrorBody, "description": "An engine or the server failed."},
    502: {"model": ErrorBody, "description": "A remote service failed."},
    503: {"model": ErrorBody, "description": "A part is missing or down."},
    504: {"model": ErrorBody, "description": "An engine or a remote service took too long."},
}

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_AUDIO = dict.fromkeys(
    ("audio/mpeg", "audio/ogg", "audio/aac", "audio/flac", "audio/wav", "audio/pcm;rate=24000;channels=1"), _BINARY
)
_EVENTS = {"schema": {"description": "Server-sent events, each with a JSON object."}}

SOUND: Answers = {
    200: {"content": {**_AUDIO, "text/event-stream": _EVENTS}, "description": "Audio while it is spoken."},
    **FAILS,
}
CONTINUOUS: Answers = {
    200: {"content": _AUDIO, "description": "Audio while it is spoken."},
    **FAILS,
    404: {"model": ErrorBody, "description": "No such session: it has ended, was idle too long, or never was."},
    409: {"model": ErrorBody, "description": "Somebody listens already."},
}
SESSION: Answers = {404: CONTINUOUS[404]}
OPENED: Answers = {status: FAILS[status] for status in (400, 404, 429, 503)}
APPENDED: Answers = {**SESSION, 400: FAILS[400], 429: FAILS[429]}
CHAT: Answers = {
    200: {
        "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": _EVENTS},
        "description": "A `chat.completion`, or its chunks as server-sent events.",
    },
    **FAILS,
}

_USAGE = {
    "type": "object",
    "properties": {"type": {"const": "duration"}, "seconds": {"type": "integer"}},
    "required": ["type", "seconds"],
}
_SEGMENTS = {"type": "array", "items": {"type": "object", "required": ["id", "start", "end", "text"]}}
_TRANSCRIPT = {
    "type": "object",
    "description": "`json`; with `verbose_json` and `diarized_json` duration and segments, too.",
    "properties": {
        "text": {"type": "string"},
        "usage": _USAGE,
        "task": {"enum": ["transcribe", "translate"]},
        "language": {"type": "string"},
        "duration": {"type": "number"},
        "segments": _SEGMENTS,
        "words": {"type": "array", "items": {"type": "object", "required": ["word", "start", "end"]}},
    },
    "required": ["text", "usage"],
}
_PLAIN = {"schema": {"type": "string"}}

TEXT: Answers = {
    200: {
        "content": {
            "application/json": {"schema": _TRANSCRIPT},
            "text/plain": _PLAIN,
            "text/vtt": _PLAIN,
            "text/event-stream": _EVENTS,
        },
        "description": "The transcript, in the format that was asked for.",
    },
    **FAILS,
    413: {"model": ErrorBody, "description": "The recording is too large."},
}

_SPOKEN = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {"type": "string", "contentEncoding": "base64", "minLength": 4},
        "format": {"type": "string", "description": "Not needed: the bytes tell."},
    },
}
RECORDING = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "model"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "Any container; told by its bytes."},
                        "model": {"type": "string"},
                        "language": {"type": "string", "description": "ISO 639-1; `auto` or absent is the default."},
                        "response_format": {"type": "string", "default": "json"},
                        "stream": {"type": "boolean", "default": False},
                        "timestamp_granularities[]": {"type": "array", "items": {"enum": ["segment", "word"]}},
                    },
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["input_audio"],
                    "properties": {"input_audio": _SPOKEN, "model": {"type": "string"}},
                }
            },
        },
    }
}
