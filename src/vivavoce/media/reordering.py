"""Packets in their order: at once where they come in order, and where one is missing after a wait that fits the network.

A jitter buffer for a listener who plays must hold everything back by the worst delay. Ours feeds a recogniser, which may be
given late sound in one go: what comes in order is not held back at all, and only a gap is waited for. The wait is counted in
packets that came since. It grows at once when a packet that was given up arrives after all, and shrinks when for a while
none was that late.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Packet = TypeVar("Packet")

LEAST, MOST = 2, 12
"""Packets waited for behind a gap: 40 ms where nothing overtakes, and at most 240 ms."""
WINDOW = 500
"""Packets (10 s) over which the latest one is remembered; it counts for two windows."""
RESTART = 100
"""A packet so far behind is no latecomer but a sender that began anew."""
_MASK, _HALF = 0xFFFF, 0x8000


class Reordering(Generic[Packet]):
    """``add`` each packet as it comes; it answers with those whose turn it is. Sans I/O; holds ``MOST`` packets at most."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._highest = 0
        self._held: dict[int, Packet] = {}
        self._given_up: deque[int] = deque(maxlen=RESTART)
        self._needed = [0, 0]
        self._seen = 0
        self.patience = LEAST
        """Packets that may come behind a gap before it is given up."""
        self.late = 0
        """Packets that came after they had been given up."""

    def add(self, number: int, packet: Packet) -> list[Packet]:
        """``number`` is the RTP sequence number (16 bits). What is missing in the answer was given up."""
        if self._next is None:
            self._next = self._highest = number
        place = self._next + ((number - self._next + _HALF) & _MASK) - _HALF
        if place < self._next - RESTART:
            return [*self._begin_anew(number, packet)]
        self._age()
        if place < self._next:
            self._too_late(place)
            return []
        self._note(self._highest - place)
        self._highest = max(self._highest, place)
        self._held.setdefault(place, packet)
        ready = self._in_order()
        while self._held and self._highest - self._next >= self.patience:
            self._give_up()
            ready += self._in_order()
        return ready

    def _in_order(self) -> list[Packet]:
        ready: list[Packet] = []
        assert self._next is not None
        while self._next in self._held:
            ready.append(self._held.pop(self._next))
            self._next += 1
        return ready

    def _give_up(self) -> None:
        assert self._next is not None
        first = min(self._held)
        self._given_up.extend(range(max(self._next, first - RESTART), first))
        self._next = first

    def _too_late(self, place: int) -> None:
        if place not in self._given_up:
            return  # a duplicate
        self._given_up.remove(place)
        self.late += 1
        self._note(self._highest - place)

    def _note(self, behind: int) -> None:
        """A packet came when one so much newer had come already."""
        if behind > 0:
            self._needed[0] = max(self._needed[0], min(MOST, behind + 1))
            self.patience = max(self.patience, self._needed[0])

    def _age(self) -> None:
        self._seen += 1
        if self._seen >= WINDOW:
            self._seen = 0
            self.patience = max(LEAST, *self._needed)
            self._needed = [0, self._needed[0]]

    def _begin_anew(self, number: int, packet: Packet) -> list[Packet]:
        rest = [self._held[place] for place in sorted(self._held)]
        self._held.clear()
        self._given_up.clear()
        self._next, self._highest = number + 1, number
        return [*rest, packet]
