"""Runs the server. Its workers load their engines while it loads its doors: on two cores that saves a second."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import ChangeReload

from vivavoce.app.graph import Parts, parts_of
from vivavoce.app.loop import new_event_loop
from vivavoce.config.load import Loaded
from vivavoce.observe.logs import log_to_stderr
from vivavoce.services.keys import KeyFile
from vivavoce.transports.options import check_binding
from vivavoce.transports.server import Server, listen
from vivavoce.transports.tls import Tls

if TYPE_CHECKING:
    from vivavoce.app.server import Application


def serve(loaded: Loaded) -> int:
    """Run until a signal says stop; return the exit code. Raises ConfigurationError."""
    settings = loaded.settings
    keys = KeyFile(loaded.keys_file)
    check_binding(settings.server, protected=settings.server.jwt.wanted or keys.configured)
    tls = Tls.of(settings.server.tls)
    with listen(settings.server) as listener:
        host = settings.server.host
        address = f"[{host}]" if ":" in host else host
        scheme = "http" if tls is None else "https"
        sys.stderr.write(f"Vivavoce listens on {scheme}://{address}:{settings.server.port} (Ctrl+C stops it)\n")
        return _serve_reloading(loaded, listener) if settings.dev else _serve_once(loaded, keys, [listener])


def _serve_once(loaded: Loaded, keys: KeyFile, sockets: list[socket.socket]) -> int:
    settings = loaded.settings
    log_to_stderr(settings.logging.level, settings.logging.format)
    parts = parts_of(settings)
    tls = Tls.of(settings.server.tls)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_serve(loaded, keys, parts, tls, sockets))


async def _serve(loaded: Loaded, keys: KeyFile, parts: Parts, tls: Tls | None, sockets: list[socket.socket]) -> int:
    parts.begin()
    try:
        application = (await asyncio.to_thread(_doors))(loaded, keys, parts, tls)
        context = None if tls is None else tls.context
        server = Server(application.asgi, loaded.settings.server, application.drain, context, log_config=None)
        await server.serve(sockets=sockets)
        return 0 if server.started else 1
    finally:
        await parts.close()  # also where it never came to serving


def _doors() -> type[Application]:
    """A second of imports, of which nothing is garbage."""
    gc.disable()
    try:
        from vivavoce.app.server import Application
    finally:
        gc.enable()
    return Application


def _serve_reloading(loaded: Loaded, listener: socket.socket) -> int:
    """Serve from a child process that is started again whenever a source file changes."""
    config = uvicorn.Config("", reload=True, reload_dirs=[str(Path(__file__).parent.parent)], log_config=None)
    ChangeReload(config, _Child(loaded), [listener]).run()
    return 0


class _Child:
    """What the reloading parent starts; it travels to a fresh process."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    def __call__(self, sockets: list[socket.socket] | None) -> None:
        _serve_once(self._loaded, KeyFile(self._loaded.keys_file), sockets or [])
