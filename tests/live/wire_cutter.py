"""A TCP proxy that cuts connections: at once, in the middle of whatever is under way."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET, socket


class WireCutter:
    """Passes bytes on until it is told to cut, or so many have come from the server."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_after: int | None = None
        """Bytes from the server after which all connections are cut, in the middle of a message as like as not."""
        self.cuts = 0
        self.port = 0

    async def serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", self._target)
        pair = (back, forth)
        self._pairs.add(pair)
        passing = [asyncio.ensure_future(self._pass(near, forth, False)), asyncio.ensure_future(self._pass(far, back, True))]
        self._tasks.update(passing)
        await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        self._tasks.difference_update(passing)
        self._pairs.discard(pair)
        for writer in pair:
            writer.close()

    async def _pass(self, source: asyncio.StreamReader, drain: asyncio.StreamWriter, from_server: bool) -> None:
        try:
            while data := await source.read(1_024):
                if from_server and self.cut_after is not None:
                    data, self.cut_after = data[: self.cut_after], self.cut_after - len(data)
                drain.write(data)
                await drain.drain()
                if from_server and self.cut_after is not None and self.cut_after <= 0:
                    self.cut()
                    return
        except OSError:
            return

    def cut(self) -> None:
        """Both ends see a reset, as when a network goes away."""
        self.cut_after = None
        self.cuts += 1
        for pair in list(self._pairs):
            for writer in pair:
                end: socket = writer.get_extra_info("socket")
                end.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()


@asynccontextmanager
async def wire_cutter(target: int) -> AsyncIterator[WireCutter]:
    cutter = WireCutter(target)
    server = await asyncio.start_server(cutter.serve, "127.0.0.1", 0)
    cutter.port = server.sockets[0].getsockname()[1]
    try:
        yield cutter
    finally:
        server.close()
        cutter.cut()
        for _ in range(100):
            if not cutter._pairs:
                break
            await asyncio.sleep(0.02)
