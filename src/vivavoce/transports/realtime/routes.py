"""The HTTP side of the protocol: ephemeral keys. Calls have a door of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from vivavoce.contracts.errors import InvalidRequest, NotAllowed, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.transports.access import Credentials
from vivavoce.transports.bodies import ErrorBody
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.errors import answer
from vivavoce.transports.realtime.configuration import shown
from vivavoce.transports.realtime.wire import Json

MIN_SECONDS, MAX_SECONDS, DEFAULT_SECONDS = 10, 7_200, 600
"""An ephemeral key lives this long."""
MAX_BODY = 256 * 1024
"""Bytes of a session's configuration."""

_WISHES = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "expires_after": {
                            "type": "object",
                            "properties": {"anchor": {"const": "created_at"}, "seconds": {"type": "integer"}},
                        },
                        "session": {"type": "object", "description": "As in `session.update`."},
                    },
                }
            }
        }
    }
}
_REFUSED: dict[int | str, dict[str, Any]] = {501: {"model": ErrorBody, "description": "Not offered."}}
_UNKNOWN: dict[int | str, dict[str, Any]] = {**_REFUSED, 404: {"model": ErrorBody, "description": "No such call."}}


class ClientSecret(BaseModel):
    """An ephemeral key and the session it opens."""

    value: str = Field(description="The key: `ek_…`.")
    expires_at: int = Field(description="Unix time.")
    session: dict[str, Any] = Field(description="As in `session.created`.")


def routes_of(entrance: Entrance, clock: Clock, new_session: Callable[[Json], Json]) -> APIRouter:
    """The routes; ``new_session`` makes a session of what a client wishes."""
    routes = APIRouter(tags=["realtime"])

    @routes.post("/v1/realtime/client_secrets", response_model=ClientSecret, openapi_extra=_WISHES)
    async def client_secrets(request: Request) -> Response:
        """A key for a client that must not have yours: it opens sessions as configured here until it expires."""
        try:
            asked = await _body(request)
            principal = await entrance.recognise(request.scope)
            if await entrance.access.bound_session(Credentials.of(request.scope).key) is not None:
                raise NotAllowed("an ephemeral key makes no others; use the key it was made with", code="forbidden")
            wishes = asked.get("session")
            wishes = wishes if isinstance(wishes, dict) else {}
            seconds = _seconds(asked)
            key = await entrance.access.ephemeral_key(principal, wishes, seconds)
        except VivavoceError as error:
            return answer(error)
        return JSONResponse({"value": key, "expires_at": int(clock.wall()) + seconds, "session": shown(new_session(wishes))})

    return routes


async def _body(request: Request) -> dict[str, Any]:
    """The request, an empty one included. Raises InvalidRequest."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) > MAX_BODY:
            raise InvalidRequest(f"a session's configuration has at most {MAX_BODY} bytes", code="too_large")
    try:
        found = json.loads(pieces or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("the body is no JSON", code="invalid_json") from error
    if not isinstance(found, dict):
        raise InvalidRequest("the body must be a JSON object", code="invalid_json")
    return found


def _seconds(asked: dict[str, Any]) -> int:
    """How long the key is wished to live, within bounds."""
    after = asked.get("expires_after")
    wished = after.get("seconds") if isinstance(after, dict) else None
    if isinstance(wished, bool) or not isinstance(wished, int | float):
        return DEFAULT_SECONDS
    return int(min(MAX_SECONDS, max(MIN_SECONDS, wished)))
