"""An HTTP/1.1 client that notes when bytes come: one request a connection, no library in between."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """``first`` and ``whole`` are seconds from the request to the first byte of the body, and to its end."""

    status: int
    first: float
    whole: float
    body: bytes


def speech(voice: str, form: str, text: str) -> bytes:
    """A request for speech."""
    asked = {"model": voice, "input": text, "response_format": form}
    return request("/v1/audio/speech", "application/json", json.dumps(asked).encode())


def recording(data: bytes, model: str) -> bytes:
    """A request for a transcript."""
    parts = b'--cut\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + model.encode() + b"\r\n"
    parts += b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + data + b"\r\n--cut--\r\n"
    return request("/v1/audio/transcriptions", "multipart/form-data; boundary=cut", parts)


def request(path: str, kind: str, body: bytes) -> bytes:
    """A POST as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(port: int, asked: bytes) -> Answer:
    """Send it and read all. Raises ConnectionError where the answer breaks off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        began = time.monotonic()
        writer.write(asked)
        status, chunked = await _head(reader)
        body = bytearray()
        first = 0.0
        async for piece in _pieces(reader, chunked):
            first = first or time.monotonic() - began
            body += piece
        return Answer(status, first, time.monotonic() - began, bytes(body))
    finally:
        writer.close()


async def leave(port: int, asked: bytes) -> float:
    """Read the first piece of the answer and hang up; returns the moment (monotonic) of that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    writer.write(asked)
    status, chunked = await _head(reader)
    if status != 200:
        raise RuntimeError(f"speech was refused with {status}")
    async for _ in _pieces(reader, chunked):
        break
    now = time.monotonic()
    writer.transport.abort()
    return now


async def _head(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    return int(head.split(b" ", 2)[1]), b"transfer-encoding: chunked" in head


async def _pieces(reader: asyncio.StreamReader, chunked: bool) -> Any:
    while True:
        if not chunked:
            piece = await reader.read(65_536)
        else:
            size = int(await reader.readuntil(b"\r\n"), 16)
            piece = (await reader.readexactly(size + 2))[:-2]
        if not piece:
            return
        yield piece
