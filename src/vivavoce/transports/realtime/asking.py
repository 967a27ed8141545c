"""What a client asks of a response: ``response.create`` as a wish and a request of the conversation. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vivavoce.sessions.asked import ReplyRequest
from vivavoce.transports.realtime.configuration import (
    MAX_INSTRUCTIONS,
    format_of,
    modalities_of,
    tokens_of,
    tools_of,
    voice_of,
)
from vivavoce.transports.realtime.items import Items, messages_of
from vivavoce.transports.realtime.replying import Wish
from vivavoce.transports.realtime.wire import Json

MAX_METADATA = 16
"""Pairs of metadata that are kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One response to come."""

    wish: Wish
    request: ReplyRequest


def asked(given: Any, session: Json, items: Items) -> Asked:
    """What ``given`` says, the session where it says nothing. Raises ProtocolViolation for items that are none."""
    wanted: Json = given if isinstance(given, dict) else {}
    modalities = modalities_of(wanted.get("output_modalities"), session["output_modalities"])
    output = wanted.get("audio", {}).get("output", {}) if isinstance(wanted.get("audio"), dict) else {}
    held = session["audio"]["output"]
    output = output if isinstance(output, dict) else {}
    limit = tokens_of(wanted.get("max_output_tokens", session["max_output_tokens"]), session["max_output_tokens"])
    instructions = wanted.get("instructions")
    metadata = wanted.get("metadata")
    inside = wanted.get("conversation") != "none"
    wish = Wish(
        modalities=modalities,
        format=format_of(output.get("format"), held["format"]),
        voice=voice_of(output.get("voice")) or held["voice"],
        max_tokens=limit,
        metadata=dict(list(metadata.items())[:MAX_METADATA]) if isinstance(metadata, dict) else None,
        conversation=inside,
    )
    request = ReplyRequest(
        instructions=instructions[:MAX_INSTRUCTIONS] if isinstance(instructions, str) else None,
        messages=messages_of(wanted["input"], items) if isinstance(wanted.get("input"), list) else None,
        tools=_tools(wanted, session),
        spoken=modalities == ["audio"],
        max_tokens=limit if isinstance(limit, int) else None,
        recorded=inside,
        voice=voice_of(output.get("voice")) or None,
    )
    return Asked(wish, request)


def _tools(wanted: Json, session: Json) -> Any:
    """Tools of this response only, None where the session's are meant."""
    if "tools" not in wanted and "tool_choice" not in wanted:
        return None
    tools = wanted.get("tools")
    return tools_of(session["tools"] if tools is None else tools, wanted.get("tool_choice", session["tool_choice"]))
