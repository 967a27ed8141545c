"""The error tree in HTTP's language, for every door that answers with a status."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Send

from vivavoce.contracts import errors
from vivavoce.contracts.errors import VivavoceError

STATUSES: tuple[tuple[type[VivavoceError], int], ...] = (
    (errors.InvalidRequest, 400),
    (errors.NotAllowed, 403),
    (errors.LimitExceeded, 429),
    (errors.Overloaded, 503),
    (errors.Cancelled, 499),
    (errors.DeadlineExceeded, 504),
    (errors.ProviderFailed, 502),
    (errors.Unavailable, 503),
    (errors.DeviceLost, 503),
)
"""First match wins; everything else is 500."""

RETRY_AFTER = 1.0
"""Seconds told to those who are refused for want of room, where nobody knows better."""


def status_of(error: VivavoceError) -> int:
    """The HTTP status of an error."""
    if error.code == "invalid_api_key":
        return 401
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def body_of(error: VivavoceError) -> dict[str, dict[str, object]]:
    """The JSON body of an error: ours, with the keys that clients of OpenAI look for besides."""
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "type": "server_error" if status_of(error) >= 500 else "invalid_request_error",
            "param": None,
            "retryable": error.retryable,
        }
    }


def headers_of(error: VivavoceError) -> dict[str, str]:
    """``Retry-After`` in whole seconds, of every refusal that a later try may be spared; how to be recognised, where that is
    what is missing.
    """
    wait = error.retry_after
    if wait is None and error.retryable and status_of(error) in (429, 503):
        wait = RETRY_AFTER
    headers = {} if wait is None else {"retry-after": str(max(1, math.ceil(wait)))}
    if error.code == "invalid_api_key":
        headers["www-authenticate"] = "Bearer"
    return headers


def answer(error: VivavoceError, status: int | None = None, headers: dict[str, str] | None = None) -> Response:
    """The response of an error; ``status`` where HTTP knows better than the tree."""
    return JSONResponse(body_of(error), status or status_of(error), {**headers_of(error), **(headers or {})})


async def refuse(scope: Mapping[str, Any], send: Send, error: VivavoceError) -> None:
    """Refuse a WebSocket before the upgrade, with a reason where the server can carry one (plain 403 elsewhere)."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = {"content-type": "application/json", **headers_of(error)}
    start = {
        "type": "websocket.http.response.start",
        "status": status_of(error),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await send(start)
    await send({"type": "websocket.http.response.body", "body": json.dumps(body_of(error)).encode()})
