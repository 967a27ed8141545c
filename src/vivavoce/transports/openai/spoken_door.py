"""``WS /v1/speech/sessions/ws``: who is let in, who is inside, and how they are seen out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from vivavoce.contracts.errors import Overloaded, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.flow.tasks import Signal, first_within
from vivavoce.sessions.speech_sessions import SpeechSessionOptions
from vivavoce.transports.entrance import Entrance, caller_of
from vivavoce.transports.errors import refuse
from vivavoce.transports.guard import Guard
from vivavoce.transports.openai.incremental import Incremental
from vivavoce.transports.openai.spoken import Receive, Send, SpokenConnection, Surroundings
from vivavoce.transports.options import ServerOptions

PATH = "/v1/speech/sessions/ws"
STOPPING = "server is stopping"


class SpokenDoor:
    """An ASGI application for one WebSocket path; the sessions behind it are those of the routes beside it."""

    def __init__(
        self,
        incremental: Incremental,
        speech: SpeechSessionOptions,
        options: ServerOptions,
        clock: Clock,
        entrance: Entrance,
    ) -> None:
        self._limits = options.sockets
        self._guard = Guard(options)
        self._entrance = entrance
        self._around = Surroundings(incremental, speech, options.sockets, clock, options.unread_timeout)
        self._open: set[SpokenConnection] = set()
        self._left = Signal()
        self._draining = False

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
            principal = await self._entrance.admit(scope, "speak")
        except VivavoceError as error:
            await refuse(scope, send, error)
            return
        await send({"type": "websocket.accept"})
        spend = functools.partial(self._entrance.rates.spend, "characters", caller_of(scope, principal))
        connection = SpokenConnection(self._around, receive, send, spend)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
            self._left.notify()

    async def drain(self, seconds: float) -> None:
        """Admit nobody, let what has begun be said for at most ``seconds``, and wait until all are gone."""
        self._draining = True
        for connection in list(self._open):
            connection.leave(STOPPING, now=False)
        if not await first_within(self._all_gone(), seconds):
            for connection in list(self._open):
                connection.leave(STOPPING, now=True)
            await first_within(self._all_gone(), self._limits.close_wait + 1)

    def _check_room(self) -> None:
        if self._draining:
            raise Overloaded("the server is stopping", retry_after=10)
        if len(self._open) >= self._limits.max_connections:
            raise Overloaded(f"all {self._limits.max_connections} connections are taken; try again later", retry_after=10)

    async def _all_gone(self) -> None:
        while self._open:
            await self._left.wait()


def install(app: FastAPI, door: SpokenDoor) -> None:
    """Open the door."""
    app.router.routes.append(WebSocketRoute(PATH, door, name="speech socket"))
