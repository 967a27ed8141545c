"""The door itself: who is let in, with what session, and how they are seen out; and the routes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from vivavoce.contracts.errors import Overloaded, VivavoceError
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.flow.tasks import Signal, first_within
from vivavoce.flow.threads import OffLoop
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.access import Credentials
from vivavoce.transports.aliases import REALTIME_MODELS
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.errors import refuse
from vivavoce.transports.guard import Guard
from vivavoce.transports.ids import fresh
from vivavoce.transports.options import REALTIME_PATH, ServerOptions
from vivavoce.transports.realtime.configuration import merged, new_session
from vivavoce.transports.realtime.connection import Connection, Receive, Send, Surroundings
from vivavoce.transports.realtime.routes import routes_of
from vivavoce.transports.realtime.wire import Json

STOPPING = "server is stopping"
SUBPROTOCOL = "realtime"
BETA = (
    "the beta of the Realtime API is not spoken here: leave out the header OpenAI-Beta and use the general availability "
    "(GA) interface"
)


class RealtimeDoor:
    """An ASGI application for ``WS /v1/realtime``. Like the door of `/ws/audio`, it speaks ASGI directly."""

    def __init__(
        self,
        sessions: Sessions,
        options: ServerOptions,
        clock: Clock,
        entrance: Entrance,
        observer: EventListener | None = None,
    ) -> None:
        self._sessions = sessions
        self._limits = options.sockets
        self._guard = Guard(options)
        self.clock = clock
        self.entrance = entrance
        self.off_loop = OffLoop(1, options.sockets.max_connections)
        self._around = Surroundings(sessions, options.sockets, clock, self.off_loop, observer)
        self._open: set[Connection] = set()
        self._left = Signal()
        self._past = dict.fromkeys(("accepted", "rejected", "slow_clients", "bad_messages"), 0)

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._open)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection attempt."""
        await receive()  # websocket.connect
        try:
            self._guard.check(scope["headers"])
            if len(self._open) >= self._limits.max_connections:
                raise Overloaded(f"all {self._limits.max_connections} connections are taken; try later", retry_after=10)
            await self.entrance.admit(scope, "converse")
            session = await self._session(scope)
        except VivavoceError as error:
            self._past["rejected"] += 1
            await refuse(scope, send, error)
            return
        offered = [name.strip() for name in _header(scope, b"sec-websocket-protocol").split(",")]
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if SUBPROTOCOL in offered else None})
        self._past["accepted"] += 1
        await self._serve(Connection(self._around, session, receive, send), beta=bool(_header(scope, b"openai-beta")))

    async def _serve(self, connection: Connection, *, beta: bool) -> None:
        if beta:
            connection.refuse("beta_api_shape_disabled", BETA)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
            self._past["slow_clients"] += connection.stuck
            self._past["bad_messages"] += connection.bad_messages
            self._left.notify()

    async def _session(self, scope: Mapping[str, Any]) -> Json:
        """As the query says; where the key is an ephemeral one, as was bound to it."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        bound = await self.entrance.access.bound_session(Credentials.of(scope).key)
        session = self.new_session(bound or {}, transcription=query.get("intent", [""])[0] == "transcription")
        if "model" in query and not (bound or {}).get("model"):
            session["model"] = query["model"][0][:200]
        return session

    def new_session(self, update: Json, *, transcription: bool = False) -> Json:
        """A session as it begins."""
        defaults = self._sessions.options.conversation
        session = new_session(
            fresh("sess"),
            REALTIME_MODELS[0],
            int(self.clock.wall() + defaults.watchdogs.max_session),
            instructions=defaults.instructions,
            transcription=transcription,
        )
        return merged(session, update)

    async def drain(self, seconds: float) -> None:
        """Admit nobody, let responses in progress end for at most ``seconds``, and wait until all are gone."""
        self._sessions.stop_admitting()
        for connection in list(self._open):
            connection.leave(STOPPING, now=False)
        if not await first_within(self._all_gone(), seconds):
            for connection in list(self._open):
                connection.leave(STOPPING, now=True)
            await first_within(self._all_gone(), self._limits.close_wait + 1)

    def close(self) -> None:
        """No thread is left. Idempotent."""
        self.off_loop.close()

    def snapshot(self) -> dict[str, int]:
        """Counts since the start, and what is open now."""
        return {**self._past, "connections": len(self._open)}

    async def _all_gone(self) -> None:
        while self._open:
            await self._left.wait()


def _header(scope: Mapping[str, Any], wanted: bytes) -> str:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]
    return ",".join(values)


class _Entrance:
    """Lets connections for the door in before any framework looks at them."""

    def __init__(self, app: ASGIApp, door: RealtimeDoor) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"] == REALTIME_PATH:
            await self._door(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def install(app: FastAPI, door: RealtimeDoor) -> None:
    """Open the door, and the routes beside it."""
    app.include_router(routes_of(door.entrance, door.clock, door.new_session))
    app.add_middleware(_Entrance, door=door)
