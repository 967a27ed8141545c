"""An ear without a loudspeaker: it keeps what would have been heard."""

from __future__ import annotations

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.events import ReplyInterrupted, SessionEvent

BETWEEN = 0.4
"""Seconds of silence between two replies."""


class Recorder:
    """An AudioSink into memory. Playback is reckoned by the session's clock, so there is nothing to report.

    Bounded by the replies themselves: each is bounded in length, and a recording has as many as it has turns.
    """

    def __init__(self, rate: int = 24_000) -> None:
        self._format = AudioFormat(rate)
        self._replies: dict[int, bytearray] = {}
        self._cleared = 0

    @property
    def format(self) -> AudioFormat:
        """Mono at the rate asked for."""
        return self._format

    @property
    def pcm(self) -> bytes:
        """All replies, one after the other."""
        pause = bytes(2 * self._format.samples(BETWEEN))
        return pause.join(bytes(reply) for reply in self._replies.values() if reply)

    def write(self, audio: ReplyAudio) -> None:
        """Keep it, unless it is stale."""
        if audio.stamp.generation > self._cleared:
            self._replies.setdefault(audio.stamp.generation, bytearray()).extend(audio.chunk.pcm)

    def pause(self, stamp: Stamp) -> None:
        """Nothing plays here that could stand still."""

    def resume(self, stamp: Stamp) -> None:
        """See ``pause``."""

    def clear(self, stamp: Stamp) -> None:
        """Nothing of this generation comes any more; what was not heard is cut off by the event that says how far it was."""
        self._cleared = max(self._cleared, stamp.generation)

    def take(self, event: SessionEvent) -> None:
        """Follow the conversation."""
        if isinstance(event, ReplyInterrupted) and event.stamp.generation in self._replies:
            del self._replies[event.stamp.generation][2 * event.at :]
