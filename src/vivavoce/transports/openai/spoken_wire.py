"""The messages of ``WS /v1/speech/sessions/ws``: JSON to orders, and events to JSON. Pure."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vivavoce.contracts.errors import ProtocolViolation, VivavoceError
from vivavoce.transports.openai.errors import Parameter, body_of
from vivavoce.transports.openai.incremental import MAX_APPEND, SessionRequest

MAX_MESSAGE = 128 * 1024
"""Characters of one message: the longest text, every character escaped to six, with room."""


class Start(SessionRequest):
    """How everything is spoken; the first message, once."""

    type: Literal["start"]


class Text(BaseModel):
    """More text; ``flush`` has it spoken even where it ends in mid-sentence."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["text"]
    text: str = Field(max_length=MAX_APPEND)
    flush: bool = False


class Flush(BaseModel):
    """Speak what is there."""

    type: Literal["flush"]


class End(BaseModel):
    """No more text."""

    type: Literal["end"]


class Cancel(BaseModel):
    """Silence, at once."""

    type: Literal["cancel"]


Order = Start | Text | Flush | End | Cancel
_orders: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="type")])


def parse(text: str) -> Order:
    """A message of the client. Raises ProtocolViolation, Parameter for a field that is wrong."""
    if len(text) > MAX_MESSAGE:
        raise ProtocolViolation(f"a message has at most {MAX_MESSAGE} characters; send the text in pieces")
    try:
        return _orders.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
            raise ProtocolViolation("a message has a `type`: start, text, flush, end or cancel") from error
        place = [str(part) for part in first["loc"][1:]]
        if not place:
            raise ProtocolViolation(f"a message is a JSON object: {first['msg'][:200]}") from error
        raise Parameter(".".join(place), f"{'.'.join(place)}: {first['msg'][:200]}") from error


def event(kind: str, **fields: Any) -> str:
    """An event of type ``kind``."""
    return json.dumps({"type": kind, **fields}, separators=(",", ":"))


def failure(error: VivavoceError) -> str:
    """An error, with OpenAI's keys; ``retry_after`` (seconds) where it is known."""
    body = body_of(error)["error"]
    return event("error", error={**body, "retry_after": error.retry_after})
