"""The error tree in the language of OpenAI's clients: their statuses, and a body with all four of their keys.

Their libraries retry 408, 409, 429 and 5xx and obey ``Retry-After`` and ``x-should-retry``, so a full server answers 429
with a time, and what will fail again says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse

from vivavoce.contracts import errors
from vivavoce.contracts.errors import InternalError, InvalidRequest, VivavoceError
from vivavoce.transports.errors import headers_of

_logger = logging.getLogger(__name__)

STATUSES: tuple[tuple[type[VivavoceError], int], ...] = (
    (errors.InvalidRequest, 400),
    (errors.NotAllowed, 401),
    (errors.LimitExceeded, 429),
    (errors.Overloaded, 429),
    (errors.Cancelled, 499),
    (errors.DeadlineExceeded, 504),
    (errors.ProviderFailed, 502),
    (errors.Unavailable, 503),
    (errors.DeviceLost, 503),
)
"""First match wins; everything else is 500."""

BY_CODE = {
    "unknown_model": 404,
    "model_not_found": 404,
    "not_found": 404,
    "already_listening": 409,
    "too_large": 413,
    "audio_too_large": 413,
    "audio_too_long": 413,
    "forbidden": 403,
}


class Parameter(InvalidRequest):
    """A wrong parameter of a request; ``param`` is its name on the wire."""

    def __init__(self, param: str, message: str, *, code: str = "invalid_value") -> None:
        super().__init__(message, code=code)
        self.param = param


def status_of(error: VivavoceError) -> int:
    """The HTTP status."""
    known = BY_CODE.get(error.code)
    return known or next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def body_of(error: VivavoceError) -> dict[str, Any]:
    """The JSON body."""
    status = status_of(error)
    kind = "rate_limit_error" if status == 429 else "invalid_request_error" if status < 500 else "server_error"
    return {
        "error": {
            "message": error.message,
            "type": kind,
            "param": getattr(error, "param", None),
            "code": error.code,
            "retryable": error.retryable,
        }
    }


def answer(error: VivavoceError) -> Response:
    """The whole response."""
    status = status_of(error)
    headers = headers_of(error)
    headers["x-should-retry"] = "true" if error.retryable else "false"
    return JSONResponse(body_of(error), status, headers)


class Route(APIRoute):
    """A route whose every failure has OpenAI's shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except VivavoceError as error:
                return answer(error)
            except RequestValidationError as error:
                first = error.errors()[0]
                place = [str(part) for part in first["loc"] if part != "body"]
                return answer(Parameter(".".join(place) or "body", f"{'.'.join(place) or 'body'}: {first['msg']}"))

        return guarded


def bug(error: Exception) -> VivavoceError:
    """What is said of an exception that should not be."""
    if isinstance(error, VivavoceError):
        return error
    _logger.error("a request failed", exc_info=error)
    return InternalError("something broke on the server; the log says what", cause=error)
