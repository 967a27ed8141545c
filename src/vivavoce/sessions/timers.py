"""The timers a turn machine asks for: set in session time, fired by the clock, and standing still when time does."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.ports import Clock
from vivavoce.sessions.microphone import Microphone
from vivavoce.sessions.turn_messages import SetTimer, Timer, TimerFired


class SessionTimers:
    """At most one of each name. While suspended none fires; what is set meanwhile runs from ``resume`` on."""

    def __init__(self, microphone: Microphone, clock: Clock, fired: Callable[[TimerFired], None]) -> None:
        self._microphone = microphone
        self._clock = clock
        self._fired = fired
        self._set: dict[Timer, SetTimer] = {}
        self._running: dict[Timer, Callable[[], None]] = {}
        self._suspended = False

    def set(self, command: SetTimer) -> None:
        """Obey; a timer without a due time is stopped."""
        self._stop(command.name)
        self._set.pop(command.name, None)
        if command.due is not None:
            self._set[command.name] = command
            if not self._suspended:
                self._run(command, command.due)

    def suspend(self) -> None:
        """Time stands still from now on."""
        self._suspended = True
        for name in list(self._running):
            self._stop(name)

    def resume(self) -> None:
        """Time goes on."""
        self._suspended = False
        for command in list(self._set.values()):
            if command.due is not None and command.name not in self._running:
                self._run(command, command.due)

    def close(self) -> None:
        """Nothing fires any more. Idempotent."""
        self.suspend()
        self._set.clear()

    def _run(self, command: SetTimer, due: int) -> None:
        def fire() -> None:
            self._running.pop(command.name, None)
            self._set.pop(command.name, None)
            self._fired(TimerFired(max(self._microphone.now, due), command.name, command.number))

        seconds = self._microphone.time_of(due) - self._clock.now()
        self._running[command.name] = self._clock.call_later(seconds, fire)

    def _stop(self, name: Timer) -> None:
        cancel = self._running.pop(name, None)
        if cancel is not None:
            cancel()
