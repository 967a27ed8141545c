"""Text on its way from a socket to a voice: in order, never refused for want of room, and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.errors import InvalidRequest, Overloaded
from vivavoce.flow.tasks import Signal
from vivavoce.sessions.speech_sessions import SpeechSession
from vivavoce.transports.openai.spoken_wire import End, Flush, Text


class Written:
    """``put`` what a client says, ``run`` to hand it on; ``full`` tells when no more is to be read of it."""

    def __init__(self, max_waiting: int, moved: Callable[[], None], complain: Callable[[InvalidRequest], None]) -> None:
        self._max_waiting = max_waiting
        self._moved = moved
        self._complain = complain
        self._orders: deque[Text | Flush | End] = deque()
        self._arrived = Signal()
        self._room = Signal()
        self._over = False
        self.waiting = 0
        """Characters not yet handed to the session."""

    def put(self, order: Text | Flush | End) -> None:
        """The next order."""
        if isinstance(order, Text):
            self.waiting += len(order.text)
        self._orders.append(order)
        self._arrived.notify()

    async def room(self) -> None:
        """Wait until less than ``max_waiting`` characters wait here."""
        while self.waiting >= self._max_waiting and not self._over:
            await self._room.wait()

    def close(self) -> None:
        """Nothing is handed on any more. Idempotent."""
        self._over = True
        self._arrived.notify()
        self._room.notify()

    async def run(self, session: SpeechSession) -> None:
        """Hand everything on, as fast as the voice takes it, until ``close``."""
        while not self._over:
            if not self._orders:
                await self._arrived.wait()
                continue
            try:
                await self._say(session, self._orders.popleft())
            except InvalidRequest as error:
                self._complain(error)
            self._moved()

    async def _say(self, session: SpeechSession, order: Text | Flush | End) -> None:
        """In pieces that fit for certain once there is room at all. Raises InvalidRequest."""
        if isinstance(order, End):
            session.end()
            return
        piece = max(1, self._max_waiting // 2)
        left = order.text if isinstance(order, Text) else ""
        try:
            while left:
                while not await _appended(session, left[:piece]):
                    pass
                self._handed_on(len(left[:piece]))
                left = left[piece:]
        finally:
            self._handed_on(len(left))
        if isinstance(order, Flush) or order.flush:
            await _appended(session, "", flush=True)

    def _handed_on(self, characters: int) -> None:
        self.waiting -= characters
        self._room.notify()


async def _appended(session: SpeechSession, text: str, *, flush: bool = False) -> bool:
    """False where another writer of the same session took the room."""
    await session.room()
    try:
        await session.append(text, flush=flush)
    except Overloaded:
        return False
    return True
