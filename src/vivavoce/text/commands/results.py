"""What is said when a tool has answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vivavoce.text.commands import english
from vivavoce.text.commands.source import CommandSource

OFFERS = {
    "set_timer": "offer_timer",
    "list_timers": "offer_timer",
    "cancel_timer": "offer_timer",
    "set_volume": "offer_volume",
    "set_speed": "offer_speed",
}
"""The reply that names what is missing where a tool is not offered."""

Result = Mapping[str, Any]


def result_sentence(source: CommandSource, tool: str, arguments: Result, text: str) -> str:
    """The sentence for the result ``text`` (JSON, see ``tools``) of a call. A result out of shape is only acknowledged."""
    try:
        result = json.loads(text)
    except ValueError:
        result = None
    if not isinstance(result, dict):
        return source.replies["done"]
    if "error" in result:
        return source.replies["failed"].format(error=result["error"])
    if tool not in _SENTENCES:
        return source.replies["done"]
    try:
        return _SENTENCES[tool](source.replies, arguments, result)
    except (
        AttributeError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
    ):  # the tool is not ours to trust: its result may have any shape
        return source.replies["done"]


def _set(replies: Mapping[str, str], _arguments: Result, result: Result) -> str:
    timer = result["timer"]
    key = "timer_set_named" if timer.get("label") else "timer_set"
    return _named(replies[key], timer, timer["seconds"])


def _list(replies: Mapping[str, str], arguments: Result, result: Result) -> str:
    timers = result["timers"]
    if not timers:
        return _none(replies, arguments)
    if len(timers) == 1:
        timer = timers[0]
        if timer["remaining"] <= 0:
            return replies["timer_done"]
        key = "timer_left_named" if timer.get("label") else "timer_left"
        return _named(replies[key], timer, timer["remaining"])
    said = [
        replies["timer_item" if timer.get("label") else "timer_item_plain"].format(
            duration=english.duration(timer["remaining"]), label=timer.get("label")
        )
        for timer in timers
    ]
    return replies["timers_many"].format(count=len(timers), timers=english.listed(said))


def _cancel(replies: Mapping[str, str], arguments: Result, result: Result) -> str:
    cancelled: Sequence[Result] = result["cancelled"]
    if not cancelled:
        left = result.get("timers", ())
        asked = arguments.get("label") or arguments.get("seconds")
        return _none(replies, arguments) if asked or not left else replies["timer_which"].format(count=len(left))
    if len(cancelled) > 1:
        return replies["timers_cancelled"].format(count=len(cancelled))
    key = "timer_cancelled_named" if cancelled[0].get("label") else "timer_cancelled"
    return _named(replies[key], cancelled[0], 0)


def _none(replies: Mapping[str, str], arguments: Result) -> str:
    asked = arguments.get("label") or arguments.get("seconds")
    return replies["timers_none_such" if asked else "timers_none"]


def _named(template: str, timer: Result, seconds: float) -> str:
    sentence = template.format(duration=english.duration(seconds), label=timer.get("label"))
    return sentence[:1].upper() + sentence[1:]


def _volume(replies: Mapping[str, str], _arguments: Result, result: Result) -> str:
    return replies["volume"].format(percent=round(result["volume"] * 100))


def _speed(replies: Mapping[str, str], arguments: Result, result: Result) -> str:
    if result["speed"] == 1:
        return replies["speed_normal"]
    change = arguments.get("change")
    if change:
        return replies["speed_faster" if change > 0 else "speed_slower"]
    return replies["speed"].format(percent=round(result["speed"] * 100))


_SENTENCES: dict[str, Callable[[Mapping[str, str], Result, Result], str]] = {
    "set_timer": _set,
    "list_timers": _list,
    "cancel_timer": _cancel,
    "set_volume": _volume,
    "set_speed": _speed,
}
