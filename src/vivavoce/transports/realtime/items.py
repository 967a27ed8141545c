"""The items of a conversation as the protocol counts them, and what each means for the language model's history. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.errors import ProtocolViolation
from vivavoce.contracts.speech import Message, ToolCall

Json = dict[str, Any]

MAX_ITEMS = 1_000
"""Items remembered; the oldest are forgotten, as history forgets them."""
MAX_ID = 200
MAX_TEXT = 100_000
_ROLES = ("system", "user", "assistant")
_SILENT = ("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response")
"""Kinds that are kept and mean nothing here."""


@dataclass(slots=True)
class Item:
    """``wire`` is what clients see, without audio. ``key`` and ``role`` find it in history; ``generation`` is its reply's.

    ``samples`` counts the audio sent of it, at 24 kHz.
    """

    wire: Json
    key: int | None = None
    role: str = "user"
    generation: int = 0
    samples: int = 0

    @property
    def id(self) -> str:
        """Its name."""
        name: str = self.wire["id"]
        return name


class Items:
    """All items in order, bounded."""

    def __init__(self) -> None:
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    @property
    def last(self) -> str | None:
        """Name of the last item."""
        return self._items[-1].id if self._items else None

    def find(self, name: Any) -> Item | None:
        """The item called ``name``."""
        return next((item for item in self._items if item.id == name), None)

    def add(self, item: Item, behind: str | None = None) -> str | None:
        """Put it at the end, or behind another (``root``: at the front). Return the name of the one before it."""
        place = len(self._items)
        if behind == "root":
            place = 0
        elif behind is not None:
            place = next((index + 1 for index, other in enumerate(self._items) if other.id == behind), place)
        self._items.insert(place, item)
        before = self._items[place - 1].id if place else None
        del self._items[: max(0, len(self._items) - MAX_ITEMS)]
        return before

    def before(self, item: Item) -> str | None:
        """The name of the one before it."""
        place = next((index for index, other in enumerate(self._items) if other is item), 0)
        return self._items[place - 1].id if place else None

    def keys_up_to(self, item: Item) -> list[int]:
        """Where this item and those before it are found in history, the last first."""
        place = next((index for index, other in enumerate(self._items) if other is item), -1)
        return [other.key for other in reversed(self._items[: place + 1]) if other.key is not None]

    def remove(self, item: Item) -> None:
        """Forget it."""
        self._items.remove(item)


def user_audio(id: str, *, transcript: str | None = None) -> Json:
    """What a user said."""
    return {
        "id": id, "object": "realtime.item", "type": "message", "status": "completed", "role": "user",
        "content": [{"type": "input_audio", "transcript": transcript}],
    }  # fmt: skip


def assistant_message(id: str, status: str, text: str | None, *, spoken: bool) -> Json:
    """What a reply says; without content while there is nothing yet (None)."""
    part: Json = {"type": "output_audio", "transcript": text} if spoken else {"type": "output_text", "text": text}
    return {
        "id": id, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
        "content": [] if text is None else [part],
    }  # fmt: skip


def function_call(id: str, status: str, call: ToolCall, arguments: str) -> Json:
    """A call of one of the client's tools."""
    return {
        "id": id, "object": "realtime.item", "type": "function_call", "status": status,
        "name": call.name, "call_id": call.id, "arguments": arguments,
    }  # fmt: skip


def parsed(given: Any, fresh: str) -> tuple[Json, Message | None]:
    """An item of a client, cleaned and named, and what it adds to history. Raises ProtocolViolation."""
    if not isinstance(given, dict):
        raise ProtocolViolation("`item` must be an object")
    id = given.get("id")
    named: Json = {
        "id": id if isinstance(id, str) and 0 < len(id) <= MAX_ID else fresh,
        "object": "realtime.item",
        "type": given.get("type"),
        "status": "completed",
    }
    match given.get("type"):
        case "message":
            return _message(given, named)
        case "function_call":
            name, call, arguments = (_text(given, key) for key in ("name", "call_id", "arguments"))
            wire = {**named, "name": name, "call_id": call or named["id"], "arguments": arguments}
            return wire, Message("assistant", "", tool_calls=(ToolCall(wire["call_id"], name, _arguments(arguments)),))
        case "function_call_output":
            call, output = _text(given, "call_id"), _text(given, "output")
            return {**named, "call_id": call, "output": output}, Message("tool", output, tool_call_id=call)
        case kind if kind in _SILENT:
            return {**given, **named}, None
        case kind:
            raise ProtocolViolation(f"there is no kind of item {str(kind)[:40]!r}")


def _message(given: Json, named: Json) -> tuple[Json, Message | None]:
    role = given.get("role")
    if role not in _ROLES:
        raise ProtocolViolation(f"a message is of system, user or assistant, not {str(role)[:40]!r}")
    content = given.get("content")
    parts = [_part(part, role) for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    text = " ".join(part.get("text") or part.get("transcript") or "" for part in parts).strip()[:MAX_TEXT]
    wire = {**named, "role": role, "content": parts}
    return wire, Message(role, text) if text else None


def _part(part: Json, role: str) -> Json:
    """A part of a message; audio and images are not kept."""
    kind = part.get("type")
    if kind in ("input_audio", "output_audio", "audio"):
        shown = "output_audio" if role == "assistant" else "input_audio"
        return {"type": shown, "transcript": part.get("transcript") if isinstance(part.get("transcript"), str) else None}
    if kind == "input_image":
        return {"type": "input_image", "detail": part.get("detail", "auto")}
    return {"type": "output_text" if role == "assistant" else "input_text", "text": _text(part, "text")}


def messages_of(given: Any, items: Items) -> tuple[Message, ...]:
    """The context of an out-of-band response: items, or references to items. Raises ProtocolViolation."""
    found: list[Message] = []
    for entry in given if isinstance(given, list) else ():
        reference = isinstance(entry, dict) and entry.get("type") == "item_reference"
        known = items.find(entry.get("id")) if reference else None
        if reference and known is None:
            continue  # it was deleted meanwhile: there is nothing left to refer to
        _, message = parsed(entry if known is None else known.wire, "item")
        if message is not None:
            found.append(message)
    return tuple(found)


def _text(given: Json, key: str) -> str:
    value = given.get(key)
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _arguments(text: str) -> Json:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
