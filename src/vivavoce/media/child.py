"""A media process: ``python -m vivavoce.media.child FD``. The only module that imports WebRTC libraries.

It speaks the frames of a worker, so it is started, watched and replaced like one. Unlike a worker it computes little at a
time and waits on many sockets: it runs an event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from vivavoce.contracts.errors import (
    ConfigurationError,
    EngineFailed,
    EngineMissing,
    InternalError,
    ProtocolViolation,
    VivavoceError,
)
from vivavoce.contracts.speech import Capabilities
from vivavoce.flow.tasks import Gate, TaskScope
from vivavoce.media.child_call import CallLimits, ChildCall
from vivavoce.media.frames import KIND
from vivavoce.media.peers import Backend, Json
from vivavoce.media.ports import PortLoop
from vivavoce.workers.child_loop import resident_bytes
from vivavoce.workers.link import Link
from vivavoce.workers.messages import error_to_json
from vivavoce.workers.wire import VERSION, Frame, Kind, pack, pack_json, read_json

MAX_UNSENT = 1 << 20
"""Bytes the server leaves unread above which microphone audio is dropped; fresh audio is worth more than old."""
_PR_SET_PDEATHSIG = 1
MAX_TASKS = 1_024

_logger = logging.getLogger("vivavoce.media")


def main(arguments: list[str]) -> None:
    """Serve the socket with descriptor ``arguments[0]`` until its other end is closed."""
    _belong_to_the_parent()
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("aioice").setLevel(logging.ERROR)
    descriptor = int(arguments[0])
    os.set_inheritable(descriptor, False)
    connection = socket.socket(fileno=descriptor)
    connection.setblocking(False)
    with asyncio.Runner(loop_factory=PortLoop) as runner:
        runner.run(MediaProcess(load_backend).serve(connection))


def _belong_to_the_parent() -> None:
    """Signals to the group are the parent's affair; the kernel ends this process when the parent is gone (Linux)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def load_backend(name: str, settings: Json) -> Backend:
    """The library called ``name``; ``auto`` is ``aiortc`` where it is installed, else ``wrtc`` (``python -m bench webrtc``
    has the reasons). Raises EngineMissing, ConfigurationError."""
    if name == "auto":
        try:
            return load_backend("aiortc", settings)
        except EngineMissing as missing:
            try:
                return load_backend("wrtc", settings)
            except EngineMissing:
                raise missing from None
    if name == "wrtc":
        from vivavoce.media.backends.wrtc import WrtcBackend

        return WrtcBackend(settings)
    if name == "aiortc":
        from vivavoce.media.backends.aiortc import AiortcBackend

        return AiortcBackend(settings)
    raise ConfigurationError(f"there is no WebRTC back end {name!r}; there is auto, wrtc and aiortc")


class MediaProcess:
    """Calls by their number, and the frames that are about the process itself."""

    def __init__(self, load: Callable[[str, Json], Backend]) -> None:
        self._load = load
        self._over = Gate()
        self._scope = TaskScope(self._crashed, limit=MAX_TASKS)
        self._calls: dict[int, ChildCall] = {}
        self._backends: dict[str, Backend] = {}
        self._limits = CallLimits(64, 262_144, 30.0, 0.08)
        self._link: Link | None = None
        self._bug: Exception | None = None
        self.audio_dropped = 0

    async def serve(self, connection: socket.socket) -> None:
        """Work until the server says STOP or is gone."""
        loop = asyncio.get_running_loop()
        link = self._link = Link(self._frame, self._lost)  # frames may come before the call below returns
        await loop.create_unix_connection(lambda: link, sock=connection)
        await self._over.wait()
        await asyncio.gather(*(call.close() for call in self._calls.values()))
        await self._scope.close()
        link.abort()
        if self._bug is not None:
            raise self._bug

    def _lost(self, error: Exception | None) -> None:
        if error is not None and not self._over.is_open:
            _logger.error("the server's frames make no sense: %s", error)
        self._over.open()

    def _crashed(self, error: Exception) -> None:
        """A bug of ours: this process must not go on as if nothing had happened."""
        self._bug = error
        self._over.open()

    # --- frames

    def _write(self, frame: bytes) -> None:
        if self._link is not None and self._link.open:
            self._link.write(frame)

    def _write_audio(self, frame: bytes) -> None:
        if self._link is None or self._link.unsent > MAX_UNSENT:
            self.audio_dropped += 1
        else:
            self._write(frame)

    def _frame(self, frame: Frame) -> None:
        kind, number, payload = frame
        if number:
            self._call_frame(kind, number, payload)
        elif kind == Kind.HELLO:
            self._greet(read_json(payload))
        elif kind == Kind.PING:
            self._write(pack_json(Kind.PONG, 0, {"memory": resident_bytes(), "jobs": len(self._calls)}))
        elif kind == Kind.STOP:
            self._over.open()

    def _greet(self, hello: Json) -> None:
        if hello.get("version") != VERSION:
            raise ProtocolViolation(f"the server speaks version {hello.get('version')}, this process {VERSION}")
        self._write(pack_json(Kind.HELLO, 0, {"version": VERSION, "pid": os.getpid()}))
        for wanted in hello["engines"]:
            loaded: Json = {"kind": KIND, "name": wanted["name"]}
            try:
                backend = self._backends[wanted["name"]] = self._load(wanted["name"], wanted["settings"])
                loaded["capabilities"] = asdict(Capabilities(backend.name))
                self._limits = CallLimits(**{name: wanted["settings"][name] for name in CallLimits.__slots__})
            except Exception as error:  # noqa: BLE001 - the border of foreign code
                loaded["error"] = error_to_json(_in_the_tree(error))
            self._write(pack_json(Kind.LOADED, 0, loaded))
        self._write(pack_json(Kind.READY, 0, {"memory": resident_bytes()}))

    def _call_frame(self, kind: int, number: int, payload: bytes) -> None:
        try:
            if kind == Kind.OPEN:
                self._open(number, read_json(payload))
            elif kind == Kind.CANCEL:
                self._end(number, None)
            elif number in self._calls:  # else it is stale
                self._calls[number].receive(kind, payload)
        except VivavoceError as error:
            self._end(number, error)

    def _open(self, number: int, opening: Json) -> None:
        call = ChildCall(number, self._limits, self._write, self._write_audio, self._end)
        self._calls[number] = call
        call.start(self._backends[str(opening["name"])], str(opening["sdp"]))

    def _end(self, number: int, error: VivavoceError | None) -> None:
        if number in self._calls:
            self._scope.start(self._close(number, error), name=f"call {number} ends")

    async def _close(self, number: int, error: VivavoceError | None) -> None:
        """END goes out when the call's sockets are closed: its place is free from then on."""
        call = self._calls.pop(number, None)
        if call is None:
            return
        try:
            await call.close()
        except VivavoceError as failure:
            error = error or failure
        value: Any = b"" if error is None else error_to_json(error)
        self._write(pack(Kind.END, number) if error is None else pack_json(Kind.END, number, value))


def _in_the_tree(error: Exception) -> VivavoceError:
    if isinstance(error, VivavoceError):
        return error
    if isinstance(error, ImportError):
        return EngineMissing(f"WebRTC needs a package that is not installed ({error})", cause=error)
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, KeyError | TypeError):
        return InternalError(f"the media process was given wrong settings: {error!r}", cause=error)
    return EngineFailed(f"the WebRTC library failed to load: {type(error).__name__}: {error}", cause=error)


if __name__ == "__main__":
    main(sys.argv[1:])
