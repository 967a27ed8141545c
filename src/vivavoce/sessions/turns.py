"""The turn machine: who speaks, when a turn is over, and what becomes of a reply that is spoken over.

Sans-I/O: events in, commands out; no clock, no tasks, no awaits. The same events give the same commands. Its state is what
the ear is at and what the mouth is at; this is where the two meet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.announcements import Announcements
from vivavoce.sessions.answers import Answers
from vivavoce.sessions.barge_in import Interrupts
from vivavoce.sessions.ear import DiscardReason, Ear
from vivavoce.sessions.interruption import Interruption
from vivavoce.sessions.mouth import REPLY_EVENTS, CutReason, Mouth
from vivavoce.sessions.options import ConversationOptions, Mode
from vivavoce.sessions.orders import Orders
from vivavoce.sessions.user_turn import Phase, UserTurn

MAX_SEGMENTS = 64
"""Stretches of speech in one turn; then it is committed."""


class TurnMachine:
    """``handle`` one event, execute the commands it returns.

    ``speculate`` allows preparing replies before the decision; ``scoring`` says that a turn detector answers ``ScoreTurn``;
    ``rate`` is the sink's, in samples a second.
    """

    def __init__(
        self, options: ConversationOptions, *, scoring: bool = False, speculate: bool = True, rate: int = 24_000
    ) -> None:
        self._options = options
        self._orders = Orders()
        self.mouth = Mouth(self._orders, options.watchdogs, rate)
        self.ear = Ear(self._orders, options, scoring=scoring)
        self._interruption = Interruption(self._orders, self.mouth, self.ear.grading, options.barge_in)
        self._announcements = Announcements(self._orders, options.watchdogs)
        self._now = 0
        self._answers = Answers(self._orders, self.mouth, options, speculation=speculate)
        self.mode: Mode = options.mode
        self._handlers: dict[type, Callable[[Any], None]] = {
            m.VoiceBegan: self._voice_began,
            m.VoiceWent: self._voice_went,
            m.VoiceEnded: self._voice_ended,
            m.Heard: self._heard,
            m.Read: self._heard,
            m.Scored: self._scored,
            **dict.fromkeys(REPLY_EVENTS, lambda e: self.mouth.handle(e, self._now)),
            m.TimerFired: self._timer_fired,
            m.CommitAsked: lambda e: self._commit(),
            m.InterruptAsked: lambda e: self._interrupted(),
            m.Typed: self._typed,
            m.Announced: lambda e: self._announcements.add(e.text),
            m.Changed: self._changed,
            m.ResetAsked: lambda e: self._reset(),
            m.ClearAsked: lambda e: self._answers.clear(self.ear, self._now),
            m.ReplyAsked: lambda e: self._answers.ask(self.ear.number_turn(), e.request, self._now),
        }
        self._timers: dict[m.Timer, Callable[[UserTurn], None]] = {
            "endpoint": self._endpoint_due,
            "finish": lambda turn: self.ear.finish_reading(turn, self._now),
            "decide": self._judge,
            "transcript": self._transcript_due,
            "max_turn": lambda turn: self._commit(),
        }

    @property
    def idle(self) -> bool:
        """Nobody speaks and nothing is awaited."""
        return self.ear.turn is None and self.mouth.reply is None

    def handle(self, event: m.Event) -> list[m.Command]:
        """Take one event. Time never runs backwards: an event from the past happens now."""
        self._now = max(self._now, event.at)
        self._handlers[type(event)](event)
        self._settle()
        return self._orders.take()

    # --- voice and words ----------------------------------------------------------------------------------------------

    def _voice_began(self, event: m.VoiceBegan) -> None:
        turn = self.ear.turn
        if turn is not None and turn.phase is not Phase.PAUSING:
            return
        released = self.mouth.released is not None
        if turn is None:
            if released and self._options.barge_in.deaf and self.mode == "auto":
                return
            turn = self.ear.open(event.start, over_reply=released and not self._options.barge_in.beside)
        self.ear.begin_burst(turn, event.start)
        if turn.over_reply:
            self._interruption.begin(turn, event.start)
        if self.mode == "push_to_talk":
            self._cut("command")
            self._confirm(turn)

    def _voice_went(self, event: m.VoiceWent) -> None:
        if self.ear.turn is None:
            self._voice_began(m.VoiceBegan(event.at, event.at - event.voiced))
        turn = self.ear.turn
        if turn is None or turn.phase is not Phase.SPEAKING:
            return
        if self.ear.voiced(turn, event.voiced):
            self._confirm(turn)
        if turn.over_reply:
            self._judge(turn)

    def _confirm(self, turn: UserTurn) -> None:
        """It is speech: whatever was prepared for an earlier pause answers too little."""
        if not turn.burst_confirmed:
            self.ear.confirm(turn)
        self._answers.withdraw(turn)

    def _voice_ended(self, event: m.VoiceEnded) -> None:
        turn = self.ear.turn
        if turn is None or turn.phase is not Phase.SPEAKING:
            return
        if self.ear.voiced(turn, event.voiced):
            self._confirm(turn)
        if turn.burst_confirmed:
            self.ear.end_burst(turn, event.end)
        else:
            self.ear.drop_burst(turn)
        if len(turn.segments) >= MAX_SEGMENTS:
            self._commit()
        elif turn.over_reply:
            self.ear.finish_reading(turn, self._now)
            self._judge(turn)
        else:
            self._paused(turn)

    def _paused(self, turn: UserTurn) -> None:
        """A plausible end, or noise behind one: ask everybody at once."""
        if not turn.confirmed:
            self._discard("noise")
            return
        if self.mode == "auto":
            self.ear.ask_score(turn)
        self._words_changed(turn)

    def _heard(self, event: m.Heard | m.Read) -> None:
        turn = self.ear.turn
        if turn is not None and self.ear.hear(turn, event):
            self._words_changed(turn)

    def _words_changed(self, turn: UserTurn) -> None:
        if turn.over_reply:
            self._judge(turn)
        elif turn.phase is Phase.COMMITTED:
            self._end_turn_if_read(turn)
        elif turn.phase is Phase.PAUSING:
            if self.ear.grading.sounds_finished(turn):
                self.ear.finish_reading(turn, self._now)
            if self.ear.grading.worth_preparing(turn):
                self._answers.prepare(turn)
            self._grade(turn)

    def _scored(self, event: m.Scored) -> None:
        turn = self.ear.turn
        if turn is not None and (turn.number, turn.revision) == (event.turn, event.revision):
            turn.score, turn.scored = event.probability, True
            self._grade(turn)

    # --- the end of a turn --------------------------------------------------------------------------------------------

    def _grade(self, turn: UserTurn) -> None:
        pausing = turn.phase is Phase.PAUSING and not turn.over_reply
        if pausing and self.mode == "auto" and self.ear.wait_is_over(turn, self._now):
            self.ear.finish_reading(turn, self._now)
            self._end_turn_if_read(turn)

    def _end_turn_if_read(self, turn: UserTurn) -> None:
        if not turn.unread and turn.text:
            self._interruption.answering(turn)
            self.ear.close()
            self._answers.answer(turn, self._now)
        elif not turn.unread:
            self._discard("empty")

    def _commit(self) -> None:
        turn = self.ear.turn
        if turn is None:
            self._discard("empty")
            return
        if turn.over_reply:
            self._interruption.cut(turn, "command", self._now)
        if turn.phase is Phase.SPEAKING:
            self.ear.end_burst(turn, self._now)
        self.ear.finish_reading(turn, self._now)
        turn.phase = Phase.COMMITTED
        turn.wait = 0.0
        self._orders.stop_timer("endpoint")
        self._end_turn_if_read(turn)

    def _discard(self, reason: DiscardReason) -> None:
        self.mouth.discard()
        self.ear.discard(reason)

    # --- speech over a reply ------------------------------------------------------------------------------------------

    def _judge(self, turn: UserTurn) -> None:
        verdict = self._interruption.judge(turn, self._now) if turn.over_reply else None
        if isinstance(verdict, Interrupts):
            self._cut(verdict.reason)
        elif verdict is not None and turn.phase is not Phase.SPEAKING and not turn.unread:
            self._discard(verdict.reason)  # what is not read yet may still turn out to be meant

    def _cut(self, reason: CutReason) -> None:
        turn = self.ear.turn
        if turn is not None and turn.over_reply:
            self._interruption.cut(turn, reason, self._now)
            if turn.phase is Phase.PAUSING:
                self._paused(turn)

    def _interrupted(self) -> None:
        (self._cut if self.ear.turn is not None and self.ear.turn.over_reply else self.mouth.cut)("command")

    def _timer_fired(self, event: m.TimerFired) -> None:
        if not self._orders.fired(event.name, event.number):
            return
        if event.name == "reply":
            self.mouth.overdue(self._now)
        elif event.name == "stalled":
            self.mouth.stalled(self._now)
        elif event.name == "idle":
            self._announcements.prompt()
        elif self.ear.turn is not None:
            self._timers[event.name](self.ear.turn)

    def _endpoint_due(self, turn: UserTurn) -> None:
        turn.scored = True  # the turn detector is waited for no longer
        self._grade(turn)

    def _transcript_due(self, turn: UserTurn) -> None:
        self.ear.give_up_reading(turn)
        self._words_changed(turn)

    def _typed(self, event: m.Typed) -> None:
        self._discard("reset")
        self.mouth.cut("replaced")
        self._answers.answer_typed(self.ear.number_turn(), event.text, self._now)

    def _changed(self, event: m.Changed) -> None:
        self.ear.changed(event)
        self._answers.changed(event)
        self._options = event.options or self._options
        self.mode = event.mode or self.mode
        turn = self.ear.turn
        if self.mode != "auto":
            self._orders.stop_timer("endpoint")
        elif turn is not None:
            self._grade(turn)

    def _reset(self) -> None:
        self._announcements.clear()
        self._discard("reset")
        self.mouth.cut("reset", recorded=False)
        self._interruption.answered = None

    def _settle(self) -> None:
        """What follows from where things stand: a reply that ended by itself, announcements, idleness."""
        turn = self.ear.turn
        if turn is not None and turn.over_reply and self.mouth.released is None:
            turn.over_reply = False
            self._orders.stop_timer("decide")
            if turn.phase is Phase.PAUSING:
                self._paused(turn)
        announcement = self._announcements.next(self.idle)
        if announcement is not None:
            self._answers.announce(self.ear.number_turn(), announcement, self._now)
        self._announcements.watch(self.idle, self._now)
