"""Where a call's messages go: to every control channel that is attached, and kept for the first one until then. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.errors import Overloaded

BACKLOG = 1_024
"""Messages kept while nothing is attached; the oldest give way."""
MAX_ATTACHED = 4
"""Control channels of one call."""


class Controls:
    """Messages in order. Nothing goes out before ``open``, whose message is the first of all."""

    def __init__(self) -> None:
        self._backlog: deque[str] = deque(maxlen=BACKLOG)
        self._attached: list[tuple[Callable[[str], None], Callable[[], None]]] = []
        self._open = False

    def open(self, *first: str) -> None:
        """``first`` before all that was put so far; from now on messages go out."""
        self._open = True
        waiting = [*first, *self._backlog]
        self._backlog.clear()
        for text in waiting:
            self.put(text)

    def put(self, text: str) -> None:
        """A message for the client."""
        if not self._open or not self._attached:
            self._backlog.append(text)
            return
        for send, _ in tuple(self._attached):
            send(text)

    def close(self) -> None:
        """Nothing more is put."""
        for _, over in tuple(self._attached):
            over()

    def attach(self, send: Callable[[str], None], over: Callable[[], None] = lambda: None) -> Callable[[], None]:
        """Another channel; the first one gets what was kept. ``over`` is called when nothing more will come.

        The result takes the channel away again. Raises Overloaded.
        """
        if len(self._attached) >= MAX_ATTACHED:
            raise Overloaded(f"a call has at most {MAX_ATTACHED} control channels")
        entry = (send, over)
        self._attached.append(entry)
        if self._open:
            waiting = list(self._backlog)
            self._backlog.clear()
            for text in waiting:
                self.put(text)

        def detach() -> None:
            if entry in self._attached:
                self._attached.remove(entry)

        return detach
