"""``WS /v1/speech/sessions/ws``: who is let in, who is inside, and how they are seen out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from vivavoce.contracts.errors import Overloaded, VivavoceError
from vivavoce.contracts.ports import Clock
from vivavoce.sessions.speech_sessions import SpeechSessionOptions
from vivavoce.transports.entrance import Entrance, caller_of
from vivavoce.transports.errors import refuse
from vivavoce.transports.openai.incremental import Incremental
from vivavoce.transports.openai.spoken import Receive, Send, SpokenConnection, Surroundings
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.room import Room

PATH = "/v1/speech/sessions/ws"


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
        self._entrance = entrance
        self._around = Surroundings(incremental, speech, options.sockets, clock, options.unread_timeout)
        self._room: Room[SpokenConnection] = Room(options)
        self._draining = False

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._room)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection attempt."""
        await receive()  # websocket.connect
        try:
            self._room.check(scope["headers"])
            if self._draining:
                raise Overloaded("the server is stopping", retry_after=10)
            principal = await self._entrance.admit(scope, "speak")
        except VivavoceError as error:
            await refuse(scope, send, error)
            return
        await send({"type": "websocket.accept"})
        spend = functools.partial(self._entrance.rates.spend, "characters", caller_of(scope, principal))
        connection = SpokenConnection(self._around, receive, send, spend)
        with self._room.hold(connection):
            await connection.run()

    async def drain(self, seconds: float) -> None:
        """Admit nobody, let what has begun be said for at most ``seconds``, and wait until all are gone."""
        self._draining = True
        await self._room.see_out(seconds)


def install(app: FastAPI, door: SpokenDoor) -> None:
    """Open the door."""
    app.router.routes.append(WebSocketRoute(PATH, door, name="speech socket"))
