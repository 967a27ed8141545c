"""An answer that is made while it is sent: withdrawn when its reader goes, and never begun before it is known to work."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vivavoce.contracts.errors import VivavoceError
from vivavoce.flow.tasks import unless
from vivavoce.transports.openai import errors

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """Headers and body of an answer. ``body`` yields at least once before anything is sent."""

    body: AsyncIterator[bytes]
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


class Streamed(Response):
    """Sends what ``made.body`` yields.

    The status waits for the first piece, so an error before it is a proper error. An error behind it breaks the
    connection off (or is told by ``told``, where the format has a place for it): a reader never takes half for the whole.
    """

    def __init__(self, made: Made, told: Callable[[VivavoceError], bytes] | None = None) -> None:
        self._made = made
        self._told = told
        self.background = None
        self.status_code = made.status
        self.media_type = made.media_type
        self.body = b""
        self.init_headers({**made.headers, "x-accel-buffering": "no", "cache-control": "no-cache"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        await unless(gone(), self._work(scope, receive, send))

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self._made.body
        begun = False
        try:
            async for piece in body:
                if not begun:
                    begun = True
                    await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if begun:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except Exception as error:  # noqa: BLE001 - the border of the door: what is no error of ours is a bug, logged
            problem = errors.bug(error)
            if not begun:
                await errors.answer(problem)(scope, receive, send)
            elif self._told is not None:
                await send({"type": "http.response.body", "body": self._told(problem), "more_body": False})
            else:  # an answer that is not completed: the server closes the connection in the middle of it
                _logger.warning("an answer was broken off: %s", problem.message)
        finally:
            await _close(body)


async def _close(body: AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()


def event(data: str) -> bytes:
    """One server-sent event."""
    return b"data: " + data.encode() + b"\n\n"
