"""Speech over a reply, as it happens: stand still, listen, then cut or go on; or take the decision back that began it."""

from __future__ import annotations

from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.events import TranscriptUpdated, TurnContinued
from vivavoce.sessions.barge_in import Harmless, Interrupts, judge
from vivavoce.sessions.grading import Grading
from vivavoce.sessions.mouth import CutReason, Mouth
from vivavoce.sessions.options import BargeInOptions
from vivavoce.sessions.orders import Orders
from vivavoce.sessions.turn_messages import Notify
from vivavoce.sessions.user_turn import Phase, UserTurn

PREMATURE = 2.0
"""Seconds after a decision in which a word over an unheard reply is rather more of the same turn than a backchannel."""
MAX_REOPENED = 6
"""Times one turn may be taken back; then speech over its reply is an interruption like any other."""
TOO_SOON = 1.0
"""Seconds of a reply: speech after less of it tells that the wait was too short, although the reply was heard."""


class Interruption:
    """Remembers which turn the reply answers, so that a turn judged over too soon can go on."""

    def __init__(self, orders: Orders, mouth: Mouth, grading: Grading, options: BargeInOptions) -> None:
        self._orders = orders
        self._mouth = mouth
        self._grading = grading
        self._options = options
        self.answered: UserTurn | None = None

    def answering(self, turn: UserTurn) -> None:
        """``turn`` was judged over, and the one before is by now known to have been."""
        if turn.replaces is None:
            self._grading.learn_end()
        self.answered = turn

    def begin(self, turn: UserTurn, start: int) -> None:
        """Voice over the reply: nothing more is heard of it until this is decided."""
        if self._mouth.pause():
            turn.decide_at = start + HEARING.samples(self._options.decide_after)
            self._orders.set_timer("decide", start, self._options.decide_after)

    def judge(self, turn: UserTurn, now: int) -> Interrupts | Harmless | None:
        """Decide by what is known now; a harmless voice lets the reply go on at once."""
        late = now >= turn.decide_at
        overdue = now >= turn.decide_at + HEARING.samples(self._options.cut_wordless)
        premature = self._reopenable() is not None and self._since_decision(turn.started) <= PREMATURE
        verdict = judge(turn.overheard(late=late, overdue=overdue, premature=premature), self._options)
        if verdict is None and late:
            self._orders.set_timer("decide", now, self._options.decide_after)
        if isinstance(verdict, Harmless):
            self._mouth.resume(now, verdict.reason)  # while the voice goes on, more words may still cut
        return verdict

    def cut(self, turn: UserTurn, reason: CutReason, now: int) -> None:
        """The speech was meant: the reply ends, and the turn goes on as any other, or as part of the one before."""
        if self._mouth.released is None:
            return
        turn.over_reply = False
        turn.confirmed = True
        self._orders.stop_timer("decide")
        earlier = self._reopenable() if reason == "speech" else None
        if earlier is not None:
            self._reopen(turn, earlier)
        else:
            answered = self._answered()
            if answered is not None and reason == "speech" and self._mouth.heard <= TOO_SOON:
                self._learn(turn, answered)
            self._mouth.cut(reason)

    def _reopen(self, turn: UserTurn, earlier: UserTurn) -> None:
        self._learn(turn, earlier)
        self._mouth.cut("replaced", recorded=False)
        turn.continue_from(earlier)
        self._orders.give(Notify(TurnContinued(turn.stamp, earlier.number)))
        self._orders.give(Notify(TranscriptUpdated(turn.stamp, turn.text, False, turn.stable)))

    def _learn(self, turn: UserTurn, earlier: UserTurn) -> None:
        """The wait was too short. Who only comes back much later was not cut off."""
        if self._since_decision(turn.started) <= PREMATURE:
            self._grading.learn_cut_off(HEARING.seconds(turn.started - earlier.speech_end))

    def _answered(self) -> UserTurn | None:
        """The turn the reply answers, where its end was decided here and not by the client."""
        reply, earlier = self._mouth.released, self.answered
        if reply is None or earlier is None or earlier.number != reply.stamp.turn or earlier.phase is Phase.COMMITTED:
            return None
        return earlier

    def _reopenable(self) -> UserTurn | None:
        """The turn whose end can still be taken back: nobody heard more of its reply than a first syllable, no tool did
        anything that stays, and it has not been taken back too often.
        """
        reply, earlier = self._mouth.released, self._answered()
        if not self._options.reopen or reply is None or reply.acted or earlier is None or earlier.reopened >= MAX_REOPENED:
            return None
        return earlier if self._mouth.heard <= self._options.reopen_within else None

    def _since_decision(self, sample: int) -> float:
        reply = self._mouth.released
        return HEARING.seconds(sample - reply.released_at) if reply is not None else 0.0
