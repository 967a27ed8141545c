"""From what the user said to a reply: prepared ahead of the decision where that is allowed, released by it."""

from __future__ import annotations

from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import TranscriptUpdated
from vivavoce.sessions import turn_messages as m
from vivavoce.sessions.asked import ReplyRequest
from vivavoce.sessions.ear import Ear
from vivavoce.sessions.mouth import Mouth, Question
from vivavoce.sessions.options import ConversationOptions
from vivavoce.sessions.orders import Orders
from vivavoce.sessions.user_turn import UserTurn
from vivavoce.text.matching import normalised


class Answers:
    """``speculation`` allows preparing; a turn may discard a few prepared replies, then it waits to be over."""

    def __init__(self, orders: Orders, mouth: Mouth, options: ConversationOptions, *, speculation: bool) -> None:
        self._orders = orders
        self._mouth = mouth
        self._max_discarded = options.reply.max_discarded
        self._answering = options.answering
        self.speculation = speculation

    def changed(self, event: m.Changed) -> None:
        """Settings from now on."""
        self.speculation = self.speculation if event.speculate is None else event.speculate
        self._answering = self._answering if event.options is None else event.options.answering

    def prepare(self, turn: UserTurn) -> None:
        """Prepare a reply to what is known of the turn, once per text."""
        text = turn.text
        key = normalised(text)
        held = self._mouth.held
        if not self.speculation or not self._answering or not text or (held is not None and held.key == key):
            return
        if self._mouth.released is not None:
            return  # the mouth is busy with a reply that this turn leaves alone
        self.withdraw(turn)
        if turn.discarded < self._max_discarded:
            self._mouth.prepare(_question(turn, text, key), speculative=True)

    def withdraw(self, turn: UserTurn) -> None:
        """What was prepared answers something else than what was said."""
        if self._mouth.discard():
            turn.discarded += 1

    def answer(self, turn: UserTurn, now: int) -> None:
        """The turn is over: release what was prepared for these very words, else prepare now.

        Where turns are not answered, it is only noted.
        """
        text = turn.text
        key = normalised(text)
        if not self._answering:
            self._mouth.discard()
            self._record(turn.stamp, text, turn.replaces)
            return
        self._mouth.cut("command")  # where speech does not interrupt, a reply may be under way still
        reply = self._mouth.held
        if reply is None or reply.key != key:
            self._mouth.discard()
            reply = self._mouth.prepare(_question(turn, text, key), speculative=False)
        self._record(reply.stamp, text, turn.replaces)
        self._mouth.release(now, turn.speech_end, turn.wait)

    def answer_typed(self, number: int, text: str, now: int) -> None:
        """A typed turn is over as it comes."""
        reply = self._mouth.prepare(Question(number, 1, text, normalised(text)), speculative=False)
        self._record(reply.stamp, text, None)
        self._mouth.release(now, now, 0.0)

    def ask(self, number: int, request: ReplyRequest, now: int) -> None:
        """A client wants a reply."""
        self._mouth.discard()
        self._mouth.cut("command")
        self._mouth.ask(number, request)
        self._mouth.release(now, now, 0.0)

    def clear(self, ear: Ear, now: int) -> None:
        """The turn was never said: a reply it made stand still goes on."""
        self._mouth.resume(now, "noise")
        self._mouth.discard()
        ear.discard("reset")

    def announce(self, number: int, text: str, now: int) -> None:
        """Say these words, answering nothing."""
        self._mouth.speak(number, 1, text)
        self._mouth.release(now, now, 0.0)

    def _record(self, stamp: Stamp, text: str, replaces: int | None) -> None:
        self._orders.give(m.Notify(TranscriptUpdated(stamp, text, True)))
        self._orders.give(m.RecordUser(stamp, text, replaces))


def _question(turn: UserTurn, text: str, key: str) -> Question:
    return Question(turn.number, turn.revision, text, key, turn.replaces)
