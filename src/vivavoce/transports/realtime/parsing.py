"""Client messages: text to JSON. Pure, and fit for a thread."""

from __future__ import annotations

import json
from typing import Any

from vivavoce.contracts.errors import InvalidAudio
from vivavoce.transports.realtime.sound import decoded
from vivavoce.transports.realtime.wire import Json


def parsed(text: str) -> Json | None:
    """A JSON object; None for anything else. Half a surrogate pair becomes a replacement character.

    Appended audio comes as bytes, where it is base64.
    """
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if found.get("type") == "input_audio_buffer.append":
        try:
            return {**found, "audio": decoded(found.get("audio"))}
        except InvalidAudio:
            return found  # whoever handles the event says so, in its turn
    return _whole(found) if "\\u" in text else found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(entry) for key, entry in value.items()}
    return [_whole(entry) for entry in value] if isinstance(value, list) else value
