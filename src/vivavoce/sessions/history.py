"""What was said and what was heard, as the language model will see it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from vivavoce.contracts.speech import Message


class History:
    """A bounded record; the oldest messages give way. Each entry knows its turn, so that a reopened turn replaces it."""

    def __init__(self, limit: int) -> None:
        self._entries: deque[tuple[int, Message]] = deque(maxlen=limit)

    @property
    def messages(self) -> tuple[Message, ...]:
        """Oldest first."""
        return tuple(message for _, message in self._entries)

    def add(self, turn: int, message: Message) -> None:
        """Append a message of ``turn``."""
        self._entries.append((turn, message))

    def replace(self, earlier: int, turn: int, message: Message) -> None:
        """``turn`` goes on where ``earlier`` left off: all of ``earlier`` gives way to ``message``."""
        kept = [(number, entry) for number, entry in self._entries if number != earlier]
        self._entries = deque([*kept, (turn, message)], maxlen=self._entries.maxlen)

    def before(self, turn: int) -> tuple[Message, ...]:
        """Everything but what belongs to ``turn``."""
        return tuple(message for number, message in self._entries if number != turn)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    @staticmethod
    def for_model(instructions: str, past: Sequence[Message], user: str) -> list[Message]:
        """Messages for a reply to ``user``."""
        system = [Message("system", instructions)] if instructions else []
        return [*system, *past, Message("user", user)]
