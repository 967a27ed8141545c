"""Turns the events of a conversation into lines for people: what was said, what was answered, where the time went."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.events import (
    ReplyInterrupted,
    ResponseCompleted,
    SessionEvent,
    SessionFailed,
    TranscriptUpdated,
    TurnContinued,
    TurnDiscarded,
    Waterfall,
)

STAGES = (
    ("speech stopped", "speech_stopped"),
    ("turn scored", "turn_scored"),
    ("transcript", "transcript"),
    ("decision", "decision"),
    ("first token", "first_token"),
    ("first sentence", "first_sentence"),
    ("first audio", "first_audio"),
    ("first sent", "first_sent"),
    ("first played", "first_played"),
)
BAR_MS = 20
"""Milliseconds per character of a bar."""
WIDEST_BAR = 60


@dataclass(frozen=True, slots=True)
class Exchange:
    """One finished turn with its reply."""

    turn: int
    said: str
    reply: str
    interrupted: bool
    waterfall: Waterfall


class Exchanges:
    """Listens to a conversation and writes each exchange when it is over."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._said: dict[int, str] = {}
        self.finished: list[Exchange] = []
        self.failures: list[SessionFailed] = []

    def take(self, event: SessionEvent) -> None:
        """Take the next event; others than those of interest are passed over."""
        match event:
            case TranscriptUpdated(stamp=stamp, text=text, final=True):
                self._said[stamp.turn] = text
                self._write(f"you   {text}")
            case TurnDiscarded(reason=reason):
                self._write(f"      (not a turn: {reason})")
            case TurnContinued(continues=earlier):
                self._said.pop(earlier, None)
                self._write("      (goes on)")
            case ReplyInterrupted(reason=reason) if reason != "replaced":
                self._write(f"      (interrupted: {reason})")
            case SessionFailed(code=code, message=message):
                self.failures.append(event)
                self._write(f"error {message} ({code})")
            case ResponseCompleted(stamp=stamp, text=text, interrupted=interrupted, waterfall=waterfall):
                self._write(f"voice {text}")
                for line in chart(waterfall):
                    self._write(f"      {line}")
                said = self._said.pop(stamp.turn, "")
                self.finished.append(Exchange(stamp.turn, said, text, interrupted, waterfall))
            case _:
                pass


def chart(waterfall: Waterfall) -> list[str]:
    """One line per stage that happened: milliseconds after the end of speech and a bar, in order of time."""
    stages = [(name, getattr(waterfall, key)) for name, key in STAGES]
    known = sorted(((at, name) for name, at in stages if at is not None), key=lambda stage: stage[0])
    lines = [f"{name:<15}{at * 1000:7.0f} ms {_bar(at)}" for at, name in known]
    if lines:
        prepared = "prepared before the decision" if waterfall.speculated else "prepared after the decision"
        lines.append(f"reply {prepared}; wait decided {waterfall.wait * 1000:.0f} ms")
    return lines


def _bar(seconds: float) -> str:
    return "▇" * max(0, min(WIDEST_BAR, round(seconds * 1000 / BAR_MS)))


def as_data(exchanges: Iterable[Exchange]) -> list[dict[str, Any]]:
    """Exchanges for JSON, with the derived latencies of each waterfall."""
    return [
        {
            **dataclasses.asdict(exchange),
            "latency": {name: getattr(exchange.waterfall, name) for name in ("stt", "llm", "tts", "total")},
        }
        for exchange in exchanges
    ]
