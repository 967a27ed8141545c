"""The input audio buffer: from what a session hears to items of the user. Sans I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.events import SpeechStarted, SpeechStopped
from vivavoce.transports.realtime.items import Item, Items, user_audio
from vivavoce.transports.realtime.usage import of_transcript
from vivavoce.transports.realtime.wire import Json, Teller


@dataclass(slots=True)
class Heard:
    """A turn of the user as the protocol knows it. ``turn`` is 0 for one that only a commit made."""

    item: Item
    turn: int = 0
    start: int = 0
    end: int | None = None
    told: bool = False
    committed: bool = False
    sent: str = ""
    """What was told of its transcript so far."""

    @property
    def seconds(self) -> float:
        """From its first speech to its last."""
        return HEARING.seconds(max(0, (self.start if self.end is None else self.end) - self.start))


class Hearing:
    """At most one turn at a time. ``silent`` keeps speech events to itself: there is no turn detection.

    A session begins turns before it is sure of them and takes them back; the client hears of a turn's end only with the
    decision. Speech over a response is told when it has turned out to be an interruption.
    """

    def __init__(self, teller: Teller, items: Items) -> None:
        self._teller = teller
        self._items = items
        self._now: Heard | None = None
        self._held = False
        self._replaced = ""
        self._last_text = ""
        self._pieces: list[str] = []
        self._earlier = 0.0
        self._unanswered = 0.0
        self.silent = False
        self.transcribes = False
        self.model = ""
        """The model the client named for transcripts; it decides what they are said to have cost."""
        self.failure: Json | None = None
        """What went wrong in this turn, if something did."""

    @property
    def awaited(self) -> bool:
        """Whether a commit waits for its transcript."""
        return self._now is not None and self._now.committed

    @property
    def quiet(self) -> bool:
        """Whether nothing is being heard, and nothing awaited."""
        return self._now is None

    def take_seconds(self) -> float:
        """Seconds of the user that no response has answered yet."""
        seconds, self._unanswered = self._unanswered, 0.0
        return seconds

    # --- speech -------------------------------------------------------------------------------------------------------

    def started(self, event: SpeechStarted, *, held: bool) -> None:
        """Voice. ``held``: it may still turn out to be no interruption."""
        if self.awaited:
            return
        wire = user_audio(self._teller.fresh("item"))
        self._now = Heard(Item(wire, event.stamp.turn, "user"), event.stamp.turn, event.at)
        self.failure = None
        self._held = held
        if not held:
            self.let_go()

    def let_go(self) -> None:
        """Tell of speech that was held back."""
        heard = self._now
        self._held = False
        if heard is None or heard.told or heard.committed or self.silent:
            return
        heard.told = True
        start = milliseconds(heard.start)
        self._teller.tell("input_audio_buffer.speech_started", audio_start_ms=start, item_id=heard.item.id)

    def stopped(self, event: SpeechStopped) -> None:
        """A plausible end."""
        if self._now is not None and self._now.turn == event.stamp.turn:
            self._now.end = event.at

    def replaced(self) -> None:
        """The last turn was judged over too soon: the next transcript begins with its text again."""
        self._replaced = self._last_text

    def discarded(self, now: int) -> None:
        """It was no turn."""
        heard, held = self._now, self._held
        if heard is None:
            return
        if self.failure is not None and heard.told and not heard.committed:
            self._commit(heard, now)  # it was one, and nobody could read it
        if heard.committed:
            self._finish(heard, "")
            return
        self._now, self._held = None, False
        if heard.told and not held:
            self._tell_stopped(heard, now)
        if heard.sent:
            error = {"type": "server_error", "code": "turn_discarded", "message": "it was no turn after all", "param": None}
            self._tell_of(heard, "failed", error=error)

    # --- the end of a turn --------------------------------------------------------------------------------------------

    def commit(self, now: int, since: int) -> None:
        """The client says that the turn is over; without speech events it began at sample ``since``."""
        heard = self._now
        if heard is None:
            heard = self._now = Heard(Item(user_audio(self._teller.fresh("item"))), start=since)
        if not heard.committed:
            self._commit(heard, now)

    def read(self, turn: int, text: str, now: int) -> None:
        """The transcript is final. Without turn detection only a commit ends an item; what was read before it is kept."""
        heard = self._now
        if self.silent and (heard is None or not heard.committed):
            self._pieces.append(text)
            self._earlier += 0.0 if heard is None else heard.seconds
            self._now = None
            return
        if heard is None:
            heard = self._now = Heard(Item(user_audio(self._teller.fresh("item"))), turn, now)
        heard.item.key = turn
        if not heard.committed:
            self.let_go()
            self._commit(heard, now)
        self._finish(heard, text)

    def partial(self, turn: int, stable: str) -> None:
        """So much of the transcript will not change: tell what of it is new, once the client knows of the turn."""
        heard = self._now
        if heard is None or not self.transcribes or self._held or not (heard.told or heard.committed):
            return
        if heard.turn in (0, turn):
            self._tell_more(heard, self._shown(stable))

    def timed_out(self, since: int, now: int) -> None:
        """Nothing was said for as long as the client wished to wait: an item without a word."""
        heard = Heard(Item(user_audio(self._teller.fresh("item"))), start=since)
        self._teller.tell(
            "input_audio_buffer.timeout_triggered",
            audio_start_ms=milliseconds(since),
            audio_end_ms=milliseconds(now),
            item_id=heard.item.id,
        )
        heard.start = now
        self._commit(heard, now)
        self._finish(heard, "")

    def clear(self) -> None:
        """Nothing of what was heard counts."""
        self._pieces.clear()
        self._earlier = 0.0

    def _commit(self, heard: Heard, now: int) -> None:
        heard.committed = True
        if heard.end is None:
            heard.end = now
        if heard.told:
            self._tell_stopped(heard, now)
        before = self._items.add(heard.item)
        self._teller.tell("input_audio_buffer.committed", previous_item_id=before, item_id=heard.item.id)
        for stage in ("added", "done"):
            self._teller.tell(f"conversation.item.{stage}", previous_item_id=before, item=dict(heard.item.wire))

    def _finish(self, heard: Heard, text: str) -> None:
        self._now, self._held = None, False
        text = " ".join([*self._pieces, text]).strip()
        shown = text.removeprefix(self._replaced).strip() or text
        seconds = self._earlier + heard.seconds
        self._unanswered += seconds
        self.clear()
        self._last_text, self._replaced = text, ""
        heard.item.wire = user_audio(heard.item.id, transcript=shown)
        if not self.transcribes:
            return
        if not shown and self.failure is not None:
            self._tell_of(heard, "failed", error=self.failure)
            return
        self._tell_more(heard, shown)
        self._tell_of(heard, "completed", transcript=shown, usage=of_transcript(seconds, shown, self.model))

    def _shown(self, stable: str) -> str:
        """What is certain of the transcript as the client will see it."""
        text = " ".join([*self._pieces, stable]).strip()
        if not self._replaced:
            return text
        return text.removeprefix(self._replaced).strip() if text.startswith(self._replaced) else ""

    def _tell_more(self, heard: Heard, shown: str) -> None:
        """Only ever what is behind that which was told; whoever took something back is corrected by the end alone."""
        if len(shown) > len(heard.sent) and shown.startswith(heard.sent):
            delta, heard.sent = shown[len(heard.sent) :], shown
            self._tell_of(heard, "delta", delta=delta)

    def _tell_of(self, heard: Heard, stage: str, **fields: Any) -> None:
        kind = f"conversation.item.input_audio_transcription.{stage}"
        self._teller.tell(kind, item_id=heard.item.id, content_index=0, **fields)

    def _tell_stopped(self, heard: Heard, now: int) -> None:
        end = milliseconds(max(heard.start, now if heard.end is None else heard.end))
        self._teller.tell("input_audio_buffer.speech_stopped", audio_end_ms=end, item_id=heard.item.id)


def milliseconds(samples: int) -> int:
    """Session time as this protocol counts it."""
    return samples * 1000 // HEARING.rate
