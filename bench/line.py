"""A WebSocket client that costs next to nothing, so that the client is not what is measured.

RFC 6455 without extensions. Its masking key is zero, which is allowed and leaves payloads as they are: microphone frames
are built once and shared by all sessions. The server cannot tell and unmasks all the same.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable

_NO_MASK = b"\0\0\0\0"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(kind: int, payload: bytes) -> bytes:
    """One masked frame, as a client sends it."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | kind, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x80 | kind, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + _NO_MASK + payload


class Socket(asyncio.Protocol):
    """Calls ``on_message(kind, payload)`` for each text or binary message."""

    def __init__(self, on_message: Callable[[int, bytes], None]) -> None:
        self._on_message = on_message
        self._rest = bytearray()
        self._transport: asyncio.Transport | None = None
        self._upgraded = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False
        self.close_reason = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def upgrade(self, port: int, path: str) -> None:
        """Ask for the protocol change; ``opened`` is done when it is granted."""
        key = base64.b64encode(os.urandom(16)).decode()
        assert self._transport is not None
        self._transport.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def send(self, framed: bytes) -> None:
        """Write what ``frame`` built."""
        if self._transport is not None:
            self._transport.write(framed)

    def close(self) -> None:
        """End the connection without ceremony."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if not self._upgraded:
            data = self._handshake(data)
        elif self._rest:
            self._rest += data
            data = bytes(self._rest)
            self._rest.clear()
        used = self._parse(data)
        if used < len(data):
            self._rest += data[used:]

    def _handshake(self, data: bytes) -> bytes:
        self._rest += data
        end = self._rest.find(b"\r\n\r\n")
        if end < 0:
            return b""
        head, behind = bytes(self._rest[:end]), bytes(self._rest[end + 4 :])
        self._rest.clear()
        if not head.startswith(b"HTTP/1.1 101"):
            self.opened.set_exception(ConnectionError(head.split(b"\r\n")[0].decode()))
            return b""
        self._upgraded = True
        self.opened.set_result(None)
        return behind

    def _parse(self, data: bytes) -> int:
        """Hand on complete messages; return the bytes used. The server sends each message in one frame."""
        at, size = 0, len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                if size - at < 4:
                    break
                length, start = (data[at + 2] << 8) | data[at + 3], at + 4
            elif length == 127:
                if size - at < 10:
                    break
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if size - start < length:
                break
            self._take(data[at] & 15, data[start : start + length])
            at = start + length
        return at

    def _take(self, kind: int, payload: bytes) -> None:
        if kind in (TEXT, BINARY):
            self._on_message(kind, payload)
        elif kind == PING:
            self.send(frame(PONG, payload))
        elif kind == CLOSE:
            self.close_reason = payload[2:].decode(errors="replace")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.closed = True
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before the upgrade"))


async def connect(port: int, on_message: Callable[[int, bytes], None], path: str = "/ws/audio") -> Socket:
    """An open connection. Raises ConnectionError."""
    _, socket = await asyncio.get_running_loop().create_connection(lambda: Socket(on_message), "127.0.0.1", port)
    socket.upgrade(port, path)
    await socket.opened
    return socket
