"""Behind a WebSocket door: who is inside, how many may be, and how all are seen out. Alike for every protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from vivavoce.contracts.errors import Overloaded
from vivavoce.flow.tasks import Signal, first_within
from vivavoce.transports.guard import Guard, RawHeaders
from vivavoce.transports.options import ServerOptions

STOPPING = "server is stopping"


class Inside(Protocol):
    """A connection, as its room sees it."""

    def leave(self, reason: str, *, now: bool) -> None:
        """Say goodbye: ``now``, or when what has begun is over."""


C = TypeVar("C", bound=Inside)


class Room(Generic[C]):
    """Of one door. ``left`` is notified when a connection, or what waits for one, is gone."""

    def __init__(self, options: ServerOptions) -> None:
        self._limits = options.sockets
        self._guard = Guard(options)
        self._inside: set[C] = set()
        self.left = Signal()

    def __len__(self) -> int:
        return len(self._inside)

    def __iter__(self) -> Iterator[C]:
        return iter(list(self._inside))

    def check(self, headers: RawHeaders) -> None:
        """Whether one more may come. Raises NotAllowed for a foreign page, Overloaded where there is no room."""
        self._guard.check(headers)
        if len(self._inside) >= self._limits.max_connections:
            raise Overloaded(f"all {self._limits.max_connections} connections are taken; try again later", retry_after=10)

    @contextmanager
    def hold(self, connection: C) -> Iterator[None]:
        """It is inside for as long as this lasts."""
        self._inside.add(connection)
        try:
            yield
        finally:
            self._inside.discard(connection)
            self.left.notify()

    async def see_out(self, seconds: float, waiting: Callable[[], bool] = lambda: False) -> None:
        """Let all finish what they have begun for at most ``seconds``, say goodbye, and wait until they are gone, and until
        nothing is ``waiting`` any more.
        """

        async def all_gone() -> None:
            while self._inside or waiting():
                await self.left.wait()

        for connection in self:
            connection.leave(STOPPING, now=False)
        if not await first_within(all_gone(), seconds):
            for connection in self:
                connection.leave(STOPPING, now=True)
            await first_within(all_gone(), self._limits.close_wait + 1)


class DoorAt:
    """Lets connections for a door in before any framework looks at them.

    As a middleware rather than a route: a route's wrappers around ``send`` cost an eighth of a session's CPU.
    """

    def __init__(self, app: ASGIApp, path: str, door: ASGIApp) -> None:
        self._app = app
        self._path = path
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        through = scope["type"] == "websocket" and scope["path"] == self._path
        await (self._door if through else self._app)(scope, receive, send)
