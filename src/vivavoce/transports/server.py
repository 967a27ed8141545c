"""The listening server: uvicorn, with a socket that lets go of dead peers and a stop that says goodbye first."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

from vivavoce.contracts.errors import ConfigurationError
from vivavoce.flow.tasks import Gate, TaskScope, first_within
from vivavoce.transports.direct import DirectWebSocket
from vivavoce.transports.options import ServerOptions, uvicorn_options

_logger = logging.getLogger(__name__)


def listen(options: ServerOptions) -> socket.socket:
    """A bound socket for ``Server.serve(sockets=[…])``. Raises ConfigurationError where the address cannot be had.

    A peer that stops reading keeps its connection open for ever once uvicorn has closed it, because closing waits for
    the buffer to drain; TCP_USER_TIMEOUT, inherited by accepted connections, has the kernel cut it off.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {options.host!r}: {error}", cause=error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(options.unread_timeout * 1000))
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror}; choose another port", cause=error
        ) from error
    return listener


class Server(uvicorn.Server):
    """Awaits ``drain`` between the signal to stop and the closing of connections.

    While it drains the server goes on answering, so that a load balancer can read in `/health` that it is leaving. A
    second signal cuts the wait short.
    """

    def __init__(
        self,
        app: Any,
        options: ServerOptions,
        drain: Callable[[], Awaitable[None]],
        tls: ssl.SSLContext | None = None,
        **uvicorn_config: Any,
    ) -> None:
        given = {**uvicorn_options(options), "ws": DirectWebSocket, **uvicorn_config}
        if tls is not None:
            given["ssl_context_factory"] = lambda _config, _default: tls
        super().__init__(uvicorn.Config(app, **given))
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then close."""
        drained = Gate()
        scope = TaskScope(_failed, limit=1)
        scope.start(self._then_open(drained), name="drain")
        while not self.force_exit and not await first_within(drained.wait(), 0.1):
            pass
        await scope.close()
        await super().shutdown(sockets)

    async def _then_open(self, drained: Gate) -> None:
        try:
            await self._drain()
        finally:
            drained.open()


def _failed(error: Exception) -> None:
    _logger.error("draining failed", exc_info=error)
