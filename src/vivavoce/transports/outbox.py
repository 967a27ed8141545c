"""What waits to be sent to one client: in order, bounded, without stale audio."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.errors import Overloaded
from vivavoce.flow.tasks import Signal


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a connection: a WebSocket close code and its reason."""

    code: int
    reason: str


Item = str | tuple[int, bytes | str] | Close
"""A JSON message; a generation with a piece of audio of it, binary or wrapped in JSON; or the end."""


class Outbox:
    """One writer takes, everybody else puts without waiting.

    JSON messages never overtake each other. Audio of an ended generation is dropped, and a message that must not wait
    behind audio (``hurry``) takes all JSON messages before it along to the front. A full outbox raises Overloaded: the
    session paces itself by what was played, so a full one means a client that does not read.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._items: deque[Item] = deque()
        self._size = 0
        self._changed = Signal()
        self._ended = False
        self._held = False
        self._stale = 0
        self.dropped = 0
        """Audio messages dropped as stale."""

    def __len__(self) -> int:
        return len(self._items)

    @property
    def size(self) -> int:
        """Bytes waiting; JSON counts characters."""
        return self._size

    def begin_with(self, items: Sequence[str | tuple[int, bytes]]) -> None:
        """Append what a client missed; it is bounded where it was kept, and takes no room from what follows."""
        self._items.extend(items)
        size = sum(_size(item) for item in items)
        self._size += size
        self._max_messages += len(items)
        self._max_bytes += size
        self._changed.notify()

    def put(self, text: str, *, hurry: bool = False) -> None:
        """Append a JSON message. Raises Overloaded."""
        if self._ended:
            return
        self._admit(len(text))
        if hurry and self._items:
            messages = [item for item in self._items if isinstance(item, str)]
            audio = [item for item in self._items if not isinstance(item, str)]
            self._items = deque([*messages, text, *audio])
        else:
            self._items.append(text)
        self._changed.notify()

    def put_audio(self, generation: int, frame: bytes | str) -> None:
        """Append a piece of audio. Raises Overloaded. Stale audio is dropped."""
        if self._ended:
            return
        if generation <= self._stale:
            self.dropped += 1
            return
        self._admit(len(frame))
        self._items.append((generation, frame))
        if len(self._items) == 1:
            self._changed.notify()

    def passes(self, generation: int) -> bool:
        """Whether audio of ``generation`` may go out past the outbox: it is not stale, and nothing waits before it."""
        return not self._items and not self._held and not self._ended and generation > self._stale

    def drop_audio(self, generation: int) -> None:
        """``generation`` and all older ones are over: drop what is left of them, now and later."""
        self._stale = max(self._stale, generation)
        kept = deque(item for item in self._items if not isinstance(item, tuple) or item[0] > self._stale)
        self.dropped += len(self._items) - len(kept)
        self._items = kept
        self._size = sum(_size(item) for item in kept)

    def hold(self) -> None:
        """Let nothing out until ``release``."""
        self._held = True

    def release(self) -> None:
        """Let everything out."""
        self._held = False
        self._changed.notify()

    def end(self, close: Close, *last: str) -> None:
        """Drop waiting audio, append ``last`` messages and the end. Idempotent; nothing can be put behind it."""
        if self._ended:
            return
        self._ended = True
        self._held = False
        waiting = [item for item in self._items if isinstance(item, str)]
        self._items = deque([*waiting, *last, close])
        self._size = sum(_size(item) for item in self._items)
        self._changed.notify()

    async def wait(self) -> None:
        """Wait until there is something to ``pop``."""
        while self._held or not self._items:
            await self._changed.wait()

    def pop(self) -> Item | None:
        """The next item, if there is one. The writer takes one at a time, so that later messages can still hurry past."""
        if self._held or not self._items:
            return None
        item = self._items.popleft()
        self._size -= _size(item)
        return item

    def _admit(self, size: int) -> None:
        if len(self._items) >= self._max_messages or self._size + size > self._max_bytes:
            raise Overloaded(
                f"the client does not read: {len(self._items)} messages ({self._size} bytes) wait to be sent",
                code="slow_client",
                retry_after=1,
            )
        self._size += size


def _size(item: Item) -> int:
    return len(item[1]) if isinstance(item, tuple) else len(item) if isinstance(item, str) else 0


async def write_out(outbox: Outbox, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
    """Send everything to an ASGI WebSocket until the end, or until the client is gone."""
    try:
        while True:
            item = outbox.pop()
            if item is None:
                await outbox.wait()
            elif isinstance(item, Close):
                await send({"type": "websocket.close", "code": item.code, "reason": item.reason[:120]})
                return
            else:
                frame = item if isinstance(item, str) else item[1]
                await send({"type": "websocket.send", "text" if isinstance(frame, str) else "bytes": frame})
    except OSError:
        return  # the client is gone; the reader hears the same
