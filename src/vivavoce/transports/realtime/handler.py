"""The door itself: who is let in, with what session, and how they are seen out; and the routes beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI

from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.flow.threads import OffLoop
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.access import Credentials
from vivavoce.transports.aliases import REALTIME_MODELS
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.errors import refuse
from vivavoce.transports.ids import fresh
from vivavoce.transports.options import REALTIME_PATH, ServerOptions
from vivavoce.transports.realtime.configuration import merged, new_session
from vivavoce.transports.realtime.connection import Connection, Receive, Send, Surroundings
from vivavoce.transports.realtime.routes import routes_of
from vivavoce.transports.realtime.wire import Json
from vivavoce.transports.room import DoorAt, Room

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
        self.clock = clock
        self.entrance = entrance
        self.off_loop = OffLoop(1, options.sockets.max_connections)
        self._around = Surroundings(sessions, options.sockets, clock, self.off_loop, observer)
        self._room: Room[Connection] = Room(options)
        self._past = dict.fromkeys(("accepted", "rejected", "slow_clients", "bad_messages"), 0)

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._room)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection attempt."""
        await receive()  # websocket.connect
        try:
            self._room.check(scope["headers"])
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
        with self._room.hold(connection):
            try:
                await connection.run()
            finally:
                self._past["slow_clients"] += connection.stuck
                self._past["bad_messages"] += connection.bad_messages

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
        await self._room.see_out(seconds)

    def close(self) -> None:
        """No thread is left. Idempotent."""
        self.off_loop.close()

    def snapshot(self) -> dict[str, int]:
        """Counts since the start, and what is open now."""
        return {**self._past, "connections": len(self._room)}


def _header(scope: Mapping[str, Any], wanted: bytes) -> str:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted]
    return ",".join(values)


def install(app: FastAPI, door: RealtimeDoor) -> None:
    """Open the door, and the routes beside it."""
    app.include_router(routes_of(door.entrance, door.clock, door.new_session))
    app.add_middleware(DoorAt, path=REALTIME_PATH, door=door)
