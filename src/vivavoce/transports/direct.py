"""A shorter way for audio through the WebSocket server.

uvicorn hands each message to the application through a queue: that pauses the socket, wakes a task, makes a dictionary and
resumes the socket, fifty times a second and session. Audio may skip all this: a binary message goes straight to a listener
as it is parsed, and a frame to be sent goes straight into the transport. The queue stays the way for everything else, and
for audio whenever something waits in it, so that messages keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from vivavoce.transports.options import MAX_REALTIME_MESSAGE, REALTIME_PATH

DIRECT = "vivavoce.direct"
"""The scope's extension under which an application finds the short way."""


class DirectWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's protocol with the short way; give it as ``ws`` to ``uvicorn.Config``."""

    listener: Callable[[bytes], None] | None = None
    """Takes binary messages. It is called on the loop and must neither block nor raise."""

    def handle_connect(self, event: Any) -> None:
        """Offer the short way in the scope."""
        super().handle_connect(event)
        if event.path.partition("?")[0] == REALTIME_PATH:
            self.conn.max_message_size = MAX_REALTIME_MESSAGE
        if hasattr(self, "scope"):
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[DIRECT] = self

    def send_receive_event_to_app(self) -> None:
        """Hand on a complete message: audio directly while nothing waits before it."""
        if self.listener is None or self.curr_msg_data_type != "bytes" or self.close_sent or not self.queue.empty():
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        self.listener(bytes(data))

    def write_now(self, frame: bytes) -> bool:
        """Send a binary message if the client keeps up with reading; False leaves it to the caller."""
        if not self.writable.is_set() or self.close_sent or self.disconnected:
            return False
        try:
            self.conn.send_binary(frame)
        except InvalidState:
            return False
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True


def direct_way(scope: Mapping[str, Any]) -> DirectWebSocket | None:
    """The short way, where the server has one."""
    way = scope.get("extensions", {}).get(DIRECT)
    return way if isinstance(way, DirectWebSocket) else None
