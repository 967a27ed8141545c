"""The door itself: who is let in, who is inside, and how they are seen out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp, Scope

from vivavoce.contracts.errors import Overloaded, VivavoceError
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.flow.tasks import Signal, first_within
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.direct import direct_way
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.errors import refuse
from vivavoce.transports.guard import Guard
from vivavoce.transports.options import WEBSOCKET_PATH, ResumeOptions, ServerOptions
from vivavoce.transports.ws.connection import Connection, Receive, Send
from vivavoce.transports.ws.link import Link, Links, Surroundings

STOPPING = "server is stopping"


class WebSocketDoor:
    """An ASGI application for one WebSocket path.

    It speaks ASGI directly: frames pass no framework, which leaves the cost of a session to the session.
    """

    def __init__(
        self,
        sessions: Sessions,
        options: ServerOptions,
        clock: Clock,
        entrance: Entrance,
        observer: EventListener | None = None,
        resume: ResumeOptions | None = None,
    ) -> None:
        self._sessions = sessions
        self._limits = options.sockets
        self._guard = Guard(options)
        self._entrance = entrance
        self._links = Links()
        self._around = Surroundings(
            sessions, options.sockets, clock, observer, ResumeOptions() if resume is None else resume, self._links
        )
        self._open: set[Connection] = set()
        self._waiting: set[tuple[Link, int]] = set()
        self._left = Signal()
        self._past = dict.fromkeys(
            ("accepted", "rejected", "slow_clients", "bad_messages", "refused_messages", "audio_dropped_bytes"), 0
        )

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._open)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection attempt."""
        await receive()  # websocket.connect
        try:
            self._guard.check(scope["headers"])
            self._check_room()
            principal = await self._entrance.admit(scope, "converse")
        except VivavoceError as error:
            self._past["rejected"] += 1
            await refuse(scope, send, error)
            return
        await send({"type": "websocket.accept"})
        self._past["accepted"] += 1
        connection = Connection(self._around, receive, send, principal.id if principal else "", direct_way(scope))
        self._open.add(connection)
        link: Link | None = None
        try:
            link = await connection.run()
        finally:
            self._open.discard(connection)
            self._remember(connection)
            self._left.notify()
        if link is not None:
            await self._wait_for(link)

    async def _wait_for(self, link: Link) -> None:
        """Keep a session whose connection was lost for its client; close it if the client does not come back."""
        around, losses, back = self._around, link.losses, False
        self._waiting.add((link, losses))
        stop = around.clock.call_later(around.resume.resume_window, lambda: link.expire(losses))
        try:
            around.sessions.detach(link.conversation, lambda: link.give_up("displaced"), around.resume.resume_sessions)
            back = await link.settled(losses)
        finally:
            stop()
            if not back:
                self._links.remove(link)
                if link.end in ("expired", "displaced"):
                    self._links.counts[f"resume_{link.end}"] += 1
                await around.sessions.close(link.conversation)
            self._waiting.discard((link, losses))
            self._left.notify()

    async def drain(self, seconds: float) -> None:
        """Admit nobody, let replies in progress end for at most ``seconds``, say goodbye and wait until all are gone."""
        self._sessions.stop_admitting()
        self._links.give_up_all()
        for connection in list(self._open):
            connection.leave(STOPPING, now=False)
        if not await first_within(self._all_gone(), seconds):
            for connection in list(self._open):
                connection.leave(STOPPING, now=True)
            await first_within(self._all_gone(), self._limits.close_wait + 1)

    def snapshot(self) -> dict[str, int]:
        """Counts since the start, and what waits now."""
        now = dict(self._past)
        for connection in self._open:
            _add(now, connection)
        now |= self._links.counts
        now["detached"] = len(self._waiting)
        now["connections"] = len(self._open)
        now["outbox_messages_max"] = max((len(connection.post.outbox) for connection in self._open), default=0)
        now["outbox_bytes_max"] = max((connection.post.outbox.size for connection in self._open), default=0)
        return now

    def _check_room(self) -> None:
        if len(self._open) >= self._limits.max_connections:
            raise Overloaded(f"all {self._limits.max_connections} connections are taken; try again later", retry_after=10)

    async def _all_gone(self) -> None:
        while self._open or self._waiting:
            await self._left.wait()

    def _remember(self, connection: Connection) -> None:
        _add(self._past, connection)


def _add(counts: dict[str, int], connection: Connection) -> None:
    counts["slow_clients"] += connection.post.stuck
    counts["bad_messages"] += connection.bad_messages
    counts["refused_messages"] += connection.budgets.refused
    counts["audio_dropped_bytes"] += connection.budgets.audio_dropped


class _Entrance:
    """Lets connections for the door in before any framework looks at them."""

    def __init__(self, app: ASGIApp, door: WebSocketDoor) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"] == WEBSOCKET_PATH:
            await self._door(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def install(app: Starlette, door: WebSocketDoor) -> None:
    """Open the door in an application.

    As a middleware rather than a route: a route's wrappers around ``send`` cost an eighth of a session's CPU.
    """
    app.add_middleware(_Entrance, door=door)
