"""A WebSocket client that does everything wrong: bytes on a socket, blocking, no library in between."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from typing import Any

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

REASONED = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1013}
"""Codes a server may close with for what a client did. 1011 would be a bug of ours, 1006 no closing at all."""


def frame(opcode: int, payload: bytes, *, fin: bool = True, bits: int = 0, masked: bool = True, length: int = -1) -> bytes:
    """One frame; ``bits`` are the reserved ones, ``length`` is announced instead of the true one."""
    size = len(payload) if length < 0 else length
    head = bytes([(0x80 if fin else 0) | (bits & 7) << 4 | opcode & 15])
    mask = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 65_536:
        head += struct.pack("!BH", mask | 126, size)
    else:
        head += struct.pack("!BQ", mask | 127, size)
    if not masked:
        return head + payload
    key = b"\x11\x22\x33\x44"
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    turned = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + key + turned.to_bytes(len(payload), "big")


@dataclass
class Attacker:
    """One connection. ``frames`` are what the server sent: opcode and payload; ``code`` and ``reason`` how it closed."""

    port: int
    path: str
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    code: int | None = None
    reason: str = ""
    status: int = 0
    dead: bool = False
    ours: bool = False
    """Whether this end broke the connection off, so that nothing can be expected of the other."""
    trust: ssl.SSLContext | None = None
    """Where the server speaks TLS."""
    _left: bytes = b""

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        if self.trust is not None:
            self._socket = self.trust.wrap_socket(self._socket, server_hostname="127.0.0.1")

    def upgrade(self) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            (
                f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )
        while b"\r\n\r\n" not in self._left:
            piece = self._socket.recv(65_536)
            assert piece, "the server hung up during the handshake"
            self._left += piece
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        assert self.status == 101, head

    def send(self, data: bytes) -> None:
        """Whatever it is; a server that has closed already is no failure."""
        if self.dead:
            return
        try:
            self._socket.sendall(data)
        except OSError:
            self.dead = True

    def stop_sending(self) -> None:
        """Half of the connection is closed."""
        self.ours = True
        try:
            socket.socket.shutdown(self._socket, socket.SHUT_WR)  # of the wire: that of TLS would read no more
        except OSError:
            self.dead = True

    def reset(self) -> None:
        """The connection is gone, without a goodbye."""
        if self.dead:
            return
        self.ours = self.dead = True
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def read(self, quiet: float) -> None:
        """Take what comes, until nothing does for so long, or the end. Every frame must be a proper one.

        A connection that ends without TLS having said so ends all the same.
        """
        if self.dead and self._socket.fileno() < 0:
            return
        self._socket.settimeout(quiet)
        end = time.monotonic() + 30
        try:
            while time.monotonic() < end:
                piece = self._socket.recv(1 << 20)
                if not piece:
                    self.dead = True
                    break
                self._left += piece
                self._take()
        except TimeoutError:
            pass
        except OSError:  # reset: the server had bytes of ours unread when it closed
            self.dead = True
        finally:
            if self._socket.fileno() >= 0:
                self._socket.settimeout(20)

    def close(self) -> None:
        self._socket.close()

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for opcode, payload in self.frames if opcode == TEXT]

    def _take(self) -> None:
        while len(self._left) >= 2:
            first, second = self._left[0], self._left[1]
            assert not second & 0x80, "a server does not mask"
            assert not first & 0x70, "no extension was agreed on"
            size, at = second & 0x7F, 2
            if size >= 126:
                width = 2 if size == 126 else 8
                if len(self._left) < at + width:
                    return
                size, at = int.from_bytes(self._left[at : at + width], "big"), at + width
            if len(self._left) < at + size:
                return
            self._frame(first & 15, self._left[at : at + size])
            self._left = self._left[at + size :]

    def _frame(self, opcode: int, payload: bytes) -> None:
        assert self.code is None, "nothing comes behind a close"
        self.frames.append((opcode, payload))
        if opcode == TEXT:
            assert isinstance(json.loads(payload), dict)
        elif opcode == CLOSE:
            self.code = struct.unpack("!H", payload[:2])[0] if payload else 1005
            self.reason = payload[2:].decode()
        else:
            assert opcode in (BINARY, PING, PONG), opcode
