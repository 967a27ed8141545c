"""What one connection sends: numbered, in order, bounded, and with an end."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.errors import Overloaded, VivavoceError
from vivavoce.transports.options import ResumeOptions, SocketLimits
from vivavoce.transports.outbox import Close, Outbox
from vivavoce.transports.ws.protocol import NOWHERE, encode_error
from vivavoce.transports.ws.replay import Replay
from vivavoce.transports.ws.speaker import Way

TRY_LATER = 1013


class Post:
    """The sending half of a connection. ``on_end`` is called when it has been given its end."""

    def __init__(
        self,
        limits: SocketLimits,
        resume: ResumeOptions,
        write_now: Callable[[bytes], bool],
        on_end: Callable[[], None],
    ) -> None:
        self.outbox = Outbox(limits.outbox_messages, limits.outbox_bytes)
        self.way = Way(self.outbox, write_now, self._slow)
        self.replay = Replay(resume)
        """Numbers what is sent; that of the session, once there is one."""
        self.stuck = False
        self.ended = False
        self._on_end = on_end

    def put(self, text: str, *, hurry: bool = False) -> None:
        """Send a numbered message."""
        try:
            self.outbox.put(text, hurry=hurry)
        except Overloaded as stuck:
            self._slow(stuck)

    def tell(self, text: str) -> None:
        """Number a message and send it."""
        self.put(self.replay.number(text))

    def complain(self, error: VivavoceError, stamp: Stamp = NOWHERE) -> None:
        """Send an error."""
        self.tell(encode_error(error, stamp))

    def end(self, close: Close, *last: str) -> None:
        """Number and send the ``last`` messages, then close."""
        self.ended = True
        self.outbox.end(close, *map(self.replay.number, last))
        self._on_end()

    def _slow(self, error: Overloaded) -> None:
        self.stuck = True
        self.end(Close(TRY_LATER, "the client does not read"), encode_error(error))
