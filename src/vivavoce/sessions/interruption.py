"""Speech over a reply, as it happens: stand still, listen, then cut or go on."""

from __future__ import annotations

from vivavoce.contracts.audio import HEARING
from vivavoce.sessions.barge_in import Harmless, Interrupts, judge
from vivavoce.sessions.grading import Grading
from vivavoce.sessions.mouth import CutReason, Mouth
from vivavoce.sessions.options import BargeInOptions
from vivavoce.sessions.orders import Orders
from vivavoce.sessions.user_turn import UserTurn

REOPEN_WITHIN = 2.0
"""Seconds after a decision in which an unheard reply gives way to more of the same turn."""


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
        verdict = judge(turn.overheard(late=late, overdue=overdue), self._options)
        if verdict is None and late:
            self._orders.set_timer("decide", now, self._options.decide_after)
        if isinstance(verdict, Harmless):
            self._mouth.resume(now, verdict.reason)  # while the voice goes on, more words may still cut
        return verdict

    def cut(self, turn: UserTurn, reason: CutReason, now: int) -> None:
        """The speech was meant: the reply ends, and the turn goes on as any other.

        If nothing of the reply was heard yet and nothing was done, the decision itself was too early: then the turn before
        goes on in this one.
        """
        reply, earlier = self._mouth.released, self.answered
        if reply is None:
            return
        turn.over_reply = False
        turn.confirmed = True
        self._orders.stop_timer("decide")
        recent = now - reply.released_at <= HEARING.samples(REOPEN_WITHIN)
        unheard = reply.played == 0 and not reply.acted and recent
        if reason == "speech" and unheard and earlier is not None and earlier.number == reply.stamp.turn:
            turn.continue_from(earlier)
            self._grading.learn_cut_off(HEARING.seconds(turn.started - earlier.speech_end))
            self._mouth.cut("replaced", recorded=False)
        else:
            self._mouth.cut(reason)
