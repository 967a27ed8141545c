"""Stops blocking work from another thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from vivavoce.contracts.errors import Cancelled


class Cancellation:
    """Asked for by one thread, obeyed by another: between two steps, in a wait, or in a read of a bound socket."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Stop as soon as may be. Idempotent."""
        self._asked.set()
        with self._lock:
            if self._socket is not None:
                _end(self._socket)

    def check(self) -> None:
        """Raises Cancelled once it was asked for."""
        if self._asked.is_set():
            raise Cancelled("the download was stopped; what has come is kept, and the next one goes on from there")

    def wait(self, seconds: float) -> None:
        """Sleep, unless it is asked for meanwhile. Raises Cancelled."""
        self._asked.wait(seconds)
        self.check()

    @contextlib.contextmanager
    def bound(self, connection: socket.socket | None) -> Iterator[None]:
        """While inside, cancelling also ends ``connection``, so that a read of it returns."""
        with self._lock:
            self._socket = connection
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._socket = None


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed already: nothing reads it any more
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # of an encrypted one too: its own would touch its state
