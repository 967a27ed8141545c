"""The protocol as documents, made from the code: a JSON schema for programs, Markdown for people."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from vivavoce.transports.options import PROTOCOL_VERSION, WEBSOCKET_PATH, ResumeOptions, SocketLimits
from vivavoce.transports.ws import events, messages
from vivavoce.transports.ws.protocol import HEADER

STAMP = {"turn", "revision", "generation"}
_client: TypeAdapter[Any] = TypeAdapter(Annotated[messages.ClientMessage, Field(discriminator="type")])
_server: TypeAdapter[Any] = TypeAdapter(Annotated[events.ServerMessage, Field(discriminator="type")])


def schema() -> dict[str, Any]:
    """JSON schema (2020-12) of every JSON message, ``#/$defs/ClientMessage`` and ``#/$defs/ServerMessage``."""
    found, shared = TypeAdapter.json_schemas([("client", "validation", _client), ("server", "serialization", _server)])
    definitions = dict(shared["$defs"])
    for name, definition in definitions.items():
        if hasattr(events, name):  # the server leaves nothing out
            definition["required"] = list(definition["properties"])
        elif "type" in definition["properties"]:
            definition["required"] = ["type", *definition.get("required", [])]
    definitions["ClientMessage"] = found["client", "validation"]
    definitions["ServerMessage"] = found["server", "serialization"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Vivavoce {WEBSOCKET_PATH}, version {PROTOCOL_VERSION}",
        "anyOf": [{"$ref": "#/$defs/ClientMessage"}, {"$ref": "#/$defs/ServerMessage"}],
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """``docs/reference/websocket.schema.json``."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


_HEAD = """\
# The WebSocket `{path}`

Generated from the code; the JSON schema beside it ([`websocket.schema.json`](websocket.schema.json)) says the same to
programs. Protocol version {version}.

One connection is one conversation. JSON text messages carry control and events, binary messages carry audio.

1. Connect. Host and Origin must be known to the server (loopback is); strangers are refused with 403 before the upgrade.
2. Send `hello`, or simply audio: the first message opens the session with what it asks for, or with defaults. A `hello`
   that asks for something unknown gets an `error`, and another may follow; once the session is open it is too late.
3. `ready` tells what is in force and what can be chosen. Then audio and events flow both ways until either side says
   `goodbye`.

A message that fails validation gets an `error` that names the field and what is allowed; the session lives on. Unknown
fields are errors from a client; from the server, ignore what you do not know.

## Audio from the client

A binary message is mono PCM s16le at `audio.input_rate`: 2 bytes to 1 MB, an even number. Send 10 to 100 ms each.

## Audio from the server

A binary message is a header of {header} bytes, little-endian, then mono PCM s16le at `audio.output_rate`:

| bytes | field | meaning |
|---|---|---|
| 0 | version, u8 | 1 |
| 1 | flags, u8 | 0; ignore it |
| 2–3 | revision, u16 | lowest 16 bits |
| 4–7 | turn, u32 | |
| 8–11 | generation, u32 | the reply |
| 12–15 | offset, u32 | samples of this generation before this message |

## Playing a reply

- Every reply has a `generation`. Play its samples in order of `offset`. Drop audio of a generation that is over.
- Send `played` every 100 to 200 ms with the number of samples that left the loudspeaker. The server sends only a bounded
  lead ahead of it, and an interrupted reply keeps exactly the words that were played. A client that cannot tell leaves
  `acknowledge` false: then the server assumes real time.
- `paused`: stop at the current sample, keep what is buffered, send `played`.
- `resumed`: go on at that sample. `interrupted`: drop everything of this generation and older ones.
- These three overtake audio that still waits in the server, and stale audio is dropped there; JSON messages never
  overtake each other.
- `turn_continued` behind an `interrupted`: that reply answered too soon, its turn goes on. Take the earlier turn off the
  screen; its words come again with the next `transcription`.

## When the connection is lost

A session outlives its connection. Lost without `goodbye` (any close code but 1000), it waits {resume:g} s for its client:
the reply stands still, nothing is spoken to nobody, and time stands still, so that a word cut off in the middle goes on
where it was cut. See [session resumption](../concepts/resumption.md).

1. Every JSON message has a `seq`: 1, 2, 3 and so on in its session. Remember the last one, and how many samples of the
   newest reply came without a gap from its start (what was played is part of them).
2. Connect again, and send `resume` as the first message, in place of `hello`, with the `token` of `ready` (or of the last
   `session_resumed`: a token is good for once, and again until you were heard on the connection it was used for).
3. `session_resumed` is the answer; its `seq` repeats yours. Behind it come the `replayed` messages you missed, with the
   `seq` they had, then the audio you missed, then what is new.
4. Send the microphone's samples from `input_samples` on, as many as you kept; {burst:g} s are taken at once. What is older
   is lost. Send `played`, too: the last one may not have arrived.
5. `error` with `session_not_found`: its time was up, there never was one, the token is not its last one, or it belongs to
   somebody else. `resume_gap`: what you missed is not kept any more. Then send `hello`, on the same connection if you like.

A connection that resumes a session takes it over from one that seems to live still; that one is closed with code 4001.

## Limits

Control messages: {control} a minute, `played` apart ({played} a second); {bad} bad messages in {window:g} s. Beyond that one
`limit_exceeded` error is sent and control messages are ignored for {refusal:g} s; audio goes on. Audio: {speed:g} times real
time with {burst:g} s at once; beyond that it is dropped and `audio_limit_exceeded` is sent. These are the defaults; `ready`
tells what is in force. WebSocket pings go out every 30 s; a client that leaves one unanswered as long is cut off.

| close code | meaning |
|---|---|
| 1000 | the client said goodbye |
| 1001 | the server is stopping: replies in progress were finished or their time was up |
| 1008 | no message came within {first:g} s |
| 1011 | the server failed; its log says why |
| 1013 | full, or behind, or the client does not read: the `error` before it says which and when to come back |
| 4001 | the session goes on over another connection, which resumed it |

"""


def markdown() -> str:
    """``docs/reference/websocket.md``."""
    limits = SocketLimits()
    text = _HEAD.format(
        path=WEBSOCKET_PATH,
        version=PROTOCOL_VERSION,
        header=HEADER.size,
        control=limits.control_per_minute,
        played=limits.played_per_second,
        bad=limits.bad_messages,
        window=limits.bad_window,
        refusal=limits.refusal,
        speed=limits.audio_speed,
        burst=limits.audio_burst,
        first=limits.first_message,
        resume=ResumeOptions().resume_window,
    )
    definitions = schema()["$defs"]
    parts = [text, "## Messages from the client\n\n"]
    parts += [_section(kind, definitions) for kind in messages.ClientMessage.__args__]
    parts.append("## Messages from the server\n\nAll carry `seq`, events `turn`, `revision` and `generation` too.\n\n")
    parts += [_section(kind, definitions) for kind in events.ServerMessage.__args__]
    return "".join(parts).rstrip() + "\n"


def _section(kind: Any, definitions: dict[str, Any]) -> str:
    name = next(field.default for field in fields(kind) if field.name == "type")
    definition = definitions[kind.__name__]
    rows = _rows(definition, definitions, "")
    table = "| field | type | meaning |\n|---|---|---|\n" + "".join(rows) + "\n" if rows else ""
    return f"### `{name}`\n\n{' '.join(definition['description'].split())}\n\n{table}"


def _rows(definition: dict[str, Any], definitions: dict[str, Any], prefix: str) -> list[str]:
    rows = []
    required = definition.get("required", [])
    for name, field in definition["properties"].items():
        if name == "type" or (not prefix and _everywhere(name, definition)):
            continue
        note = " ".join(field.get("description", "").split())
        if name not in required and "default" in field and field["default"] is not None and "$ref" not in field:
            note = f"{note} Default: `{json.dumps(field['default'])}`.".strip()
        optional = "" if name in required else ", optional"
        rows.append(f"| `{prefix}{name}` | {_kind(field)}{optional} | {note} |\n")
        field = next((choice for choice in field.get("anyOf", ()) if "$ref" in choice), field)
        if "$ref" in field:
            nested = definitions[field["$ref"].rpartition("/")[2]]
            rows += _rows(nested, definitions, f"{prefix}{name}.")
    return rows


def _everywhere(name: str, definition: dict[str, Any]) -> bool:
    """What many messages have is told once, ahead of them. A client's `seq` is another thing."""
    fields = set(definition["properties"])
    return (name == "seq" and "token" not in fields) or (name in STAMP and fields >= STAMP)


def _kind(field: dict[str, Any]) -> str:
    """A JSON schema type in words."""
    if "anyOf" in field:
        return " or ".join(_kind(choice) for choice in field["anyOf"])
    if "enum" in field:
        return " or ".join(f"`{choice}`" for choice in field["enum"])
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "$ref" in field:
        return "object"
    if field.get("type") == "array":
        items = field.get("items", {})
        return f"list of {_kind(items)}" if items else "list of " + ", ".join(_kind(item) for item in field["prefixItems"])
    low, high = field.get("minimum"), field.get("maximum")
    bounds = f" {low:g}–{high:g}" if low is not None and high is not None and high < 2**32 - 1 else ""
    return f"{field.get('type', 'any')}{bounds}"


if __name__ == "__main__":
    sys.stdout.write(schema_text() if sys.argv[1:] == ["schema"] else markdown())
