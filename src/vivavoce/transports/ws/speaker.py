"""The sink of a session: reply audio on its way to one client."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import Overloaded
from vivavoce.contracts.ports import Clock
from vivavoce.transports.ws.outbox import Outbox
from vivavoce.transports.ws.playhead import AssumedPlayhead
from vivavoce.transports.ws.protocol import encode_audio

REPORT_EVERY = 0.1
"""Seconds between reports of an assumed playhead."""


class Speaker:
    """Frames audio into the outbox.

    On the wire, pausing, resuming and clearing are told by the events of the same name; here they only keep the assumed
    playhead right and drop what is not yet sent. ``on_stuck`` hears of a client that does not read, ``report`` of the
    assumed playhead: (generation, samples).
    """

    def __init__(
        self,
        format: AudioFormat,
        outbox: Outbox,
        clock: Clock,
        on_stuck: Callable[[Overloaded], None],
        report: Callable[[int, int], None],
    ) -> None:
        self._format = format
        self._outbox = outbox
        self._clock = clock
        self._on_stuck = on_stuck
        self._report = report
        self._playhead: AssumedPlayhead | None = AssumedPlayhead(format.rate)
        self._cancel: Callable[[], None] | None = None

    @property
    def format(self) -> AudioFormat:
        """Mono, at the rate agreed on."""
        return self._format

    def believe_client(self) -> None:
        """The client acknowledges: assume nothing."""
        self._playhead = None
        self.close()

    def write(self, audio: ReplyAudio) -> None:
        """Send audio."""
        try:
            self._outbox.put_audio(audio.stamp.generation, encode_audio(audio))
        except Overloaded as stuck:
            self._on_stuck(stuck)
            return
        if self._playhead is not None:
            self._playhead.sent(audio, self._clock.now())
            self._schedule()

    def pause(self, stamp: Stamp) -> None:
        """Playback stands still."""
        if self._playhead is not None:
            self._playhead.pause(self._clock.now())
            self._tick()

    def resume(self, stamp: Stamp) -> None:
        """Playback goes on."""
        if self._playhead is not None:
            self._playhead.resume(self._clock.now())
            self._schedule()

    def clear(self, stamp: Stamp) -> None:
        """This generation and older ones are over."""
        self._outbox.drop_audio(stamp.generation)
        if self._playhead is not None:
            self._playhead.stop(stamp.generation)

    def close(self) -> None:
        """No more reports. Idempotent."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def _schedule(self) -> None:
        left = 0.0 if self._playhead is None else self._playhead.left
        if left > 0 and self._cancel is None:
            self._cancel = self._clock.call_later(min(REPORT_EVERY, left + 0.001), self._tick)

    def _tick(self) -> None:
        self.close()
        if self._playhead is not None:
            generation, samples = self._playhead.at(self._clock.now())
            self._report(generation, samples)
            self._schedule()
