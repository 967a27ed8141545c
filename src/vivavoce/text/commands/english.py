"""English for the ear: times of day, dates, durations, units and lists in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from vivavoce.text.commands.numbers import NumberWords

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PLURALS = {"foot": "feet", "inch": "inches", "stone": "stone", "celsius": "degrees Celsius"}
_PLURALS |= {"fahrenheit": "degrees Fahrenheit", "kelvin": "kelvin"}
_SINGULARS = {"celsius": "degree Celsius", "fahrenheit": "degree Fahrenheit"}


def clock_time(now: datetime, words: NumberWords) -> str:
    """``twenty past ten in the morning``."""
    hour, minute = now.hour, now.minute
    if minute > 30 and minute % 5 == 0:
        distance, relation, hour = 60 - minute, "to", hour + 1
    else:
        distance, relation = minute, "past"
    if hour % 12 == 0 and minute == 0:
        return "noon" if hour == 12 else "midnight"
    name = words.words(hour % 12 or 12)
    when = _part_of_day(now.hour)
    if minute == 0:
        return f"{name} o'clock {when}"
    special = {15: "quarter", 30: "half"}.get(distance)
    spoken = special or words.words(distance)
    if special is None and distance % 5:
        spoken += " minute" if distance == 1 else " minutes"
    return f"{spoken} {relation} {name} {when}"


def _part_of_day(hour: int) -> str:
    if hour < 12:
        return "in the morning"
    if hour < 18:
        return "in the afternoon"
    return "in the evening" if hour < 22 else "at night"


def date(day: datetime) -> str:
    """``Friday, November 20, 2026``."""
    return f"{_DAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {day.day}, {day.year}"


def duration(seconds: float) -> str:
    """``1 hour and 5 minutes``; the two largest units that are not zero, the smaller one rounded."""
    total = max(0, round(seconds))
    if total >= 3600:
        total = round(total / 60) * 60
    parts = [(total // 3600, "hour"), (total % 3600 // 60, "minute"), (total % 60, "second")]
    said = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in parts if count]
    return listed(said) or "less than a second"


def unit(name: str, amount: str) -> str:
    """A unit in the number its amount asks for."""
    if amount in ("1", "minus 1"):
        return _SINGULARS.get(name, name)
    return _PLURALS.get(name, f"{name}s")


def listed(items: Sequence[str]) -> str:
    """``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
