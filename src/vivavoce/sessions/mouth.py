"""What the mouth is at: at most one reply, held or released, standing or playing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vivavoce.contracts.audio import HEARING, Stamp
from vivavoce.sessions.asked import ReplyRequest
from vivavoce.sessions.barge_in import Reason
from vivavoce.sessions.options import WatchdogOptions
from vivavoce.sessions.orders import Orders
from vivavoce.sessions.turn_messages import (
    Activity,
    Complete,
    Cut,
    Discard,
    Pause,
    Played,
    Prepare,
    Release,
    ReplyActed,
    ReplyBegan,
    ReplyFailed,
    ReplyFinished,
    ReplySounded,
    Resume,
    Speak,
)

CutReason = Literal["speech", "command", "reset", "failed", "replaced"]
ReplyEvent = ReplyBegan | ReplySounded | ReplyActed | ReplyFinished | ReplyFailed | Played
REPLY_EVENTS = (ReplyBegan, ReplySounded, ReplyActed, ReplyFinished, ReplyFailed, Played)


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered. ``key`` is the normalised text."""

    turn: int
    revision: int
    text: str
    key: str
    replaces: int | None = None


@dataclass(slots=True)
class Reply:
    """One generation. ``key`` is the normalised user text it answers; ``fallback`` that it is the last resort."""

    stamp: Stamp
    key: str
    fallback: bool = False
    released: bool = False
    paused: bool = False
    began: bool = False
    sounded: bool = False
    acted: bool = False
    total: int | None = None
    played: int = 0
    released_at: int = 0
    progress_at: int = 0


