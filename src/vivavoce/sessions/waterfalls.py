"""When each thing of a turn happened, gathered while it happens."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from vivavoce.contracts.events import Waterfall

News = Literal["first_token", "first_sentence", "first_audio", "first_sent", "first_played"]


@dataclass(slots=True)
class WaterfallTimes:
    """Clock times of one turn; ``since`` the end of speech they become a ``Waterfall``."""

    speech_end: float | None = None
    speech_stopped: float | None = None
    turn_scored: float | None = None
    transcript: float | None = None
    decision: float | None = None
    first_token: float | None = None
    first_sentence: float | None = None
    first_audio: float | None = None
    first_sent: float | None = None
    first_played: float | None = None
    finished: float | None = None
    wait: float = 0.0
    speculated: bool = False
    revisions: int = 0

    def pause(self, speech_end: float, now: float) -> None:
        """A plausible end of speech: what comes counts from here."""
        self.speech_end, self.speech_stopped = speech_end, now
        self.turn_scored = self.transcript = None
        self.revisions += 1

    def prepare(self) -> None:
        """A new attempt at the reply."""
        self.first_token = self.first_sentence = self.first_audio = None

    def note(self, news: News, now: float) -> None:
        """Something happened; the first time counts."""
        if getattr(self, news) is None:
            setattr(self, news, now)

    def finish(self) -> Waterfall:
        """Seconds behind the end of speech (behind the decision where there was no speech)."""
        since = self.speech_end if self.speech_end is not None else self.decision or 0.0
        times = {
            field.name: None if value is None else max(0.0, value - since)
            for field in fields(self)
            if field.name not in ("speech_end", "wait", "speculated", "revisions")
            for value in (getattr(self, field.name),)
        }
        return Waterfall(speech_end=0.0, wait=self.wait, speculated=self.speculated, revisions=self.revisions, **times)
