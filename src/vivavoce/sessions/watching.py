"""Lets somebody follow a session beside the client it belongs to."""

from __future__ import annotations

from vivavoce.contracts.audio import AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.events import SessionEvent
from vivavoce.contracts.ports import AudioSink, EventListener, SessionWatch


def watched(watch: SessionWatch, sink: AudioSink, listener: EventListener) -> tuple[AudioSink, EventListener]:
    """The same sink and listener, followed; the sink is left as it is where nobody wants the sound."""

    def both(event: SessionEvent) -> None:
        listener(event)
        watch.told(event)

    return (_Followed(watch, sink) if watch.listens else sink), both


class _Followed:
    """An AudioSink whose audio somebody else gets, too."""

    def __init__(self, watch: SessionWatch, sink: AudioSink) -> None:
        self._watch = watch
        self._sink = sink

    @property
    def format(self) -> AudioFormat:
        return self._sink.format

    def write(self, audio: ReplyAudio) -> None:
        self._sink.write(audio)
        self._watch.spoken(audio)

    def pause(self, stamp: Stamp) -> None:
        self._sink.pause(stamp)

    def resume(self, stamp: Stamp) -> None:
        self._sink.resume(stamp)

    def clear(self, stamp: Stamp) -> None:
        self._sink.clear(stamp)
