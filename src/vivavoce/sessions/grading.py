"""What is known of a turn at a pause, weighed: how long to wait, and whether its words are worth acting on already."""

from __future__ import annotations

from vivavoce.sessions.endpointing import (
    REOPENED_WAIT,
    SHORTEST_PAUSE,
    SURENESS,
    Evidence,
    PauseLearner,
    patience,
    telling,
    wait,
)
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.user_turn import UserTurn
from vivavoce.text.completeness import completeness, counting

WORTH_PREPARING = 0.5
"""Completeness of a partial reading from which on it is likely enough to be the final one."""
FINISHED = 0.85
"""Completeness of a partial reading from which on the segment is not kept open for more."""


class Grading:
    """Knows the speaker's pauses and the language; ``scoring`` says that a turn detector will be heard."""

    def __init__(self, options: ConversationOptions, *, scoring: bool) -> None:
        self.options = options
        self._scoring = scoring
        self._pauses = PauseLearner(options.endpointing.learn_pauses)
        self.language = options.language

    def learn_pause(self, turn: UserTurn, seconds: float) -> None:
        """A pause turned out to be none."""
        if seconds >= SHORTEST_PAUSE:
            turn.pauses.append(seconds)
        self._pauses.learn(seconds)

    def learn_cut_off(self, seconds: float) -> None:
        """A turn was judged over too soon: the speaker went on after so long."""
        self._pauses.learn_cut_off(seconds)

    def learn_end(self) -> None:
        """A turn was over when it was judged to be."""
        self._pauses.learn_end()

    def wait(self, turn: UserTurn) -> float:
        """Seconds to wait behind the last speech sample, as far as is known now."""
        options = self.options.endpointing
        text, hint = turn.text, self.options.hint
        if hint == "none" and counting(text, self.language):
            hint = "digits"
        words = SURENESS if turn.command else completeness(text, self.language) if text else None
        usual, caution, long = self._usual_pause(turn), self._pauses.caution, 0.0
        if options.learn_pauses:
            caution = max(caution, REOPENED_WAIT if turn.reopened else 0.0)
            long = 0.0 if turn.command else telling(turn.voiced, len(turn.pauses))
        seconds = wait(Evidence(turn.score, words, turn.voiced, usual, hint, caution, long), options)
        if self._scoring and not turn.scored and options.fixed_silence is None:
            return max(seconds, patience(words))
        return seconds

    def _usual_pause(self, turn: UserTurn) -> float | None:
        """The longest pause that is to be expected of this speaker in this turn."""
        if not self.options.endpointing.learn_pauses:
            return None
        known = [pause for pause in (self._pauses.usual, *turn.pauses) if pause is not None]
        return max(known, default=None)

    def worth_preparing(self, turn: UserTurn) -> bool:
        """Whether a reply to the words so far, final or not, may be prepared."""
        return not turn.unread or completeness(turn.text, self.language) >= WORTH_PREPARING

    def sounds_finished(self, turn: UserTurn) -> bool:
        """Whether the words so far are so likely all that their final reading is wanted at once."""
        return turn.current is not None and completeness(turn.text, self.language) >= FINISHED
