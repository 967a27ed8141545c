"""What the ear knows of the user's present turn: bursts of voice, segments of transcription, evidence of its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from vivavoce.contracts.audio import HEARING, Stamp
from vivavoce.sessions.barge_in import Overheard
from vivavoce.sessions.turn_messages import Heard, Read
from vivavoce.text.matching import join_segments


class Phase(Enum):
    """Where a turn stands."""

    SPEAKING = "speaking"
    PAUSING = "pausing"
    COMMITTED = "committed"
    """Over by the client's word or by its length; the transcript is still awaited."""


@dataclass(slots=True)
class Segment:
    """One stretch of transcription, opened for the burst that began at ``burst``. ``read`` once its text is final."""

    burst: int = 0
    text: str = ""
    stable: int = 0
    words: int = 0
    stop: bool = False
    echo: float = 0.0
    command: bool = False
    hesitation: bool = False
    read: bool = False


@dataclass(slots=True)
class UserTurn:
    """One turn of the user. ``over_reply`` while it may still turn out to be no interruption."""

    number: int
    started: int
    over_reply: bool
    decide_at: int = 0
    phase: Phase = Phase.SPEAKING
    revision: int = 0
    speech_end: int = 0
    burst_started: int = 0
    burst_voiced: int = 0
    burst_confirmed: bool = False
    earlier_voiced: int = 0
    confirmed: bool = False
    score: float | None = None
    scored: bool = True
    discarded: int = 0
    reopened: int = 0
    pauses: list[float] = field(default_factory=list)
    wait: float = 0.0
    replaces: int | None = None
    current: int | None = None
    segments: dict[int, Segment] = field(default_factory=dict)

    @property
    def stamp(self) -> Stamp:
        """Turn and revision; no reply is meant."""
        return Stamp(self.number, self.revision, 0)

    @property
    def text(self) -> str:
        """All that was read so far, final or not."""
        return join_segments([segment.text for segment in self.segments.values()])

    @property
    def stable(self) -> int:
        """Characters of ``text`` that will not change. A burst that may yet be noise has none."""
        parts: list[str] = []
        for segment in self.segments.values():
            doubtful = segment.burst == self.burst_started and not self.burst_confirmed
            parts.append(segment.text if segment.read else "" if doubtful else segment.text[: segment.stable])
            if not segment.read:
                break
        return len(join_segments(parts))

    @property
    def command(self) -> bool:
        """Whether all of it is one whole sentence of the closed grammar."""
        return len(self.segments) == 1 and all(segment.command for segment in self.segments.values())

    @property
    def unread(self) -> bool:
        """Whether a final reading is still awaited."""
        return any(not segment.read for segment in self.segments.values())

    @property
    def voiced(self) -> float:
        """Voiced seconds of the whole turn."""
        return HEARING.seconds(self.earlier_voiced + self.burst_voiced)

    def overheard(self, *, late: bool, overdue: bool, premature: bool) -> Overheard:
        """What is known of it as speech over a reply."""
        segments = self.segments.values()
        return Overheard(
            voiced=self.voiced,
            ended=self.phase is not Phase.SPEAKING,
            late=late,
            text=bool(self.text),
            words=sum(segment.words for segment in segments),
            stop=any(segment.stop for segment in segments),
            echo=max((segment.echo for segment in segments), default=0.0),
            read=not self.unread,
            overdue=overdue,
            premature=premature,
            hesitation=any(segment.hesitation for segment in segments),
        )

    def begin_burst(self, start: int) -> bool:
        """Voice again (or for the first time); tell whether it needs a segment of its own."""
        self.phase = Phase.SPEAKING
        self.earlier_voiced += self.burst_voiced
        self.burst_started, self.burst_voiced, self.burst_confirmed = start, 0, False
        return self.current is None

    def open_segment(self, segment: int) -> None:
        """What is said from now on is read by ``segment``."""
        self.current = segment
        self.segments[segment] = Segment(burst=self.burst_started)

    def end_burst(self, end: int) -> None:
        """A plausible end: the next revision."""
        self.phase = Phase.PAUSING
        self.speech_end = end
        self.revision += 1
        self.score, self.scored = None, False

    def drop_burst(self) -> int | None:
        """The burst was noise: as if it had not been. Return the segment to be cancelled, if it was opened for it."""
        self.phase = Phase.PAUSING
        self.burst_voiced = 0
        if self.current is None or self.segments[self.current].burst != self.burst_started:
            return None
        dropped, self.current = self.current, None
        self.segments.pop(dropped)
        return dropped

    def finish_segment(self) -> int | None:
        """Return the segment to be finished, if one is open."""
        finished, self.current = self.current, None
        return finished

    def hear(self, event: Heard | Read) -> bool:
        """Take a reading; tell whether it belongs here and is news."""
        segment = self.segments.get(event.segment)
        if segment is None or segment.read:
            return False
        segment.text, segment.words, segment.stop, segment.echo = event.text, event.words, event.stop, event.echo
        segment.read, segment.hesitation = isinstance(event, Read), event.hesitation
        segment.stable = len(event.text) if isinstance(event, Read) else event.stable
        segment.command = isinstance(event, Read) and event.command
        return True

    def give_up_reading(self) -> list[int]:
        """No final reading will come for what is finished; keep the partials. Return those segments."""
        missing = [number for number, segment in self.segments.items() if not segment.read and number != self.current]
        for number in missing:
            self.segments[number].read = True
        return missing

    def continue_from(self, earlier: UserTurn) -> None:
        """This turn goes on where ``earlier``, judged over too soon, left off."""
        self.segments = {**earlier.segments, **self.segments}
        self.replaces = earlier.number
        self.discarded = earlier.discarded + 1
        self.reopened = earlier.reopened + 1
        self.pauses = [*earlier.pauses, HEARING.seconds(self.started - earlier.speech_end), *self.pauses]
        self.earlier_voiced += earlier.earlier_voiced + earlier.burst_voiced
        self.confirmed = True
