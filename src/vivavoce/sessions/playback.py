"""A released reply on its way to the ear: paced so that only a bounded lead is sent ahead of what was played."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.audio.gain import amplify
from vivavoce.contracts.audio import SAMPLE_WIDTH, AudioChunk, ReplyAudio, Stamp
from vivavoce.contracts.ports import AudioSink, Clock
from vivavoce.sessions.options import ReplyOptions
from vivavoce.sessions.speaking import Speaking

REPORT = 0.1
"""Seconds between two estimates of the playhead, where nobody acknowledges."""


class Playback:
    """Sends frames while the lead allows, stands still while paused.

    The playhead is what was acknowledged, carried on by the clock; where nobody acknowledges it is the clock alone, and
    ``on_played`` is told of it.
    """

    def __init__(
        self,
        stamp: Stamp,
        speaking: Speaking,
        sink: AudioSink,
        clock: Clock,
        options: ReplyOptions,
        on_played: Callable[[int], None] | None,
    ) -> None:
        self.stamp = stamp
        self._speaking = speaking
        self._sink = sink
        self._clock = clock
        self._format = sink.format
        self._rate = self._format.rate
        self._frame = self._format.samples(options.frame)
        self._frame_seconds = options.frame
        self._max_lead = self._format.samples(options.max_lead)
        self._on_played = on_played
        self._base = 0
        self._base_time = clock.now()
        self._paused = self._held = False
        self._stopped = False
        self._cancel_timer: Callable[[], None] | None = None
        self._reported = 0
        self.volume = 1.0
        self.sent = 0
        self.first_sent: float | None = None

    @property
    def playhead(self) -> int:
        """Samples heard, as far as is known."""
        return self._base if self._paused or self._held else self._playhead_at(self._clock.now())

    def _playhead_at(self, now: float) -> int:
        return min(self.sent, self._base + int((now - self._base_time) * self._rate))

    def pump(self) -> None:
        """Send what may be sent; called when there is audio, and by its own timer."""
        if self._paused or self._held or self._stopped or self._cancel_timer is not None:
            return
        now = self._clock.now()
        playhead = self._playhead_at(now)
        while self.sent - playhead < self._max_lead:
            pcm = self._speaking.take(self._frame)
            if not pcm:
                break
            if self.sent == playhead:  # the ear waits: it plays on from now
                self._base, self._base_time = self.sent, now
            self._send(pcm)
        if self._on_played is not None:
            self._report()
        if self._speaking.ready or self._unreported:
            self._cancel_timer = self._clock.call_later(self._frame_seconds, self._tick)

    @property
    def _unreported(self) -> bool:
        return self._on_played is not None and self._reported < self.sent

    def _tick(self) -> None:
        self._cancel_timer = None
        self.pump()

    def _send(self, pcm: bytes) -> None:
        if self.volume != 1.0:
            pcm = amplify(pcm, self.volume)
        if self.first_sent is None:
            self.first_sent = self._clock.now()
        self._sink.write(ReplyAudio(self.stamp, AudioChunk(pcm, self._format, self.sent)))
        self.sent += len(pcm) // SAMPLE_WIDTH

    def _report(self) -> None:
        playhead = self.playhead
        if self._on_played is None or playhead <= self._reported:
            return
        if playhead == self.sent or playhead - self._reported >= self._format.samples(REPORT):
            self._reported = playhead
            self._on_played(playhead)

    def acknowledged(self, samples: int) -> int:
        """The ear says how much it has heard; return it clamped to what was sent."""
        samples = max(self._base, min(samples, self.sent)) if self._paused else min(samples, self.sent)
        self._base, self._base_time = samples, self._clock.now()
        return samples

    def pause(self) -> None:
        """Stand still at once."""
        if not self._paused:
            self._base, self._paused = self.playhead, True
            self._stop_timer()
            self._sink.pause(self.stamp)

    def resume(self) -> None:
        """Go on."""
        if self._paused:
            self._paused, self._base_time = False, self._clock.now()
            self._sink.resume(self.stamp)
            self.pump()

    def hold(self) -> None:
        """The client is away: nothing is sent, and only what was acknowledged (or is reckoned by now) counts as heard."""
        if not self._held:
            if self._on_played is not None:
                self._base = self.playhead
            self._held = True
            self._stop_timer()

    def go_on(self, samples: int) -> None:
        """The client is back and holds ``samples`` of this."""
        if self._held:
            if self._on_played is not None:
                self._base = min(self._base, samples)  # what was lost on the way was not heard
            self._held, self._base_time = False, self._clock.now()
            self.pump()

    def stop(self) -> None:
        """Nothing more of this is sent. Idempotent."""
        self._stopped = True
        self._stop_timer()

    def cut(self) -> None:
        """Nothing more of this is heard."""
        self.stop()
        self._sink.clear(self.stamp)

    def _stop_timer(self) -> None:
        if self._cancel_timer is not None:
            self._cancel_timer()
            self._cancel_timer = None
