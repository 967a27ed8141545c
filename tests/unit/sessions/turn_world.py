"""A world for the turn machine: it executes commands, keeps the books and checks the laws of a conversation."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from vivavoce.contracts.events import (
    SessionFailed,
    SpeechStarted,
    SpeechStopped,
    TranscriptUpdated,
    TurnContinued,
    TurnDiscarded,
)
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.interruption import MAX_REOPENED
from vivavoce.sessions.options import BargeInOptions
from vivavoce.sessions.turns import TurnMachine
from vivavoce.text.matching import normalised

NEGLIGIBLE = BargeInOptions().reopen_within * 24_000
"""Samples of a reply that may have been heard when its turn is continued."""
TEXTS = ("", "hello there", "what time is it", "mm hmm", "stop", "um", "my number is five five", "and", "yes please do that")


@dataclass
class LiveReply:
    generation: int
    turn: int
    text: str
    released: bool = False
    paused: bool = False
    sounded: bool = False
    total: int | None = None
    acknowledged: int = 0


@dataclass
class TurnBooks:
    """What is known of turns that are over: whether their end may be taken back, and what must come of it."""

    spoken: set[int] = field(default_factory=set)
    committed: set[int] = field(default_factory=set)
    acted: set[int] = field(default_factory=set)
    texts: dict[int, str] = field(default_factory=dict)
    continues: dict[int, int] = field(default_factory=dict)
    withdrawn: LiveReply | None = None

    def follow(self, event: m.Event, reply: LiveReply | None, turns_open: set[int]) -> None:
        if isinstance(event, m.CommitAsked) or (isinstance(event, m.TimerFired) and event.name == "max_turn"):
            self.committed |= turns_open
        elif isinstance(event, m.ReplyActed) and reply is not None and reply.generation == event.generation:
            self.acted.add(reply.turn)

    def record(self, turn: int, text: str, replaces: int | None) -> None:
        assert replaces == self.continues.get(turn), "a turn takes the place of the one it goes on with, and of no other"
        if replaces is not None:
            assert normalised(text).startswith(normalised(self.texts[replaces])), "no word of the first part is lost"
        self.texts[turn] = text

    def cut(self, reply: LiveReply, reason: str, recorded: bool) -> None:
        if not recorded and reason == "replaced":
            self.withdrawn = reply
        elif reason == "speech":
            assert not self.reversible(reply), "no turn is split while nothing of its reply was heard"

    def reversible(self, reply: LiveReply) -> bool:
        """Whether the end of the turn that ``reply`` answers must be taken back when the speaker goes on."""
        by_itself = reply.turn in self.spoken and reply.turn in self.texts and reply.turn not in self.committed
        unheard = reply.acknowledged <= NEGLIGIBLE and reply.turn not in self.acted
        return by_itself and unheard and self.depth(reply.turn) < MAX_REOPENED

    def depth(self, turn: int) -> int:
        return 0 if turn not in self.continues else 1 + self.depth(self.continues[turn])

    def go_on(self, turn: int, earlier: int) -> None:
        assert self.withdrawn is not None and self.withdrawn.turn == earlier, "the reply to the first part is withdrawn"
        assert self.reversible(self.withdrawn), "what was heard, done or committed stands"
        assert earlier not in self.continues.values(), "a turn goes on once"
        self.continues[turn] = earlier
        self.withdrawn = None


@dataclass
class World:
    """Feeds a machine and checks each command against what may be commanded at that point."""

    machine: TurnMachine
    now: int = 0
    segments: dict[int, str] = field(default_factory=dict)
    timers: dict[str, tuple[int, int]] = field(default_factory=dict)
    reply: LiveReply | None = None
    last_generation: int = 0
    turns_open: set[int] = field(default_factory=set)
    turns_recorded: list[int] = field(default_factory=list)
    ended: dict[str, int] = field(default_factory=dict)
    scores: list[tuple[int, int]] = field(default_factory=list)
    books: TurnBooks = field(default_factory=TurnBooks)

    def tell(self, event: m.Event) -> list[m.Command]:
        self.now = max(self.now, event.at)
        if isinstance(event, m.Played) and self.reply is not None and self.reply.generation == event.generation:
            reply = self.reply
            if reply.released and reply.sounded:
                limit = event.samples if reply.total is None else min(event.samples, reply.total)
                reply.acknowledged = max(reply.acknowledged, limit)
        self._follow_making(event)
        self.books.follow(event, self.reply, self.turns_open)
        commands = self.machine.handle(event)
        for command in commands:
            self.execute(command)
        assert self.books.withdrawn is None, "a reply is withdrawn for a turn that goes on"
        if self.reply is not None and self.reply.paused:
            assert "decide" in self.timers, "a reply stands still no longer than it takes to decide"
        return commands

    def _follow_making(self, event: m.Event) -> None:
        reply = self.reply
        if not isinstance(event, m.ReplySounded | m.ReplyFinished) or reply is None:
            return
        if reply.generation == event.generation:
            reply.sounded = True
            if isinstance(event, m.ReplyFinished) and reply.total is None:
                reply.total = event.samples
                reply.acknowledged = min(reply.acknowledged, event.samples)

    def execute(self, command: m.Command) -> None:
        match command:
            case m.OpenSegment(segment):
                assert segment not in self.segments, "a segment is opened once"
                self.segments[segment] = "open"
                if len(self.segments) > 200:
                    for old in [n for n, s in self.segments.items() if s in ("read", "cancelled")][:100]:
                        del self.segments[old]
            case m.FinishSegment(segment):
                assert self.segments[segment] == "open"
                self.segments[segment] = "finished"
            case m.CancelSegment(segment):
                assert self.segments[segment] in ("open", "finished"), self.segments[segment]
                self.segments[segment] = "cancelled"
            case m.ScoreTurn(turn, revision):
                self.scores.append((turn, revision))
            case m.Prepare(stamp, text) | m.Speak(stamp, text):
                assert self.reply is None, "one reply at a time"
                assert stamp.generation == self.last_generation + 1, "generations count up"
                self.last_generation = stamp.generation
                self.reply = LiveReply(stamp.generation, stamp.turn, text)
            case m.SetTimer(name, number, due):
                if due is None:
                    self.timers.pop(name, None)
                else:
                    self.timers[name] = (number, due)
            case m.RecordUser(stamp, text, replaces):
                assert text and self.reply is not None
                assert normalised(text) == normalised(self.reply.text), "the reply answers what was said"
                assert stamp.generation == self.reply.generation
                assert stamp.turn not in self.turns_recorded[-50:]
                assert replaces is None or replaces in self.turns_recorded
                self.books.record(stamp.turn, text, replaces)
                self.turns_recorded.append(stamp.turn)
                self.turns_open.discard(stamp.turn)
            case m.Notify(event):
                self.notified(event)
            case _:
                self.execute_on_reply(command)

    def execute_on_reply(self, command: m.Command) -> None:
        reply = self.reply
        assert reply is not None, f"{command} without a reply"
        assert not isinstance(command, m.OpenSegment | m.FinishSegment | m.CancelSegment | m.ScoreTurn)
        assert not isinstance(command, m.Prepare | m.Speak | m.SetTimer | m.RecordUser | m.Notify)
        assert command.stamp.generation == reply.generation, "nothing is commanded about a stale generation"
        match command:
            case m.Release():
                assert not reply.released
                reply.released = True
            case m.Discard():
                if not reply.released:
                    self.books.acted.discard(reply.turn)
                self.end_reply("discard")
            case m.Pause():
                assert reply.released and not reply.paused
                reply.paused = True
            case m.Resume(_, played):
                assert reply.paused
                assert played == reply.acknowledged, "it goes on at the very sample"
                reply.paused = False
            case m.Cut(_, played, reason, recorded):
                assert reply.released
                assert played == reply.acknowledged, "history is what was acknowledged as played"
                self.books.cut(reply, reason, recorded)
                self.end_reply("cut")
            case m.Complete(_, played):
                assert reply.released and reply.total is not None
                assert played == reply.acknowledged == reply.total
                self.end_reply("complete")

    def end_reply(self, how: str) -> None:
        self.reply = None
        self.ended[how] = self.ended.get(how, 0) + 1

    def notified(
        self, event: SpeechStarted | SpeechStopped | TurnDiscarded | TurnContinued | TranscriptUpdated | SessionFailed
    ) -> None:
        turn = event.stamp.turn
        if isinstance(event, SpeechStarted):
            assert turn not in self.turns_open
            assert len(self.turns_open) == 0, "the ear has one turn at a time"
            self.turns_open.add(turn)
            self.books.spoken.add(turn)
        elif isinstance(event, TurnContinued):
            assert turn in self.turns_open
            self.books.go_on(turn, event.continues)
            self.ended["continued"] = self.ended.get("continued", 0) + 1
        elif isinstance(event, TurnDiscarded):
            self.turns_open.discard(turn)
        elif isinstance(event, SpeechStopped | SessionFailed) or not event.final:
            assert turn in self.turns_open, "nothing is said of a turn that is over"

    # --- random lives -------------------------------------------------------------------------------------------------

    def random_event(self, rng: random.Random) -> m.Event:
        self.now += rng.choice((0, 100, 512, 512, 1600, 5000, 16000))
        kind = rng.randrange(24)
        now = self.now
        generation = self.reply.generation if self.reply and rng.random() < 0.9 else rng.randrange(self.last_generation + 2)
        if kind < 3:
            return m.VoiceBegan(now, now - rng.choice((0, 512)))
        if kind < 7:
            return m.VoiceWent(now, rng.choice((512, 1600, 4000, 9000, 20000)))
        if kind < 9:
            return m.VoiceEnded(now, now - 1536, rng.choice((512, 1600, 4000, 9000)))
        if kind < 13:
            return self.random_reading(rng)
        if kind == 13:
            turn, revision = self.scores[-1] if self.scores else (1, 1)
            return m.Scored(now, turn, revision, rng.choice((None, 0.01, 0.5, 0.99)))
        if kind < 16:
            return self.random_reply_news(rng, generation)
        if kind < 19:
            return m.Played(now, generation, rng.choice((0, 480, 4800, 48000, 10**7)))
        if kind < 22 and self.timers:
            return self.pop_timer(rng.choice(list(self.timers)))
        return self.random_request(rng)

    def random_reading(self, rng: random.Random) -> m.Event:
        waiting = [n for n, s in self.segments.items() if s in ("open", "finished")]
        segment = rng.choice(waiting) if waiting and rng.random() < 0.95 else rng.randrange(1, len(self.segments) + 2)
        text = rng.choice(TEXTS)
        words, stop, echo = len(text.split()) // 2, text == "stop", rng.choice((0.0, 0.0, 0.9))
        if rng.random() < 0.5 or self.segments.get(segment) == "open":
            return m.Heard(self.now, segment, text, words, stop, echo, text == "um")
        if self.segments.get(segment) == "finished":
            self.segments[segment] = "read"
        return m.Read(self.now, segment, text, words, stop, echo, hesitation=text == "um")

    def random_reply_news(self, rng: random.Random, generation: int) -> m.Event:
        now = self.now
        return rng.choice(
            (
                m.ReplyBegan(now, generation),
                m.ReplySounded(now, generation),
                m.ReplyActed(now, generation),
                m.ReplyFinished(now, generation, rng.choice((0, 4800, 48000))),
                m.ReplyFinished(now, generation, 24000),
                m.ReplyFailed(now, generation),
            )
        )

    def random_request(self, rng: random.Random) -> m.Event:
        now = self.now
        return rng.choice(
            (
                m.CommitAsked(now),
                m.InterruptAsked(now),
                m.Typed(now, "typed words"),
                m.Announced(now, "the timer is done"),
                m.Changed(now, mode=rng.choice(("auto", "auto", "push_to_talk", "manual"))),
                m.Changed(now, speculate=rng.random() < 0.7),
                m.ResetAsked(now),
            )
        )

    def pop_timer(self, name: str) -> m.TimerFired:
        number, due = self.timers.pop(name)
        self.now = max(self.now, due)
        return m.TimerFired(self.now, name, number)  # type: ignore[arg-type]

    def wind_down(self, limit: int = 200) -> None:
        """Nobody says anything any more: timers alone must bring everything to an end."""
        for _ in range(limit):
            if self.machine.idle:
                return
            assert self.timers, "a state without a way out"
            self.tell(self.pop_timer(min(self.timers, key=lambda name: self.timers[name][1])))
        raise AssertionError("it never ends")
