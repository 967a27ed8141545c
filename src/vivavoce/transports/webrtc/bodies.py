"""Bodies of offers: JSON, plain SDP, or a form; bounded before anything is read out of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from vivavoce.contracts.errors import InvalidRequest, ProtocolViolation

AROUND = 256 * 1024
"""Bytes of a body beside the offer: a session's configuration with its tools."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client sends to open a call: its SDP, and a wish as JSON gave it."""

    sdp: str
    wish: Any = None


def bounded(request: Request, limit: int) -> Request:
    """The same request, which refuses to read on over ``limit`` bytes."""
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise InvalidRequest(f"an offer has at most {limit} bytes", code="too_large")
        return message

    return Request(request.scope, receive)


async def native_offer(request: Request, max_sdp: int) -> Offer:
    """JSON ``{sdp, type: "offer", hello?}``. Raises InvalidRequest."""
    value = _json(await bounded(request, 2 * max_sdp + AROUND).body())
    if not isinstance(value, dict) or not isinstance(value.get("sdp"), str) or value.get("type", "offer") != "offer":
        raise ProtocolViolation('send {"type": "offer", "sdp": …}, and `hello` if you like', code="bad_offer")
    return Offer(value["sdp"], value.get("hello"))


async def realtime_offer(request: Request, max_sdp: int) -> Offer:
    """``application/sdp``, or a form with ``sdp`` and ``session`` (JSON). Raises InvalidRequest."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    small = bounded(request, 2 * max_sdp + AROUND)
    if kind == "multipart/form-data":
        parts = await _parts(small, max_sdp + AROUND)
        wish = _json(parts["session"].encode()) if parts.get("session") else None
        return Offer(parts.get("sdp", ""), wish)
    if kind in ("application/sdp", "text/plain", ""):
        return Offer((await small.body()).decode("utf-8", "replace"))
    raise ProtocolViolation("send application/sdp, or multipart/form-data with `sdp` and `session`", code="bad_offer")


async def _parts(request: Request, limit: int) -> dict[str, str]:
    try:
        form = await request.form(max_files=4, max_fields=16, max_part_size=limit)
    except MultiPartException as error:
        raise ProtocolViolation(f"the form is broken: {error.message}", code="bad_offer") from error
    try:
        found: dict[str, str] = {}
        for name, value in form.multi_items():
            found[name] = (await value.read()).decode("utf-8", "replace") if isinstance(value, UploadFile) else value
        return found
    finally:
        await form.close()


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation("this is no JSON", code="invalid_json", cause=error) from error
