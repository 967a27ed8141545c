"""A scripted wake word: any sound of 0.3 s is the word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vivavoce.audio.level import rms
from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import InvalidAudio, UnknownName, VivavoceError
from vivavoce.contracts.ports import Clock, WakeWordListening
from vivavoce.contracts.speech import Capabilities, WakeWord
from vivavoce.flow.clock import SystemClock
from vivavoce.testing.scripts import Tally

VOICED = -45.0
"""dBFS from which audio counts as sound."""
WORD = HEARING.samples(0.3)
"""Samples of sound without a pause that are a word; the next one needs a pause of silence before it."""
_FRAME = HEARING.samples(0.02)


class SoundIsAWord:
    """Finds the word in a stream, however it is cut: 20 ms frames, 15 of them loud in a row. ``at`` counts from 0."""

    def __init__(self) -> None:
        self._rest = b""
        self._position = 0
        self._loud = 0

    def send(self, pcm: bytes) -> list[int]:
        """Where words ended."""
        found = []
        self._rest += pcm
        while len(self._rest) >= 2 * _FRAME:
            frame, self._rest = self._rest[: 2 * _FRAME], self._rest[2 * _FRAME :]
            self._position += _FRAME
            self._loud = self._loud + _FRAME if rms(frame) >= VOICED else 0
            if self._loud == WORD:
                found.append(self._position)
        return found


class ScriptedWakeWordDetector:
    """Takes any sound of 0.3 s for the first of the words it was asked for.

    Words are told from within ``send``, or ``latency`` seconds later. With ``fail`` set, a stream reports it on its next
    audio. It knows ``words``.
    """

    def __init__(
        self,
        words: Sequence[str] = ("computer", "hey_you"),
        *,
        latency: float = 0.0,
        fail: VivavoceError | None = None,
        name: str = "scripted",
        clock: Clock | None = None,
    ) -> None:
        self.latency = latency
        self.fail = fail
        self.clock: Clock = clock or SystemClock()
        self.tally = Tally()
        self.capabilities = Capabilities(name=name, concurrency=1_000, licence="Apache-2.0", words=tuple(words))

    def open(
        self, words: Sequence[str], on_wake: Callable[[WakeWord], None], on_error: Callable[[Exception], None]
    ) -> WakeWordListening:
        """Begin a stream."""
        for word in words:
            if word not in self.capabilities.words:
                raise UnknownName(f"no wake word {word!r} here; there is {', '.join(self.capabilities.words)}")
        self.tally.opened += 1
        return _ScriptedListening(self, (*words, *self.capabilities.words)[0], on_wake, on_error)


class _ScriptedListening:
    def __init__(
        self,
        port: ScriptedWakeWordDetector,
        word: str,
        on_wake: Callable[[WakeWord], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._port = port
        self._word = word
        self._on_wake = on_wake
        self._on_error = on_error
        self._ear = SoundIsAWord()
        self._base = self._end = 0
        self._epoch = 0
        self._closed = False

    def send(self, chunk: AudioChunk) -> None:
        if chunk.format != HEARING or len(chunk.pcm) % HEARING.frame_width:
            raise InvalidAudio(f"wake words are heard in 16 kHz mono 16-bit samples, not {chunk.format}")
        if self._closed:
            return
        if self._port.fail is not None:
            self._closed = True
            self._port.tally.failed += 1
            self._on_error(self._port.fail)
            return
        if chunk.offset != self._end:
            self._ear, self._base = SoundIsAWord(), chunk.offset
        self._end = chunk.end
        for at in self._ear.send(chunk.pcm):
            self._tell(WakeWord(self._word, self._base + at))

    def _tell(self, word: WakeWord) -> None:
        if self._port.latency <= 0:
            self._on_wake(word)
            return
        epoch = self._epoch
        self._port.clock.call_later(self._port.latency, lambda: self._late(word, epoch))

    def _late(self, word: WakeWord, epoch: int) -> None:
        if not self._closed and epoch == self._epoch:
            self._on_wake(word)

    def reset(self) -> None:
        self._ear, self._base = SoundIsAWord(), self._end
        self._epoch += 1

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._port.tally.finished += 1
