"""Where a client that does not tell is assumed to be in a reply: it plays in real time from the first sample sent."""

from __future__ import annotations

from vivavoce.contracts.audio import ReplyAudio


class AssumedPlayhead:
    """The playhead of one connection. Time is handed in, in seconds; samples are at the output rate."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._generation = 0
        self._sent = 0
        self._position = 0.0
        self._since = 0.0
        self._paused = False

    def sent(self, audio: ReplyAudio, now: float) -> None:
        """Audio goes out."""
        if audio.stamp.generation != self._generation:
            self._generation = audio.stamp.generation
            self._position = float(audio.chunk.offset)
            self._sent = audio.chunk.offset
            self._paused = False
        self._settle(now)
        self._sent = max(self._sent, audio.chunk.end)

    def pause(self, now: float) -> None:
        """Playback stands still."""
        self._settle(now)
        self._paused = True

    def resume(self, now: float) -> None:
        """Playback goes on."""
        self._settle(now)
        self._paused = False

    def stop(self, generation: int) -> None:
        """Nothing of ``generation`` or older is played any more."""
        if self._generation <= generation:
            self._sent = round(self._position)

    def at(self, now: float) -> tuple[int, int]:
        """Generation and samples played."""
        self._settle(now)
        return self._generation, round(self._position)

    @property
    def left(self) -> float:
        """Seconds until everything sent is played; 0 when it is, or stands still."""
        return 0.0 if self._paused else max(0.0, (self._sent - self._position) / self._rate)

    def _settle(self, now: float) -> None:
        if not self._paused:
            self._position = min(float(self._sent), self._position + (now - self._since) * self._rate)
        self._since = now
