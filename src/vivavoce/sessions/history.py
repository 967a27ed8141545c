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

    def insert(self, key: int, message: Message, behind: Sequence[int] | None = None) -> None:
        """A message of no turn, under a (negative) key of its own.

        It goes to the end, or behind the last entry of the first of ``behind`` that has one: a reply nobody heard has none.
        Where none of them has, it goes to the front.
        """
        entries = list(self._entries)
        numbers = [number for number, _ in entries]
        place = len(entries)
        if behind is not None:
            known = next((other for other in behind if other in numbers), None)
            place = 0 if known is None else len(numbers) - numbers[::-1].index(known)
        entries.insert(place, (key, message))
        self._entries = deque(entries, maxlen=self._entries.maxlen)

    def remove(self, key: int, role: str) -> None:
        """Forget what ``role`` said in a turn, or under a key of its own."""
        kept = [(number, entry) for number, entry in self._entries if number != key or entry.role != role]
        self._entries = deque(kept, maxlen=self._entries.maxlen)

    def shorten(self, turn: int, heard: str) -> None:
        """Of the reply of ``turn`` only ``heard`` reached the ear."""
        kept: list[tuple[int, Message]] = []
        for number, entry in self._entries:
            spoken = number == turn and entry.role == "assistant" and not entry.tool_calls
            if not spoken:
                kept.append((number, entry))
            elif heard:
                kept.append((number, Message("assistant", heard, interrupted=True)))
        self._entries = deque(kept, maxlen=self._entries.maxlen)

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
