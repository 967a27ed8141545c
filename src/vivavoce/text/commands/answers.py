"""What a command is answered with: a sentence, or a tool to call."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from vivavoce.text.commands import arithmetic, english, units
from vivavoce.text.commands.arithmetic import Amount
from vivavoce.text.commands.source import CommandSource
from vivavoce.text.commands.tools import MAX_TIMER

VOLUME_STEP = 0.15
SPEED_STEP = 0.2
MAX_DICE, MAX_SIDES = 20, 1000
MAX_LABEL = 60
_HOURS = {"hours": 3600, "minutes": 60, "seconds": 1}
_FIXED = ("help", "who", "hello", "thanks", "goodbye", "stop")


@dataclass(frozen=True, slots=True)
class Request:
    """A matched command: its intent, its words, and its numbers by slot."""

    intent: str
    words: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, Fraction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A sentence to speak, or a tool to call with arguments (and then no sentence: its result brings one)."""

    text: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers commands of one language. ``now`` gives the local time, ``chance`` coins and dice."""

    source: CommandSource
    now: Callable[[], datetime]
    chance: random.Random

    def say(self, key: str, **values: object) -> Answer:
        """The reply ``key``."""
        return Answer(self.source.replies[key].format(**values))

    def answer(self, request: Request) -> Answer:
        """Answer any command but ``repeat``, which asks for a conversation."""
        if request.intent in _FIXED:
            return self.say(request.intent)
        return _HANDLERS[request.intent](self, request)

    def result(self, amount: Amount) -> Answer:
        """The sentence for the result of a sum."""
        text, exact = arithmetic.written(amount)
        return self.say("result" if exact else "about", result=text)

    def calculate(self, text: str, values: Sequence[Fraction]) -> Answer | None:
        """The answer to a sum in folded text, or None if it is none."""
        try:
            amount = arithmetic.evaluate(text, values, self.source)
            return None if amount is None else self.result(amount)
        except arithmetic.DivisionByZeroError:
            return self.say("divide_by_zero")
        except arithmetic.NotRealError:
            return self.say("not_real")
        except (arithmetic.TooLargeError, OverflowError):
            return self.say("too_large")


def _time(answers: Answers, _request: Request) -> Answer:
    return answers.say("time", time=english.clock_time(answers.now(), answers.source.numbers))


def _date(answers: Answers, request: Request) -> Answer:
    ahead = int(request.words.get("day", "0"))
    key = {0: "date_today", 1: "date_future", -1: "date_past"}[ahead]
    return answers.say(key, date=english.date(answers.now() + timedelta(days=ahead)))


def _timer_set(answers: Answers, request: Request) -> Answer:
    seconds = _seconds(request)
    if seconds > MAX_TIMER:
        return answers.say("timer_too_long")
    if seconds < 1:
        return answers.say("timer_too_short")
    return Answer(tool="set_timer", arguments={"seconds": seconds, **_label(request)})


def _timer_incomplete(answers: Answers, _request: Request) -> Answer:
    return answers.say("timer_for_how_long")


def _timer_left(_answers: Answers, request: Request) -> Answer:
    return Answer(tool="list_timers", arguments=_label(request))


def _timer_cancel(_answers: Answers, request: Request) -> Answer:
    seconds = _seconds(request)
    return Answer(tool="cancel_timer", arguments={**_label(request), **({"seconds": seconds} if seconds else {})})


def _timer_cancel_all(_answers: Answers, _request: Request) -> Answer:
    return Answer(tool="cancel_timer", arguments={"all": True})


def _seconds(request: Request) -> int | float:
    total = sum((request.numbers.get(unit, Fraction(0)) * size for unit, size in _HOURS.items()), Fraction(0))
    return int(total) if total.denominator == 1 else float(total)


def _label(request: Request) -> dict[str, str]:
    label = request.words.get("label", "").strip()[:MAX_LABEL]
    return {"label": label} if label else {}


def _sum(symbol: str) -> Callable[[Answers, Request], Answer]:
    def handle(answers: Answers, request: Request) -> Answer:
        values = (request.numbers["a"], request.numbers["b"])
        found = answers.calculate(f"0 {answers.source.operators[symbol][0]} 1", values)
        return found or answers.say("unmatched")

    return handle


def _arithmetic(answers: Answers, _request: Request) -> Answer:
    return answers.say("unmatched")  # a sum the parser of expressions did not take


def _convert(answers: Answers, request: Request) -> Answer:
    amount, start, target = request.numbers["amount"], request.words["from"], request.words["to"]
    said, _ = arithmetic.written(Amount(amount))
    converted = units.convert(amount, start, target)
    if converted is None:
        return answers.say("not_convertible", **{"from": english.unit(start, "2"), "to": english.unit(target, "2")})
    result, exact = arithmetic.written(Amount(converted), places=2)
    key = "converted" if exact else "converted_about"
    fields = {"from": english.unit(start, said), "to": english.unit(target, result)}
    return answers.say(key, amount=said, result=result, **fields)


def _coin(answers: Answers, _request: Request) -> Answer:
    return answers.say(answers.chance.choice(("heads", "tails")))


def _dice(answers: Answers, request: Request) -> Answer:
    if "low" in request.numbers and "high" in request.numbers:
        low, high = sorted((int(request.numbers["low"]), int(request.numbers["high"])))
        return answers.say("picked", result=answers.chance.randint(low, high))
    count, sides = int(request.numbers.get("count", 1)), int(request.numbers.get("sides", 6))
    if not (1 <= count <= MAX_DICE and 2 <= sides <= MAX_SIDES):
        return answers.say("dice_bounds")
    rolled = [answers.chance.randint(1, sides) for _ in range(count)]
    if count == 1:
        return answers.say("rolled", result=rolled[0])
    return answers.say("rolled_many", results=english.listed([str(n) for n in rolled]), total=sum(rolled))


def _volume(change: float) -> Callable[[Answers, Request], Answer]:
    return lambda _answers, _request: Answer(tool="set_volume", arguments={"change": change})


def _volume_level(level: float) -> Callable[[Answers, Request], Answer]:
    return lambda _answers, _request: Answer(tool="set_volume", arguments={"level": level})


def _volume_set(answers: Answers, request: Request) -> Answer:
    level = request.numbers["level"]
    # "Volume five" counts in tenths, as dials do; with the word percent, or above ten, in hundredths.
    share = level / 10 if level <= 10 and "percent" not in request.words else level / 100
    if not 0 <= share <= 1:
        return answers.say("volume_bounds")
    return Answer(tool="set_volume", arguments={"level": float(share)})


def _speed(change: float) -> Callable[[Answers, Request], Answer]:
    return lambda _answers, _request: Answer(tool="set_speed", arguments={"change": change})


def _speed_normal(_answers: Answers, _request: Request) -> Answer:
    return Answer(tool="set_speed", arguments={"speed": 1.0})


_HANDLERS: dict[str, Callable[[Answers, Request], Answer]] = {
    "time": _time,
    "date": _date,
    "timer_set": _timer_set,
    "timer_set_incomplete": _timer_incomplete,
    "timer_left": _timer_left,
    "timer_cancel": _timer_cancel,
    "timer_cancel_all": _timer_cancel_all,
    "arithmetic": _arithmetic,
    "add": _sum("+"),
    "subtract": _sum("-"),
    "multiply": _sum("*"),
    "divide": _sum("/"),
    "convert": _convert,
    "coin": _coin,
    "dice": _dice,
    "volume_up": _volume(VOLUME_STEP),
    "volume_down": _volume(-VOLUME_STEP),
    "volume_set": _volume_set,
    "volume_max": _volume_level(1.0),
    "volume_mute": _volume_level(0.0),
    "speed_up": _speed(SPEED_STEP),
    "speed_down": _speed(-SPEED_STEP),
    "speed_normal": _speed_normal,
}
