"""The door itself: which calls there are, who may speak for them, and how they are seen out."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from vivavoce.contracts.errors import NotAllowed, Overloaded, VivavoceError
from vivavoce.contracts.ports import Clock, EventListener
from vivavoce.flow.tasks import Signal, TaskScope, first_within
from vivavoce.media.calls import Json, MediaCalls
from vivavoce.sessions.registry import Sessions
from vivavoce.transports.entrance import Entrance
from vivavoce.transports.errors import refuse
from vivavoce.transports.guard import Guard
from vivavoce.transports.ids import fresh
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.webrtc.control import ControlSocket, Receive, Send
from vivavoce.transports.webrtc.live import Line, LiveCall, Spoken, Surroundings
from vivavoce.transports.webrtc.native import NativeSpeech, agreement_of
from vivavoce.transports.webrtc.speaking import RealtimeSpeech

STOPPING = "server is stopping"
CONTROL_PATH = "/ws/webrtc/"
_logger = logging.getLogger(__name__)

NewSession = Callable[[Json], Json]


class WebRtcDoor:
    """Opens calls, finds them again, ends them."""

    def __init__(
        self,
        sessions: Sessions,
        options: ServerOptions,
        clock: Clock,
        entrance: Entrance,
        media: MediaCalls,
        observer: EventListener | None = None,
    ) -> None:
        self.media = media
        self.entrance = entrance
        self._sessions = sessions
        self._limits = options.sockets
        self._guard = Guard(options)
        self._around = Surroundings(media, sessions, options.sockets, clock, observer)
        self._calls: dict[str, tuple[LiveCall, str]] = {}
        self._scope = TaskScope(self._crashed, limit=media.options.max_calls + 1)
        self._left = Signal()
        self._past = dict.fromkeys(("accepted", "rejected"), 0)

    # --- calls

    async def native(self, sdp: str, hello: Any, owner: str) -> tuple[LiveCall, str, str]:
        """A call that speaks the protocol of `/ws/audio`: it, its token, the answer. Raises errors of the tree."""
        agreement = agreement_of(hello, self._around)
        return await self._open("call", sdp, owner, lambda line: NativeSpeech(line, agreement, self._around))

    async def realtime(self, sdp: str, session: Json, owner: str) -> tuple[LiveCall, str, str]:
        """A call that speaks OpenAI's Realtime protocol: it, its token, the answer. Raises errors of the tree."""
        return await self._open("rtc", sdp, owner, lambda line: RealtimeSpeech(line, session, self._around))

    async def _open(self, kind: str, sdp: str, owner: str, speak: Callable[[Line], Spoken]) -> tuple[LiveCall, str, str]:
        if self._sessions.draining:
            raise Overloaded("the server is stopping; call again in a few seconds", code="draining", retry_after=5)
        call = LiveCall(fresh(kind), owner, self._around, speak)
        try:
            answer = await call.open(sdp)
        except VivavoceError:
            self._past["rejected"] += 1
            raise
        self._past["accepted"] += 1
        token = secrets.token_urlsafe(24)
        self._calls[call.id] = (call, token)
        self._scope.start(self._run(call), name=f"call {call.id}")
        return call, token, answer

    async def _run(self, call: LiveCall) -> None:
        try:
            await call.run()
        finally:
            self._calls.pop(call.id, None)
            self._left.notify()

    def find(self, id: str, owner: str) -> LiveCall | None:
        """The live call of that name, for whoever opened it."""
        call, _ = self._calls.get(id, (None, ""))
        return call if call is not None and call.owner == owner else None

    def __len__(self) -> int:
        return len(self._calls)

    def snapshot(self) -> dict[str, int]:
        """Counts since the start, and what is open now."""
        return {**self._past, "calls": len(self._calls)}

    # --- control sockets

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection attempt on ``/ws/webrtc/{id}``."""
        await receive()  # websocket.connect
        try:
            self._guard.check(scope["headers"])
            await self.entrance.admit(scope, None)
            call = self._by_token(scope)
        except VivavoceError as error:
            await refuse(scope, send, error)
            return
        await send({"type": "websocket.accept"})
        try:
            await ControlSocket(call, self._limits, receive, send).run()
        except Overloaded as error:
            await send({"type": "websocket.close", "code": 1013, "reason": error.message[:120]})

    def _by_token(self, scope: Mapping[str, Any]) -> LiveCall:
        """One and the same answer for an unknown call and a wrong token."""
        id = str(scope["path"]).removeprefix(CONTROL_PATH)
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        call, token = self._calls.get(id, (None, ""))
        if not secrets.compare_digest(given.encode(), token.encode()) or call is None:
            raise NotAllowed("no such call, or not with this token", code="call_not_found")
        return call

    # --- the end

    async def drain(self, seconds: float) -> None:
        """Admit nobody, let replies in progress end for at most ``seconds``, hang up and wait until all are gone."""
        self._sessions.stop_admitting()
        for call, _ in list(self._calls.values()):
            call.leave(STOPPING, now=False)
        if not await first_within(self._all_gone(), seconds):
            for call, _ in list(self._calls.values()):
                call.leave(STOPPING, now=True)
            await first_within(self._all_gone(), self._limits.close_wait + 1)

    async def close(self) -> None:
        """End everything. Idempotent."""
        await self._scope.close()
        await self.media.close()

    async def _all_gone(self) -> None:
        while self._calls:
            await self._left.wait()

    def _crashed(self, error: Exception) -> None:
        _logger.error("a call failed", exc_info=error)


class _Entrance:
    """Lets control sockets in before any framework looks at them."""

    def __init__(self, app: ASGIApp, door: WebRtcDoor) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"].startswith(CONTROL_PATH):
            await self._door(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def install(app: FastAPI, door: WebRtcDoor) -> None:
    """Open the door for control sockets; ``routes.routes_of`` are the others."""
    app.add_middleware(_Entrance, door=door)
