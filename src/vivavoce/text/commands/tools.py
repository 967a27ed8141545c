"""The tools through which commands act: the session runs them, the agent only asks.

Each result is a JSON object as text. Any tool may answer ``{"error": "a sentence"}`` instead.

=================  =============================================================================================
``set_timer``      ``{"timer": TIMER}``
``list_timers``    ``{"timers": [TIMER…]}``: those running, soonest first, narrowed by the arguments
``cancel_timer``   ``{"cancelled": [TIMER…], "timers": [TIMER…]}``: those ended, those still running. Without arguments
                   it cancels the only timer there is; with several running it cancels none of them
``set_volume``     ``{"volume": 0.0–1.0}``: as it is now
``set_speed``      ``{"speed": 0.25–4.0}``: as it is now
=================  =============================================================================================

``TIMER`` is ``{"seconds": number, "remaining": number, "label": string or null}``.
"""

from __future__ import annotations

from typing import Any

from vivavoce.contracts.speech import Tool

MAX_TIMER = 24 * 3600
"""Longest timer in seconds."""

_LABEL = {"type": "string", "maxLength": 60, "description": "What the timer is for, in lower case."}
_LENGTH = {"type": "number", "minimum": 1, "maximum": MAX_TIMER, "description": "The length it was set for, in seconds."}


def _parameters(*required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


COMMAND_TOOLS: tuple[Tool, ...] = (
    Tool(
        "set_timer",
        "Start a timer that rings after a number of seconds.",
        _parameters("seconds", seconds=_LENGTH, label=_LABEL),
    ),
    Tool(
        "list_timers",
        "List the running timers, or those with a label or a length.",
        _parameters(label=_LABEL, seconds=_LENGTH),
        side_effects=False,
    ),
    Tool(
        "cancel_timer",
        "Cancel the timer with a label or a length, the only timer, or all of them.",
        _parameters(label=_LABEL, seconds=_LENGTH, all={"type": "boolean"}),
    ),
    Tool(
        "set_volume",
        "Set the volume of the speech (0 to 1), or change it by a step.",
        _parameters(
            level={"type": "number", "minimum": 0, "maximum": 1},
            change={"type": "number", "minimum": -1, "maximum": 1},
        ),
    ),
    Tool(
        "set_speed",
        "Set the speed of the speech (1 is the voice's own), or change it by a step.",
        _parameters(
            speed={"type": "number", "minimum": 0.25, "maximum": 4},
            change={"type": "number", "minimum": -2, "maximum": 2},
        ),
    ),
)
