"""The last finished turns: what happened in them, step by step, and what both sides sounded like where that is recorded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.events import Waterfall
from vivavoce.contracts.ports import Clock
from vivavoce.observe.options import TurnOptions

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, ``at`` seconds after the turn began. ``kind`` is a stable word, ``text`` for people."""

    at: float
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """One voice of a turn: PCM s16le mono."""

    pcm: bytes
    format: AudioFormat


@dataclass(frozen=True, slots=True)
class FinishedTurn:
    """A turn that is over. ``began`` and ``ended`` are seconds since the epoch.

    ``speech_end`` is where the user's last word ends in ``user``, in seconds.
    """

    id: str
    session: str
    transport: str
    turn: int
    began: float
    ended: float
    said: str
    reply: str
    heard: str
    interrupted: str
    tools: tuple[str, ...]
    steps: tuple[Step, ...]
    waterfall: Waterfall
    user: Recording | None = None
    spoken: Recording | None = None
    speech_end: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of its recordings."""
        return sum(len(recording.pcm) for recording in (self.user, self.spoken) if recording is not None)


class TurnStore:
    """The last finished turns, bounded by number, age and bytes of sound. Used on the loop only."""

    def __init__(self, options: TurnOptions, clock: Clock) -> None:
        self.options = options
        self._clock = clock
        self._turns: OrderedDict[str, FinishedTurn] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def sound_bytes(self) -> int:
        """Bytes of all recordings."""
        return self._bytes

    def add(self, turn: FinishedTurn) -> None:
        """Keep a turn; the oldest give way."""
        self.drop(turn.id)
        self._turns[turn.id] = turn
        self._bytes += turn.size
        while len(self._turns) > self.options.keep:
            self.drop(next(iter(self._turns)))
        self._shed_sound()

    def drop(self, id: str) -> None:
        """Forget a turn. Idempotent."""
        gone = self._turns.pop(id, None)
        if gone is not None:
            self._bytes -= gone.size

    def clear(self) -> int:
        """Forget all; returns how many there were."""
        count = len(self._turns)
        self._turns.clear()
        self._bytes = 0
        return count

    def latest(self, limit: int, session: str = "") -> list[FinishedTurn]:
        """The newest first."""
        self._forget_old()
        found = (turn for turn in reversed(self._turns.values()) if session in ("", turn.session))
        return [turn for turn, _ in zip(found, range(limit), strict=False)]

    def find(self, id: str) -> FinishedTurn | None:
        """One turn."""
        self._forget_old()
        return self._turns.get(id)

    def _forget_old(self) -> None:
        oldest = self._clock.wall() - self.options.max_age
        while self._turns and next(iter(self._turns.values())).ended < oldest:
            self.drop(next(iter(self._turns)))

    def _shed_sound(self) -> None:
        """Turns outlive their sound."""
        most = self.options.audio_mb * MEGABYTE
        if self._bytes <= most:
            return
        for id, turn in list(self._turns.items()):
            if self._bytes <= most:
                return
            self._bytes -= turn.size
            self._turns[id] = replace(turn, user=None, spoken=None)
