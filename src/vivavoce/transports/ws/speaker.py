"""The sink of a session: reply audio on its way to one client."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import Overloaded
from vivavoce.transports.outbox import Outbox
from vivavoce.transports.ws.protocol import encode_audio


class Speaker:
    """Sends audio, directly where ``write_now`` takes it and nothing waits in the outbox, else through the outbox.

    On the wire, pausing, resuming and clearing are told by the events of the same name. ``on_stuck`` hears of a client that
    does not read.
    """

    def __init__(
        self,
        format: AudioFormat,
        outbox: Outbox,
        write_now: Callable[[bytes], bool],
        on_stuck: Callable[[Overloaded], None],
    ) -> None:
        self._format = format
        self._outbox = outbox
        self._write_now = write_now
        self._on_stuck = on_stuck

    @property
    def format(self) -> AudioFormat:
        """Mono, at the rate agreed on."""
        return self._format

    def write(self, audio: ReplyAudio) -> None:
        """Send audio."""
        frame = encode_audio(audio)
        if self._outbox.passes(audio.stamp.generation) and self._write_now(frame):
            return
        try:
            self._outbox.put_audio(audio.stamp.generation, frame)
        except Overloaded as stuck:
            self._on_stuck(stuck)

    def pause(self, stamp: Stamp) -> None:
        """The event tells."""

    def resume(self, stamp: Stamp) -> None:
        """The event tells."""

    def clear(self, stamp: Stamp) -> None:
        """This generation and older ones are over."""
        self._outbox.drop_audio(stamp.generation)
