"""Every answer that is no success has the same JSON body, whoever refused."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vivavoce.contracts.errors import InternalError, InvalidRequest, NotAllowed, VivavoceError
from vivavoce.transports.errors import answer
from vivavoce.transports.guard import Guard

_logger = logging.getLogger(__name__)

GONE = 499
"""What logs of other servers call a client that left before its answer."""
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""Methods an address may have."""


def install(app: FastAPI) -> None:
    """Teach an application the error tree."""

    @app.exception_handler(VivavoceError)
    async def tree(_request: Request, error: VivavoceError) -> Response:
        return answer(error, 404 if error.code == "not_found" else None)

    @app.exception_handler(HTTPException)
    async def framework(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        headers = _allow(request) if status == HTTPStatus.METHOD_NOT_ALLOWED else dict(error.headers or {})
        code = "not_found" if status == HTTPStatus.NOT_FOUND else status.name.lower()
        return answer(
            InvalidRequest(str(error.detail), code=code, retryable=status.value >= 500),
            status.value,
            headers,
        )

    @app.exception_handler(RequestValidationError)
    async def validation(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return answer(InvalidRequest(f"{place}: {first['msg']}"), 422)

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        """In the middle of an upload: nobody is left to be answered, and nothing is broken here."""
        return Response(status_code=GONE)

    @app.exception_handler(Exception)
    async def bug(_request: Request, error: Exception) -> Response:
        _logger.error("a request failed", exc_info=error)
        return answer(InternalError("something broke on the server; the log says what", cause=error))


def _allow(request: Request) -> dict[str, str]:
    """Every method of an address; the framework names those of the first route that has it."""
    spelled: list[str] = []
    named: list[str] = []
    for route in _flat(request.app.routes):
        for method in METHODS:
            if route.matches({**request.scope, "method": method})[0] == Match.FULL:
                (named if "{" in getattr(route, "path", "{") else spelled).append(method)
    # An address that is spelled out is not an identifier in the place of another one.
    known = spelled or named
    return {"allow": ", ".join(method for method in METHODS if method in known)}


def _flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """With those of the routers an application includes."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _flat(included.routes)


class GuardMiddleware:
    """Foreign hosts and origins get 403 before anything else sees the request. WebSocket doors check for themselves."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._guard.check(scope["headers"])
            except NotAllowed as error:
                await answer(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class RequestIdMiddleware:
    """Names every answer in ``x-request-id``, so that a client's report finds its line in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = (b"x-request-id", b"req_" + secrets.token_hex(12).encode())

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), name]}
            await send(message)

        await self._app(scope, receive, named)
