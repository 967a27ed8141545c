"""``WS /ws/webrtc/{id}``: messages of a call for clients without a data channel, and candidates."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from vivavoce.contracts.errors import Overloaded, ProtocolViolation
from vivavoce.flow.tasks import unless
from vivavoce.media.calls import Json
from vivavoce.transports.options import MAX_CONTROL_MESSAGE, SocketLimits
from vivavoce.transports.outbox import Close, Outbox, write_out
from vivavoce.transports.webrtc.live import LiveCall
from vivavoce.transports.ws.protocol import encode_error

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NORMAL, TRY_LATER = 1000, 1013
MAX_FIELD = 1_024
_FIELDS = {"candidate": str, "sdpMid": str, "sdpMLineIndex": int, "usernameFragment": str}


def candidate_of(text: str) -> tuple[bool, Json | None]:
    """Whether a message is a candidate, and which (None: there are no more). Raises ProtocolViolation for a bad one."""
    if '"candidate"' not in text or len(text) > MAX_CONTROL_MESSAGE:
        return False, None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False, None
    if not isinstance(value, dict) or value.get("type") != "candidate":
        return False, None
    candidate = value.get("candidate")
    if candidate is None:
        return True, None
    if not isinstance(candidate, dict):
        raise ProtocolViolation("`candidate` is an object as browsers make them, or null behind the last")
    kept: Json = {}
    for name, kind in _FIELDS.items():
        field = candidate.get(name)
        if field is None:
            continue
        if not isinstance(field, kind) or isinstance(field, bool) or (isinstance(field, str) and len(field) > MAX_FIELD):
            raise ProtocolViolation(f"candidate.{name} is no {kind.__name__} of a candidate")
        kept[name] = field
    return True, kept


class ControlSocket:
    """Serves one accepted WebSocket until it, or the call, is over. The call goes on without it."""

    def __init__(self, call: LiveCall, limits: SocketLimits, receive: Receive, send: Send) -> None:
        self._call = call
        self._receive = receive
        self._send = send
        self._outbox = Outbox(limits.outbox_messages, limits.outbox_bytes)

    async def run(self) -> None:
        """Read and write."""
        detach = self._call.controls.attach(self._put, self._over)
        try:
            await unless(self._read(), write_out(self._outbox, self._send))
        finally:
            detach()

    def _over(self) -> None:
        self._outbox.end(Close(NORMAL, "the call is over"))

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            self._take(message.get("text"))

    def _take(self, text: str | None) -> None:
        try:
            if text is None:
                raise ProtocolViolation("audio goes over WebRTC; send JSON here")
            found, candidate = candidate_of(text)
            if found:
                self._call.add_candidate(candidate)
            else:
                self._call.message(text)
        except ProtocolViolation as error:
            self._put(encode_error(error))

    def _put(self, text: str) -> None:
        try:
            self._outbox.put(text)
        except Overloaded:
            self._outbox.end(Close(TRY_LATER, "the client does not read"))
