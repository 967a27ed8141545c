"""The sink of a session: reply audio on its way to one client, over whichever connection that client has."""

from __future__ import annotations

from collections.abc import Callable

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.errors import Overloaded
from vivavoce.transports.outbox import Outbox
from vivavoce.transports.ws.protocol import encode_audio
from vivavoce.transports.ws.replay import Replay


class Way:
    """Of audio through one connection: directly where ``write_now`` takes it and nothing waits in the outbox, else through
    the outbox. ``on_stuck`` hears of a client that does not read.
    """

    def __init__(self, outbox: Outbox, write_now: Callable[[bytes], bool], on_stuck: Callable[[Overloaded], None]) -> None:
        self._outbox = outbox
        self._write_now = write_now
        self._on_stuck = on_stuck

    def send(self, generation: int, frame: bytes) -> None:
        """Send a piece of a reply."""
        if self._outbox.passes(generation) and self._write_now(frame):
            return
        try:
            self._outbox.put_audio(generation, frame)
        except Overloaded as stuck:
            self._on_stuck(stuck)

    def drop(self, generation: int) -> None:
        """This generation and older ones are over."""
        self._outbox.drop_audio(generation)


class Speaker:
    """Sends audio ``way`` and keeps it for a client that loses its connection; without a way it is only kept.

    On the wire, pausing, resuming and clearing are told by the events of the same name.
    """

    def __init__(self, format: AudioFormat, replay: Replay, way: Way | None) -> None:
        self._format = format
        self._replay = replay
        self.way = way

    @property
    def format(self) -> AudioFormat:
        """Mono, at the rate agreed on."""
        return self._format

    def write(self, audio: ReplyAudio) -> None:
        """Send audio."""
        frame = encode_audio(audio)
        self._replay.keep(audio, frame)
        if self.way is not None:
            self.way.send(audio.stamp.generation, frame)

    def pause(self, stamp: Stamp) -> None:
        """The event tells."""

    def resume(self, stamp: Stamp) -> None:
        """The event tells."""

    def clear(self, stamp: Stamp) -> None:
        """This generation and older ones are over."""
        self._replay.over(stamp.generation)
        if self.way is not None:
            self.way.drop(stamp.generation)
