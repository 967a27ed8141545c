"""What a spoken session can do for its user: timers that ring, volume, pace."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import Tool, ToolCall
from vivavoce.sessions.settings import Settings
from vivavoce.sessions.thinking import ToolRunner
from vivavoce.text.commands.tools import COMMAND_TOOLS, MAX_TIMER

MAX_TIMERS = 20
MIN_VOLUME, MAX_VOLUME = 0.05, 1.0
MIN_SPEED, MAX_SPEED = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Timer:
    """A running timer; ``due`` in clock seconds."""

    label: str | None
    seconds: float
    due: float
    cancel: Callable[[], None]


MAX_REQUESTS = 16
"""Calls of one reply that are left to the client."""


class ReplyTools:
    """What one reply may call: the session's own tools, and the client's, which win where names clash."""

    def __init__(self, own: ToolRunner, theirs: Sequence[Tool]) -> None:
        self._own = own
        self._theirs = {tool.name for tool in theirs}
        self.offered: Sequence[Tool] = (*(tool for tool in own.offered if tool.name not in self._theirs), *theirs)
        self.requested: list[ToolCall] = []

    async def run(self, call: ToolCall) -> str:
        """See ToolRunner."""
        return await self._own.run(call)

    def leave_to_client(self, call: ToolCall) -> bool:
        """See ToolRunner."""
        if call.name not in self._theirs:
            return False
        if len(self.requested) < MAX_REQUESTS:
            self.requested.append(call)
        return True


class SessionTools:
    """Runs the tools of one session. A request it cannot serve gives a result that says why."""

    def __init__(
        self, settings: Settings, announce: Callable[[str], None], changed: Callable[[str, str], None], clock: Clock
    ) -> None:
        self._settings = settings
        self._announce = announce
        self._changed = changed
        self._clock = clock
        self._timers: list[Timer] = []
        self._tools: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "set_timer": self._set_timer,
            "cancel_timer": self._cancel_timer,
            "list_timers": self._list_timers,
            "set_volume": self._set_volume,
            "set_speed": self._set_speed,
        }

    @property
    def offered(self) -> Sequence[Tool]:
        """What the language model may call."""
        return COMMAND_TOOLS

    async def run(self, call: ToolCall) -> str:
        """Run one call; JSON text as ``text.commands.tools`` documents it."""
        tool = self._tools.get(call.name)
        if tool is None:
            return json.dumps({"error": f"There is no tool called {call.name}."})
        try:
            return json.dumps(tool(call.arguments))
        except (TypeError, ValueError, KeyError, AttributeError) as error:  # a model may put anything into arguments
            return json.dumps({"error": f"The arguments do not fit: {str(error)[:200]}"})

    def leave_to_client(self, call: ToolCall) -> bool:
        """None of these."""
        return False

    def close(self) -> None:
        """Forget all timers."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _set_timer(self, arguments: dict[str, Any]) -> dict[str, Any]:
        seconds = float(arguments["seconds"])
        label = _label(arguments)
        if not 0 < seconds <= MAX_TIMER:
            return {"error": "A timer can run for a day at most."}
        if len(self._timers) >= MAX_TIMERS:
            return {"error": f"All {MAX_TIMERS} timers are running."}
        cancel = self._clock.call_later(seconds, lambda: self._ring(timer))
        timer = Timer(label, seconds, self._clock.now() + seconds, cancel)
        self._timers.append(timer)
        return {"timer": self._shown(timer)}

    def _ring(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
            self._announce(f"Your {timer.label} timer is done." if timer.label else "Your timer is done.")

    def _chosen(self, arguments: dict[str, Any]) -> list[Timer]:
        label, seconds = _label(arguments), arguments.get("seconds")
        return sorted(
            (
                timer
                for timer in self._timers
                if (label is None or timer.label == label) and (seconds is None or timer.seconds == float(seconds))
            ),
            key=lambda timer: timer.due,
        )

    def _cancel_timer(self, arguments: dict[str, Any]) -> dict[str, Any]:
        chosen = self._chosen({} if arguments.get("all") else arguments)
        named = arguments.get("all") or arguments.get("label") or arguments.get("seconds")
        if not named and len(chosen) > 1:
            chosen = []
        cancelled = [self._shown(timer) for timer in chosen]
        for timer in chosen:
            timer.cancel()
            self._timers.remove(timer)
        return {"cancelled": cancelled, "timers": [self._shown(timer) for timer in self._chosen({})]}

    def _list_timers(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"timers": [self._shown(timer) for timer in self._chosen(arguments)]}

    def _shown(self, timer: Timer) -> dict[str, Any]:
        remaining = max(0, round(timer.due - self._clock.now()))
        return {"seconds": timer.seconds, "remaining": remaining, "label": timer.label}

    def _set_volume(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self._settings.volume = _adjusted(arguments, "level", self._settings.volume, (MIN_VOLUME, MAX_VOLUME))
        self._changed("volume", f"{self._settings.volume:.2f}")
        return {"volume": self._settings.volume}

    def _set_speed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self._settings.speed = _adjusted(arguments, "speed", self._settings.speed, (MIN_SPEED, MAX_SPEED))
        self._changed("speed", f"{self._settings.speed:.2f}")
        return {"speed": self._settings.speed}


def _label(arguments: dict[str, Any]) -> str | None:
    label = arguments.get("label")
    return str(label)[:60].strip() or None if label is not None else None


def _adjusted(arguments: dict[str, Any], key: str, present: float, bounds: tuple[float, float]) -> float:
    """An absolute value under ``key``, or ``change`` added to what is."""
    value = float(arguments[key]) if arguments.get(key) is not None else present + float(arguments["change"])
    if not math.isfinite(value):
        raise ValueError(f"{key} must be a finite number")
    return round(min(bounds[1], max(bounds[0], value)), 2)
