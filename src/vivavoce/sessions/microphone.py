"""The microphone side of a session: where its stream stands, its last seconds, its statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vivavoce.audio.ring import SampleRing
from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH, AudioChunk
from vivavoce.contracts.ports import Clock
from vivavoce.contracts.speech import SpeechProbability

GAP = 0.25
"""Seconds the stream may be behind the clock."""
SETTLED = 0.1
"""Seconds it must stay behind before that counts as a gap, over which session time has gone on without audio."""
DRIFT = 0.01
"""Share of the lag forgotten with each frame, so that two clocks that differ a little never make a gap."""
LOOK_BACK = 8.0
"""Seconds kept for pre-roll and for the turn detector."""
SECONDS_PER_BYTE = 1 / (SAMPLE_WIDTH * HEARING.rate)
LOUDEST, LOWEST = b"\xff\x7f", b"\x00\x80"
SMOOTHING = 0.2
"""Weight of the newest frame in the running level and age."""
JITTER_WEIGHT = 1 / 16
"""Weight of the newest deviation in the running jitter (RFC 3550 §6.4.1)."""


@dataclass(frozen=True, slots=True)
class AudioStatistics:
    """What came in over a session's microphone. Levels are dBFS, times are seconds.

    ``clipped`` counts frames with samples at full scale; ``jitter`` is the smoothed deviation of arrival from audio time;
    ``late`` counts frames that came more than GAP behind their time, ``refused`` samples that came
    too fast; ``age`` tells how old audio is when its voice has been judged, smoothed.
    """

    frames: int = 0
    bytes: int = 0
    seconds: float = 0.0
    level: float = -96.0
    peak: float = -96.0
    clipped: int = 0
    gaps: int = 0
    gap_seconds: float = 0.0
    jitter: float = 0.0
    dropped: int = 0
    late: int = 0
    refused: int = 0
    age: float = 0.0


class Microphone:
    """Gives each chunk its sample offset.

    Session time is where the stream stands, carried on by the clock between chunks.
    """

    __slots__ = (
        "_age",
        "_arrived",
        "_bytes",
        "_clipped",
        "_clock",
        "_credit",
        "_frames",
        "_frozen",
        "_gap_samples",
        "_gaps",
        "_jitter",
        "_lag",
        "_late",
        "_late_since",
        "_level",
        "_peak",
        "_ring",
        "begun",
        "dropped",
        "position",
        "refused",
        "tap",
    )

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ring = SampleRing(LOOK_BACK, HEARING.rate)
        self._arrived = clock.now()
        self._frames = self._bytes = self._clipped = self._gaps = self._gap_samples = 0
        self._jitter = self._age = self._lag = 0.0
        self._late_since: float | None = None
        self._frozen: float | None = None
        self._credit = 0.0
        self._level = self._peak = -96.0
        self.position = 0
        self.begun = 0
        """Where the stream goes on behind its last gap: before it there is nothing that could still be judged."""
        self.dropped = self.refused = self._late = 0
        self.tap: Callable[[AudioChunk], None] | None = None

    def take(self, pcm: bytes) -> AudioChunk:
        """The next audio of the stream, placed. Called for every frame of every session."""
        now = self._clock.now()
        size = len(pcm)
        seconds = size * SECONDS_PER_BYTE
        if self._frames:
            self._jitter += (abs(now - self._arrived - seconds) - self._jitter) * JITTER_WEIGHT
            self._lag += now - self._arrived - seconds
            if self._credit and self._lag < 0:
                self._catch_up()
            if self._lag > GAP:
                self._fall_behind(now)
            else:
                self._late_since = None
                self._lag -= self._lag * DRIFT
        self._arrived = now
        chunk = AudioChunk(pcm, HEARING, self.position)
        self._ring.append(pcm)
        self.position += size // SAMPLE_WIDTH
        self._frames += 1
        self._bytes += size
        if LOUDEST in pcm or LOWEST in pcm:
            self._clipped += 1
        if self.tap is not None:
            self.tap(chunk)
        return chunk

    def freeze(self) -> None:
        """Session time stands still: the client is away."""
        if self._frozen is None:
            self._frozen = self._clock.now()

    def thaw(self) -> None:
        """It goes on as if no time had passed. What was said meanwhile may now come faster than it was spoken."""
        if self._frozen is not None:
            away = self._clock.now() - self._frozen
            self._frozen = self._late_since = None
            self._arrived += away
            self._credit = away

    def _catch_up(self) -> None:
        """Audio of an absence comes all at once; that is no lead over the clock that could hide a later gap."""
        used = min(self._credit, -self._lag)
        self._credit -= used
        self._lag += used

    def _fall_behind(self, now: float) -> None:
        """The stream is behind the clock. A network that stalled catches up at once; a client that sent nothing does not."""
        self._late += 1
        if self._late_since is None:
            self._late_since = now
        elif now - self._late_since >= SETTLED:
            samples = HEARING.samples(self._lag)
            self._gaps += 1
            self._gap_samples += samples
            self.position += samples
            self.begun = self.position
            self._ring.clear(self.position)
            self._lag, self._late_since = 0.0, None

    def note_detection(self, result: SpeechProbability) -> None:
        """A frame's voice was judged: note its level, and how old its audio was by then."""
        self._level += (result.level - self._level) * SMOOTHING
        self._peak = max(self._peak, result.level)
        age = self._clock.now() - self._arrived + (self.position - result.end) / HEARING.rate
        self._age += (age - self._age) * SMOOTHING

    @property
    def silent_for(self) -> float:
        """Seconds since audio last came."""
        return self._time - self._arrived

    @property
    def now(self) -> int:
        """Session time."""
        return self.position + HEARING.samples(self._time - self._arrived)

    @property
    def _time(self) -> float:
        return self._clock.now() if self._frozen is None else self._frozen

    def time_of(self, sample: int) -> float:
        """Clock time at which ``sample`` was spoken."""
        return self._arrived - HEARING.seconds(self.position - sample)

    def read(self, start: int, end: int) -> AudioChunk:
        """What is still kept of ``start`` to ``end``."""
        first = max(start, self._ring.start)
        return AudioChunk(self._ring.read(first, end), HEARING, first)

    @property
    def statistics(self) -> AudioStatistics:
        """So far."""
        return AudioStatistics(
            frames=self._frames,
            bytes=self._bytes,
            seconds=self._bytes * SECONDS_PER_BYTE,
            level=round(self._level, 1),
            peak=round(self._peak, 1),
            clipped=self._clipped,
            gaps=self._gaps,
            gap_seconds=HEARING.seconds(self._gap_samples),
            jitter=self._jitter,
            dropped=self.dropped,
            late=self._late,
            refused=self.refused,
            age=self._age,
        )
