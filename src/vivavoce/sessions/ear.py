"""What the ear is at: at most one turn of the user, its bursts and its segments."""

from __future__ import annotations

from typing import Literal

from vivavoce.contracts.audio import HEARING, Stamp
from vivavoce.contracts.events import SessionFailed, SpeechStarted, SpeechStopped, TranscriptUpdated, TurnDiscarded
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.grading import Grading
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.orders import Orders
from vivavoce.sessions.user_turn import Phase, UserTurn

LATE = "transcription_late"
"""Code of the error that tells of a transcript nobody waits for any more."""
FINISH_AFTER = 0.165
"""Seconds of silence after which a transcription is finished although the turn may go on."""

DiscardReason = Literal["noise", "backchannel", "echo", "empty", "reset"]


class Ear:
    """Opens, continues, grades and closes turns; gives the orders for their transcription."""

    def __init__(self, orders: Orders, options: ConversationOptions, *, scoring: bool) -> None:
        self._orders = orders
        self._options = options
        self._scoring = scoring
        self._turns = 0
        self._segments = 0
        self._heard_until = 0
        self.turn: UserTurn | None = None
        self.grading = Grading(options, scoring=scoring)
        self.finish_after = FINISH_AFTER

    def changed(self, event: m.Changed) -> None:
        """Settings from now on."""
        self.grading.language = event.language or self.grading.language
        self.grading.options = event.options or self.grading.options
        self.finish_after = self.finish_after if event.finish_after is None else event.finish_after

    def number_turn(self) -> int:
        """The number of a new turn, spoken or not."""
        self._turns += 1
        return self._turns

    def open(self, start: int, *, over_reply: bool) -> UserTurn:
        """A new turn."""
        turn = self.turn = UserTurn(self.number_turn(), start, over_reply, speech_end=start)
        self._orders.give(m.Notify(SpeechStarted(turn.stamp, start)))
        self._orders.set_timer("max_turn", start, self._options.watchdogs.max_turn)
        return turn

    def begin_burst(self, turn: UserTurn, start: int) -> None:
        """Voice. The segment for it begins a little before, but never in speech that another segment has had."""
        start = max(start, self._heard_until)
        self._orders.stop_timer("endpoint")
        self._orders.stop_timer("finish")
        if turn.begin_burst(start):
            self._segments += 1
            turn.open_segment(self._segments)
            lead = HEARING.samples(self._options.activity.prefix)
            self._orders.give(m.OpenSegment(self._segments, max(0, start - lead, self._heard_until)))

    def voiced(self, turn: UserTurn, voiced: int) -> bool:
        """So many voiced samples in this burst; tell whether that has just made it speech."""
        turn.burst_voiced = max(turn.burst_voiced, voiced)
        if turn.burst_confirmed or HEARING.seconds(voiced) < self._options.activity.min_speech:
            return False
        self.confirm(turn)
        return True

    def confirm(self, turn: UserTurn) -> None:
        """This burst is speech; a pause before it was no end."""
        turn.burst_confirmed = True
        if turn.confirmed:
            self.grading.learn_pause(turn, HEARING.seconds(turn.burst_started - turn.speech_end))
        turn.confirmed = True

    def end_burst(self, turn: UserTurn, end: int) -> None:
        """A plausible end. The segment stays open a little: most pauses are none, and words want their neighbours."""
        turn.end_burst(end)
        self._heard_until = max(self._heard_until, end)
        self._orders.set_timer("finish", end, self.finish_after)
        self._orders.give(m.Notify(SpeechStopped(turn.stamp, end)))

    def finish_reading(self, turn: UserTurn, now: int) -> None:
        """Have what was said read for good."""
        segment = turn.finish_segment()
        if segment is not None:
            self._orders.stop_timer("finish")
            self._orders.give(m.FinishSegment(segment))
            self._orders.set_timer("transcript", now, self._options.watchdogs.transcript)

    def drop_burst(self, turn: UserTurn) -> None:
        """The burst was noise."""
        segment = turn.drop_burst()
        if segment is not None:
            self._orders.give(m.CancelSegment(segment))

    def hear(self, turn: UserTurn, event: m.Heard | m.Read) -> bool:
        """Take a reading; tell whether it was news."""
        if not turn.hear(event):
            return False
        if not turn.unread:
            self._orders.stop_timer("transcript")
        self._orders.give(m.Notify(TranscriptUpdated(turn.stamp, turn.text, False, turn.stable)))
        return True

    def give_up_reading(self, turn: UserTurn) -> None:
        """The transcriber did not answer in time: go on with what there is, and say why."""
        late = turn.give_up_reading()
        for segment in late:
            self._orders.give(m.CancelSegment(segment))
        if late:
            seconds = self._options.watchdogs.transcript
            told = f"no transcript came within {seconds:g} s: the recogniser is overloaded; what it had read by then counts"
            self._orders.give(m.Notify(SessionFailed(turn.stamp, LATE, told, True)))

    def ask_score(self, turn: UserTurn) -> None:
        """Have the turn detector judge this pause."""
        if self._scoring and not turn.scored:
            self._orders.give(m.ScoreTurn(turn.number, turn.revision, turn.speech_end))

    def wait_is_over(self, turn: UserTurn, now: int) -> bool:
        """Grade the wait by what is known now; set the timer for its end, or tell that it has passed."""
        turn.wait = self.grading.wait(turn)
        if turn.speech_end + HEARING.samples(turn.wait) > now:
            self._orders.set_timer("endpoint", turn.speech_end, turn.wait)
            return False
        self._orders.stop_timer("endpoint")
        return True

    def discard(self, reason: DiscardReason) -> None:
        """It was no turn; of nothing at all only emptiness is worth telling."""
        turn = self.turn
        if turn is None:
            if reason == "empty":
                self._orders.give(m.Notify(TurnDiscarded(Stamp(self._turns, 0, 0), reason)))
            return
        for number, segment in turn.segments.items():
            if not segment.read:
                self._orders.give(m.CancelSegment(number))
        self._orders.give(m.Notify(TurnDiscarded(turn.stamp, reason)))
        self.close()

    def close(self) -> None:
        """The turn is over, one way or the other."""
        if self.turn is not None and self.turn.phase is Phase.SPEAKING:
            self._heard_until = max(self._heard_until, self.turn.burst_started + self.turn.burst_voiced)
        self.turn = None
        self._orders.stop_timer("endpoint")
        self._orders.stop_timer("finish")
        self._orders.stop_timer("decide")
        self._orders.stop_timer("transcript")
        self._orders.stop_timer("max_turn")
