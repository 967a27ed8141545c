"""The door itself: who is let in, who is inside, and how they are seen out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette

from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.direct import direct_way
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.errors import refuse
from vivavoce.transports.options import WEBSOCKET_PATH, ResumeOptions, ServerOptions
from vivavoce.transports.room import DoorAt, Room
from vivavoce.transports.ws.connection import Connection, Receive, Send
from vivavoce.transports.ws.link import Link, Links, Surroundings


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
        self._entrance = entrance
        self._links = Links()
        self._around = Surroundings(
            sessions, options.sockets, clock, observer, ResumeOptions() if resume is None else resume, self._links
        )
        self._room: Room[Connection] = Room(options)
        self._waiting: set[tuple[Link, int]] = set()
        self._past = dict.fromkeys(
            ("accepted", "rejected", "slow_clients", "bad_messages", "refused_messages", "audio_dropped_bytes"), 0
        )

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._room)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection attempt."""
        await receive()  # websocket.connect
        try:
            self._room.check(scope["headers"])
            principal = await self._entrance.admit(scope, "converse")
        except VivavoceError as error:
            self._past["rejected"] += 1
            await refuse(scope, send, error)
            return
        await send({"type": "websocket.accept"})
        self._past["accepted"] += 1
        connection = Connection(self._around, receive, send, principal.id if principal else "", direct_way(scope))
        link: Link | None = None
        with self._room.hold(connection):
            try:
                link = await connection.run()
            finally:
                _add(self._past, connection)
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
            self._room.left.notify()

    async def drain(self, seconds: float) -> None:
        """Admit nobody, let replies in progress end for at most ``seconds``, say goodbye and wait until all are gone."""
        self._sessions.stop_admitting()
        self._links.give_up_all()
        await self._room.see_out(seconds, lambda: bool(self._waiting))

    def snapshot(self) -> dict[str, int]:
        """Counts since the start, and what waits now."""
        now = dict(self._past)
        for connection in self._room:
            _add(now, connection)
        now |= self._links.counts
        now["detached"] = len(self._waiting)
        now["connections"] = len(self._room)
        now["outbox_messages_max"] = max((len(connection.post.outbox) for connection in self._room), default=0)
        now["outbox_bytes_max"] = max((connection.post.outbox.size for connection in self._room), default=0)
        return now


def _add(counts: dict[str, int], connection: Connection) -> None:
    counts["slow_clients"] += connection.post.stuck
    counts["bad_messages"] += connection.bad_messages
    counts["refused_messages"] += connection.budgets.refused
    counts["audio_dropped_bytes"] += connection.budgets.audio_dropped


def install(app: Starlette, door: WebSocketDoor) -> None:
    """Open the door in an application."""
    app.add_middleware(DoorAt, path=WEBSOCKET_PATH, door=door)
