"""A reply between the session and the encoder: whole frames, exact pauses, and what has reached the ear. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import Overloaded

CAPACITY = 130.0
"""Seconds of audio that may wait: a whole reply, where there is no network to take it. Sessions send 0.6 s ahead."""
LATE = 0.2
"""Seconds the pace may lag behind before it starts anew instead of catching up."""


@dataclass(slots=True)
class _Piece:
    generation: int
    offset: int
    pcm: memoryview


@dataclass(frozen=True, slots=True)
class Played:
    """The ear has heard the first ``samples`` samples of ``generation``."""

    generation: int
    samples: int


class Playout:
    """Gives frames of ``frame`` samples, silence where there is nothing to say.

    What a frame took is heard ``delay`` frames later: ``played`` follows through a line of that length, which silence
    moves on, too. Whatever is paused stays where it is, to the sample.
    """

    def __init__(self, rate: int, frame: int, delay: float) -> None:
        self._frame = frame * SAMPLE_WIDTH
        self._capacity = round(CAPACITY * rate) * SAMPLE_WIDTH
        self._pieces: deque[_Piece] = deque()
        self._waiting = 0
        self._paused = 0
        self._cleared = 0
        self._mark = Played(0, 0)
        self._line: deque[Played] = deque([self._mark] * round(delay * rate / frame))
        self.played = self._mark

    @property
    def settled(self) -> bool:
        """Whether all there was has been heard."""
        return not self._pieces and self.played == self._mark

    @property
    def waiting(self) -> int:
        """Bytes not yet handed out."""
        return self._waiting

    def put(self, generation: int, offset: int, pcm: bytes) -> None:
        """Append a piece; one of a cleared generation is dropped. Raises Overloaded."""
        if generation <= self._cleared or not pcm:
            return
        if self._waiting + len(pcm) > self._capacity:
            raise Overloaded(f"more than {CAPACITY:g} s of a reply wait to be played; send at the pace of `played`")
        self._pieces.append(_Piece(generation, offset, memoryview(pcm)))
        self._waiting += len(pcm)

    def pause(self, generation: int) -> None:
        """Hand out nothing (more) of ``generation``."""
        self._paused = generation

    def resume(self, generation: int) -> None:
        """Go on at the very next sample."""
        if generation == self._paused:
            self._paused = 0

    def clear(self, generation: int) -> None:
        """``generation`` and older ones are over: drop what is left of them, now and later."""
        self._cleared = max(self._cleared, generation)
        self._pieces = deque(piece for piece in self._pieces if piece.generation > generation)
        self._waiting = sum(len(piece.pcm) for piece in self._pieces)
        if self._paused <= generation:
            self._paused = 0

    def take(self) -> bytes:
        """The next frame."""
        taken: list[memoryview] = []
        room = self._frame
        while room and self._pieces and self._pieces[0].generation != self._paused:
            piece = self._pieces[0]
            part = piece.pcm[:room]
            taken.append(part)
            room -= len(part)
            piece.offset += len(part) // SAMPLE_WIDTH
            self._mark = Played(piece.generation, piece.offset)
            piece.pcm = piece.pcm[len(part) :]
            if not piece.pcm:
                self._pieces.popleft()
        self._waiting -= self._frame - room
        self._line.append(self._mark)
        self.played = self._line.popleft()
        return b"".join(taken) + bytes(room)


class Pace:
    """When the next frame is due. Times are seconds of the caller's clock."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until the next frame; a pace that fell far behind starts anew."""
        due = now if self._due is None else self._due + self._seconds
        if now - due > LATE:
            due = now
        self._due = due
        return max(0.0, due - now)
