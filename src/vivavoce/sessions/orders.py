"""The commands of one step of the turn machine, and the numbers of its timers."""

from __future__ import annotations

from vivavoce.contracts.audio import HEARING
from vivavoce.sessions.turn_messages import Command, SetTimer, Timer


class Orders:
    """Collects commands; knows which number each timer currently has, so that a late firing is told apart."""

    def __init__(self) -> None:
        self._commands: list[Command] = []
        self._numbers: dict[Timer, int] = {}
        self._running: set[Timer] = set()

    def give(self, command: Command) -> None:
        """Append a command."""
        self._commands.append(command)

    def take(self) -> list[Command]:
        """All commands since the last call."""
        commands, self._commands = self._commands, []
        return commands

    def set_timer(self, name: Timer, start: int, seconds: float) -> None:
        """(Re)start a timer, ``seconds`` behind sample ``start``."""
        number = self._numbers[name] = self._numbers.get(name, 0) + 1
        self._running.add(name)
        self.give(SetTimer(name, number, start + HEARING.samples(seconds)))

    def stop_timer(self, name: Timer) -> None:
        """Void a timer if it runs."""
        if name in self._running:
            self._running.discard(name)
            self._numbers[name] += 1
            self.give(SetTimer(name, self._numbers[name], None))

    def fired(self, name: Timer, number: int) -> bool:
        """Whether a firing is that of the running timer; it is used up by asking."""
        if name not in self._running or self._numbers[name] != number:
            return False
        self._running.discard(name)
        return True