class Mouth:
    """Prepares, releases, pauses, resumes, cuts and completes replies. Every number it is given may be stale."""

    def __init__(self, orders: Orders, options: WatchdogOptions, rate: int) -> None:
        self._orders = orders
        self._options = options
        self._rate = rate
        self._generation = 0
        self.reply: Reply | None = None

    @property
    def held(self) -> Reply | None:
        """The reply nobody has heard of yet."""
        return self.reply if self.reply is not None and not self.reply.released else None

    @property
    def released(self) -> Reply | None:
        """The reply that may be heard."""
        return self.reply if self.reply is not None and self.reply.released else None

    @property
    def heard(self) -> float:
        """Seconds heard of the released reply, 0 where there is none."""
        return self.released.played / self._rate if self.released is not None else 0.0

    @property
    def activity(self) -> Activity | None:
        """What the released reply is at; None where there is none."""
        reply = self.released
        if reply is None:
            return None
        return "paused" if reply.paused else "speaking" if reply.sounded else "thinking"

    def prepare(self, question: Question, *, speculative: bool) -> Reply:
        """Begin a reply."""
        reply = self._begin(question.turn, question.revision, question.key)
        self._orders.give(Prepare(reply.stamp, question.text, speculative, question.replaces))
        return reply

    def ask(self, turn: int, request: ReplyRequest) -> Reply:
        """Begin a reply that a client asked for."""
        reply = self._begin(turn, 1, "")
        self._orders.give(Prepare(reply.stamp, "", False, None, request))
        return reply

    def speak(self, turn: int, revision: int, text: str, *, fallback: bool = False) -> Reply:
        """Begin a reply of these very words."""
        reply = self._begin(turn, revision, "")
        reply.fallback = fallback
        self._orders.give(Speak(reply.stamp, text))
        return reply

    def _begin(self, turn: int, revision: int, key: str) -> Reply:
        self._generation += 1
        self.reply = Reply(Stamp(turn, revision, self._generation), key)
        return self.reply

    def discard(self) -> bool:
        """Drop a held reply; tell whether there was one."""
        reply = self.held
        if reply is None:
            return False
        self.reply = None
        self._orders.give(Discard(reply.stamp))
        return True

    def release(self, now: int, speech_end: int, wait: float) -> None:
        """Let the held reply be heard."""
        reply = self.held
        if reply is None:
            return
        reply.released, reply.released_at, reply.progress_at = True, now, now
        self._orders.give(Release(reply.stamp, speech_end, wait))
        if reply.sounded:
            self._watch_playback(now)
        elif reply.total is None:
            self._orders.set_timer("reply", now, self._options.first_audio if reply.began else self._options.first_token)
        self._complete_if_heard(reply)

    def pause(self) -> bool:
        """Stand still; tell whether it was playing."""
        reply = self.released
        if reply is None or reply.paused:
            return False
        reply.paused = True
        self._orders.give(Pause(reply.stamp))
        return True

    def resume(self, now: int, reason: Reason) -> None:
        """Go on."""
        reply = self.released
        if reply is not None and reply.paused:
            reply.paused, reply.progress_at = False, now
            self._orders.give(Resume(reply.stamp, reply.played, reason))

    def cut(self, reason: CutReason, *, recorded: bool = True) -> None:
        """End a released reply where it was heard to."""
        reply = self.released
        if reply is not None:
            self.reply = None
            self._stop_watching()
            self._orders.give(Cut(reply.stamp, reply.played, reason, recorded))

    def handle(self, event: ReplyEvent, now: int) -> None:
        """Take news of the reply; what is about another generation is stale."""
        reply = self.reply
        if reply is None or reply.stamp.generation != event.generation:
            return
        match event:
            case ReplyBegan():
                self._began(reply, now)
            case ReplySounded():
                self._sounded(reply, now)
            case ReplyActed():
                reply.acted = True
            case ReplyFinished():
                self._finished(reply, event.samples, now)
            case ReplyFailed():
                self._failed(reply, now)
            case Played():
                self._played(reply, event.samples, now)

    def _began(self, reply: Reply, now: int) -> None:
        if not reply.began:
            reply.began = True
            if reply.released:
                self._orders.set_timer("reply", now, self._options.first_audio)

    def _sounded(self, reply: Reply, now: int) -> None:
        if not reply.sounded:
            reply.began = reply.sounded = True
            if reply.released:
                self._watch_playback(now)

    def _finished(self, reply: Reply, samples: int, now: int) -> None:
        if reply.total is None:
            reply.total = max(0, samples)
            reply.began = reply.sounded = True
            reply.progress_at = now
            reply.played = min(reply.played, reply.total)
            if reply.released:
                self._watch_playback(now)
            self._complete_if_heard(reply)

    def _played(self, reply: Reply, samples: int, now: int) -> None:
        """Reports that go back or beyond the end are clamped."""
        samples = samples if reply.total is None else min(samples, reply.total)
        if reply.released and reply.sounded and samples > reply.played:
            reply.played, reply.progress_at = samples, now
            self._complete_if_heard(reply)

    def _failed(self, reply: Reply, now: int) -> None:
        """Nothing (more) will come: keep what was heard, speak the fallback where nothing was, else give up."""
        if reply.total is not None:
            return
        if not reply.released:
            self.discard()
        elif reply.fallback or reply.sounded or reply.paused or not self._options.fallback:
            self.cut("failed")
        else:
            self._stop_watching()
            self._orders.give(Discard(reply.stamp))
            fallback = self.speak(reply.stamp.turn, reply.stamp.revision, self._options.fallback, fallback=True)
            fallback.acted = reply.acted
            self.release(now, now, 0.0)

    def overdue(self, now: int) -> None:
        """The watchdog of the first text or audio fired."""
        reply = self.released
        if reply is None or reply.sounded:
            return
        if reply.paused:
            self._orders.set_timer("reply", now, self._options.first_audio)
        else:
            self._failed(reply, now)

    def stalled(self, now: int) -> None:
        """The watchdog of playback fired: end the reply if nothing was heard for that long."""
        reply = self.released
        if reply is None:
            return
        if reply.paused or now - reply.progress_at < HEARING.samples(self._options.stalled):
            start = now if reply.paused else reply.progress_at
            self._orders.set_timer("stalled", start, self._options.stalled)
        else:
            self.cut("failed")

    def _watch_playback(self, now: int) -> None:
        self._orders.stop_timer("reply")
        self._orders.set_timer("stalled", now, self._options.stalled)

    def _complete_if_heard(self, reply: Reply) -> None:
        if reply.released and reply.total is not None and reply.played >= reply.total:
            self.reply = None
            self._stop_watching()
            self._orders.give(Complete(reply.stamp, reply.played))

    def _stop_watching(self) -> None:
        self._orders.stop_timer("reply")
        self._orders.stop_timer("stalled")
