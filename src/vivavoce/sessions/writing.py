"""A reply that is written only: the counterpart of ``speaking`` for text without audio."""

from __future__ import annotations

from collections.abc import AsyncIterator

from vivavoce.contracts.errors import VivavoceError
from vivavoce.flow.tasks import Task, TaskScope
from vivavoce.sessions.speaking import SpeakingListener


class Writing:
    """One reply in the making. What is counted in samples elsewhere is counted in characters here."""

    def __init__(self, max_characters: int, listener: SpeakingListener) -> None:
        self._left = max_characters
        self._listener = listener
        self._pieces: list[str] = []
        self._task: Task | None = None
        self.finished = False

    def start(self, scope: TaskScope, text: AsyncIterator[str], name: str) -> None:
        """Begin writing."""
        self._task = scope.start(self._run(text), name=f"{name} writing")

    def cancel(self) -> None:
        """Withdraw. Idempotent."""
        if self._task is not None:
            self._task.cancel()

    def allow_hearing(self) -> None:
        """Nothing waits for that."""

    @property
    def written(self) -> str:
        """All text so far."""
        return "".join(self._pieces)

    def heard(self, characters: int) -> str:
        """What was sent is read."""
        return self.written[: max(0, characters)]

    async def _run(self, text: AsyncIterator[str]) -> None:
        try:
            async for piece in text:
                kept = piece[: self._left]
                self._left -= len(kept)
                if kept:
                    self._pieces.append(kept)
                    self._listener.wrote(kept)
                    self._listener.audio_ready()
                if self._left <= 0:
                    break
        except VivavoceError as error:
            self._listener.trouble(error)
            if not self._pieces:
                self._listener.failed(error)
                return
        self.finished = True
        self._listener.all_ready(len(self.written))
