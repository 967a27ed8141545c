"""An ear that plays in virtual real time and remembers every sample, and a recorder of events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import DeadlineExceeded, InvalidAudio, Overloaded
from vivavoce.contracts.events import SessionEvent
from vivavoce.contracts.ports import Clock
from vivavoce.flow.clock import SystemClock
from vivavoce.flow.tasks import Signal

E = TypeVar("E")

MAX_BUFFERED = 150.0
"""Seconds of audio a sink takes ahead of the ear: more than the longest reply."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Samples that reached the ear without interruption: ``pcm`` began at ``at`` seconds on the clock."""

    stamp: Stamp
    offset: int
    pcm: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Something wrong with what was played or written, at sample ``offset`` of ``generation``."""

    generation: int
    offset: int
    seconds: float


class LoopbackSink:
    """Plays what it is given at its rate on the clock, one sample after the other, and reports what was played.

    ``latency`` delays everything both ways: audio and commands on their way to the ear, reports on their way back. Reports
    come every ``acknowledge_every`` seconds of play, when the buffer runs dry, and on ``pause`` and ``clear``; all of them
    through ``on_played(generation, samples)``, which may be set after construction.

    What tests look at: ``heard`` (in order), ``pcm()``, ``underruns`` (the buffer ran dry in mid-generation),
    ``discontinuities`` (a write that did not begin where the one before ended), ``stale`` (writes of a generation already
    cleared; they are not played), ``max_lead`` (most seconds buffered), ``first_heard`` (clock time by generation) and
    ``commands`` (what was asked and was not stale, with the clock time it took effect).
    """

    def __init__(
        self,
        clock: Clock | None = None,
        rate: int = 24_000,
        on_played: Callable[[int, int], None] | None = None,
        acknowledge_every: float = 0.1,
        latency: float = 0.0,
    ) -> None:
        self.on_played = on_played
        self._clock: Clock = clock or SystemClock()
        self._format = AudioFormat(rate)
        self._every = max(1, self._format.samples(acknowledge_every))
        self._latency = latency
        self._arriving: deque[Callable[[], None]] = deque()
        self._timer: Callable[[], None] | None = None
        self.keep = True
        """Whether played PCM is remembered; long benchmarks turn it off."""
        self.paused = False
        self.heard: list[Heard] = []
        self.underruns: list[Gap] = []
        self.discontinuities: list[Gap] = []
        self.stale: list[ReplyAudio] = []
        self.commands: list[tuple[float, str, Stamp]] = []
        self.first_heard: dict[int, float] = {}
        self.max_lead = 0.0
        self._buffer: deque[ReplyAudio] = deque()
        self._buffered = 0
        self._taken = 0
        self._since: float | None = None
        self._run = 0
        self._report_at = 0
        self._cleared = -1
        self._played: dict[int, int] = {}
        self._written: dict[int, int] = {}
        self._reported: dict[int, int] = {}
        self._dry: tuple[int, float] | None = None

    @property
    def format(self) -> AudioFormat:
        """What it plays."""
        return self._format

    @property
    def buffered(self) -> float:
        """Seconds that have arrived and are not played yet."""
        self._advance()
        return self._format.seconds(self._buffered)

    def played(self, generation: int) -> int:
        """Samples of ``generation`` that have reached the ear by now."""
        self._advance()
        return self._played.get(generation, 0)

    def pcm(self, generation: int | None = None) -> bytes:
        """Everything heard so far, or what was heard of one generation."""
        self._advance()
        return b"".join(piece.pcm for piece in self.heard if generation is None or piece.stamp.generation == generation)

    def write(self, audio: ReplyAudio) -> None:
        """Take audio. Raises InvalidAudio for another format, Overloaded beyond MAX_BUFFERED seconds."""
        if audio.chunk.format != self._format or len(audio.chunk.pcm) % self._format.frame_width:
            raise InvalidAudio(f"this sink plays {self._format}, not {audio.chunk.format} in {len(audio.chunk.pcm)} bytes")
        if self._format.seconds(self._buffered) > MAX_BUFFERED:
            raise Overloaded(f"more than {MAX_BUFFERED:g} s of audio ahead of the ear; wait until some is played")
        self._arrive(lambda: self._take(audio))

    def pause(self, stamp: Stamp) -> None:
        """Stand still at the present sample."""
        self._arrive(lambda: self._pause(stamp))

    def resume(self, stamp: Stamp) -> None:
        """Go on at that very sample."""
        self._arrive(lambda: self._resume(stamp))

    def clear(self, stamp: Stamp) -> None:
        """Drop what is not played of this generation and older ones, and whatever of them still comes."""
        self._arrive(lambda: self._clear(stamp))

    def close(self) -> None:
        """Play no more; no timer is left."""
        self._advance()
        self._arriving.clear()
        self._buffer.clear()
        self._buffered = 0
        self._stand_still()

    def _arrive(self, action: Callable[[], None]) -> None:
        if self._latency <= 0:
            action()
            return
        self._arriving.append(action)
        self._clock.call_later(self._latency, lambda: self._arriving.popleft()() if self._arriving else None)

    def _take(self, audio: ReplyAudio) -> None:
        self._advance()
        generation, chunk = audio.stamp.generation, audio.chunk
        if generation <= self._cleared:
            self.stale.append(audio)
            return
        expected = self._written.get(generation, 0)
        if chunk.offset != expected:
            self.discontinuities.append(Gap(generation, expected, self._format.seconds(chunk.offset - expected)))
        self._written[generation] = chunk.end
        if self._dry is not None:
            last, since = self._dry
            if last == generation and not self.paused:
                self.underruns.append(Gap(generation, expected, self._clock.now() - since))
            self._dry = None
        self._buffer.append(audio)
        self._buffered += chunk.samples
        self.max_lead = max(self.max_lead, self._format.seconds(self._buffered))
        self._go_on()

    def _pause(self, stamp: Stamp) -> None:
        self._advance()
        if stamp.generation <= self._cleared:
            return  # overtaken: what it was about is gone
        self.commands.append((self._clock.now(), "pause", stamp))
        self.paused = True
        self._stand_still()
        self._report()

    def _resume(self, stamp: Stamp) -> None:
        if stamp.generation <= self._cleared:
            return
        self.commands.append((self._clock.now(), "resume", stamp))
        self.paused = False
        self._go_on()

    def _clear(self, stamp: Stamp) -> None:
        self._advance()
        self.commands.append((self._clock.now(), "clear", stamp))
        self._cleared = max(self._cleared, stamp.generation)
        kept = [audio for audio in self._buffer if audio.stamp.generation > self._cleared]
        if not kept or kept[0] is not self._buffer[0]:
            self._taken = 0
        self._buffer = deque(kept)
        self._buffered = sum(audio.chunk.samples for audio in kept) - self._taken
        self.paused = False
        self._dry = None
        self._stand_still()
        self._report()
        self._go_on()

    def _go_on(self) -> None:
        if self._since is None and self._buffer and not self.paused:
            self._since, self._run, self._report_at = self._clock.now(), 0, self._every
            self._schedule()

    def _stand_still(self) -> None:
        self._since = None
        if self._timer is not None:
            self._timer()
            self._timer = None

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer()
        assert self._since is not None
        target = self._since + min(self._report_at, self._run + self._buffered) / self._format.rate
        self._timer = self._clock.call_later(target - self._clock.now(), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._advance()
        if self._since is None or self._run >= self._report_at:
            self._report_at += self._every
            self._report()
        if self._since is not None:
            self._schedule()

    def _advance(self) -> None:
        """Play up to now: what is due since playing began, counted in whole samples."""
        if self._since is None:
            return
        now = self._clock.now()
        # A sample is heard when its time is over; the small term absorbs the rounding of seconds.
        due = int((now - self._since) * self._format.rate + 1e-3) - self._run
        while due > 0 and self._buffer:
            due -= self._play(self._buffer[0], due)
        if not self._buffer:
            ended = self._since + self._run / self._format.rate
            self._dry = (next(reversed(self._played)), ended)
            self._stand_still()

    def _play(self, audio: ReplyAudio, due: int) -> int:
        assert self._since is not None
        count = min(due, audio.chunk.samples - self._taken)
        offset, generation = audio.chunk.offset + self._taken, audio.stamp.generation
        at = self._since + self._run / self._format.rate
        if count:
            self.first_heard.setdefault(generation, at)
            self._played.pop(generation, None)  # the last key is the generation played last
            self._played[generation] = offset + count
        if self.keep and count:
            pcm = audio.chunk.pcm[2 * self._taken : 2 * (self._taken + count)]
            self.heard.append(Heard(audio.stamp, offset, pcm, at))
        self._run += count
        self._buffered -= count
        self._taken += count
        if self._taken == audio.chunk.samples:
            self._buffer.popleft()
            self._taken = 0
        return count

    def _report(self) -> None:
        for generation, samples in list(self._played.items()):
            if self._reported.get(generation) != samples:
                self._reported[generation] = samples
                self._tell(generation, samples)

    def _tell(self, generation: int, samples: int) -> None:
        def deliver() -> None:
            if self.on_played is not None:
                self.on_played(generation, samples)

        if self._latency <= 0:
            deliver()
        else:
            self._clock.call_later(self._latency, deliver)


class EventRecorder:
    """Keeps the latest ``limit`` events of a session with the clock time of each; use it as the session's listener."""

    def __init__(self, clock: Clock | None = None, limit: int = 100_000) -> None:
        self._clock: Clock = clock or SystemClock()
        self._changed = Signal()
        self.timed: deque[tuple[float, SessionEvent]] = deque(maxlen=limit)

    def __call__(self, event: SessionEvent, /) -> None:
        self.timed.append((self._clock.now(), event))
        self._changed.notify()

    @property
    def events(self) -> list[SessionEvent]:
        """All events in order."""
        return [event for _, event in self.timed]

    def of(self, kind: type[E]) -> list[E]:
        """All events of one type in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def times(self, kind: type[E]) -> list[float]:
        """Clock times of the events of one type."""
        return [moment for moment, event in self.timed if isinstance(event, kind)]

    async def wait_for(
        self, kind: type[E], predicate: Callable[[E], bool] = lambda _event: True, *, timeout: float = 30.0
    ) -> E:
        """The first event of ``kind`` that meets ``predicate``, past ones included.

        Raises DeadlineExceeded, which lists what did happen, after ``timeout`` seconds on the clock.
        """
        deadline = self._clock.now() + timeout
        late = False

        def expire() -> None:
            nonlocal late
            late = True
            self._changed.notify()

        forget = self._clock.call_later(timeout, expire)
        try:
            while True:
                found = next((event for event in self.of(kind) if predicate(event)), None)
                if found is not None:
                    return found
                if late:
                    seen = ", ".join(type(event).__name__ for event in self.events[-20:]) or "nothing"
                    raise DeadlineExceeded(f"no such {kind.__name__} by {deadline:.2f} s; there was {seen}")
                await self._changed.wait()
        finally:
            forget()
