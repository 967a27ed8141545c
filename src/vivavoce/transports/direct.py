"""A shorter way for audio through the WebSocket server.

uvicorn hands each message to the application through a queue: that pauses the socket, wakes a task, makes a dictionary and
resumes the socket, fifty times a second and session. Audio may skip all this: a binary message goes straight to a listener
as it is parsed, and a frame to be sent goes straight into the transport. The queue stays the way for everything else, and
for audio whenever something waits in it, so that messages keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from vivavoce.transports.options import MAX_REALTIME_MESSAGE, REALTIME_PATH

MAX_FRAGMENTS = 4_096
"""Frames of one message: a message may be empty, so its size alone would not bound them."""
MAX_UNREAD = 8 * 1024 * 1024
"""Bytes written that a peer does not take, beyond which it is cut off: pings are answered whether it reads or not."""
INVALID_TEXT, TOO_MANY = 1007, 1008
"""Close codes."""

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

    def data_received(self, data: bytes) -> None:
        """A peer that sends and does not read gets no more of our memory than so much."""
        super().data_received(data)
        if self.transport.get_write_buffer_size() > MAX_UNREAD:
            self.transport.abort()

    def handle_cont(self, event: Any) -> None:
        """A message in too many frames is refused."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self._refuse(TOO_MANY, f"a message in more than {MAX_FRAGMENTS} frames")

    async def send(self, message: Any) -> None:
        """See uvicorn. Raises OSError behind a close that the server sent of itself, as behind a lost connection: who
        writes could not know."""
        if self.handshake_complete and self.close_sent:
            raise ClientDisconnected
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # a refusal that was told is no failure of the application to answer

    def _refuse(self, code: int, reason: str) -> None:
        self.conn.fail(code, reason)
        self.handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        """Hand on a complete message: audio directly while nothing waits before it."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self._refuse(INVALID_TEXT, "a text message has to be UTF-8")
            return
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


def _is_text(frames: list[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True


def direct_way(scope: Mapping[str, Any]) -> DirectWebSocket | None:
    """The short way, where the server has one."""
    way = scope.get("extensions", {}).get(DIRECT)
    return way if isinstance(way, DirectWebSocket) else None
