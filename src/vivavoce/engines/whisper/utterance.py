"""One utterance: its audio in windows, what was read of it, and when a partial is due. Knows no library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.windows import cut, silent
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import EngineFailed, InvalidAudio, Overloaded
from vivavoce.contracts.speech import Transcript, TranscriptionOptions, Word
from vivavoce.text.matching import join_segments

RATE = HEARING.rate
WINDOW = 28.0
"""Seconds read at once: the model sees 30, and hallucinates less where something is left."""
FIRST = 0.8
"""Seconds of audio before the first partial."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a window says; times count from its start."""

    text: str
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    language: str | None = None


class WhisperUtterance:
    """Implements ``contracts.engines.BatchTranscription``.

    ``interval`` tells how many seconds of new audio a partial is worth now, None where it is worth none.
    """

    def __init__(
        self,
        options: TranscriptionOptions,
        max_seconds: float,
        interval: Callable[[], float | None],
        left: Callable[[], None],
    ) -> None:
        self.options = options
        self.language = options.language
        self._most = round(max_seconds * RATE)
        self._interval = interval
        self._left = left
        self._audio = bytearray()
        self._start = 0
        """Sample of the utterance at which the present window begins."""
        self._read_to = 0
        """Samples of the present window that the last partial has seen."""
        self._texts: list[str] = []
        self._words: list[Word] = []
        self._confidences: list[float] = []
        self._partial = ""
        self._told = ""
        self._ended = False
        self.closed = False

    # --- BatchTranscription

    @property
    def pending(self) -> bool:
        """A window is full, the rest is left, or a partial is due."""
        if self.closed:
            return False
        if self._ended:
            return bool(self._audio)
        return self._full or self._partial_due

    def send(self, pcm: bytes) -> Transcript | None:
        """Keep audio. Raises InvalidAudio for half samples, Overloaded beyond the longest utterance."""
        if self._ended or self.closed:
            raise EngineFailed("the utterance is over: open another")
        if len(pcm) % 2:
            raise InvalidAudio(f"audio is 16-bit: {len(pcm)} bytes is no whole number of samples")
        if self._start + (len(self._audio) + len(pcm)) // 2 > self._most:
            raise Overloaded(f"the utterance is longer than {self._most // RATE} s", retryable=False)
        self._audio += pcm
        return None

    def end(self) -> None:
        """The rest may be read. Idempotent."""
        self._ended = True

    def poll(self) -> Transcript | None:
        """Windows that are done no longer change; of the present one everything may."""
        done = join_segments(self._texts)
        text = join_segments([done, self._partial])
        if text == self._told:
            return None
        self._told = text
        return Transcript(text, stable=len(done), language=self.language or None)

    def finish(self) -> Transcript:
        """All of it."""
        if not self._ended or self.closed:
            raise EngineFailed("the utterance has not ended")
        text = join_segments(self._texts)
        known = self._confidences
        confidence = sum(known) / len(known) if known else None
        return Transcript(text, True, len(text), tuple(self._words), confidence, self.language or None)

    def close(self) -> None:
        """Forget the audio. Idempotent."""
        if not self.closed:
            self.closed = True
            self._audio.clear()
            self._left()

    # --- for the engine

    @property
    def final(self) -> bool:
        """Whether what is read next stays."""
        return self._full or self._ended

    def window(self) -> NDArray[np.float32] | None:
        """The audio to be read next as floats, None where there is only silence in it."""
        samples = np.frombuffer(bytes(self._audio), "<i2")
        samples = samples[: cut(samples, round(WINDOW * RATE))] if self.final else samples
        self._read_to = len(samples)
        return None if silent(samples) else samples.astype(np.float32) / np.float32(32_768)

    def read(self, window: Window) -> None:
        """What was in it."""
        if window.language and not self.language:
            self.language = window.language
        if not self.final:
            self._partial = window.text
            return
        shift = self._start / RATE
        self._texts.append(window.text)
        self._words += (replace(w, start=round(w.start + shift, 3), end=round(w.end + shift, 3)) for w in window.words)
        if window.confidence is not None:
            self._confidences.append(window.confidence)
        del self._audio[: 2 * self._read_to]
        self._start += self._read_to
        self._read_to = 0
        self._partial = ""

    @property
    def _full(self) -> bool:
        return len(self._audio) > 2 * round(WINDOW * RATE)

    @property
    def _partial_due(self) -> bool:
        interval = self._interval() if self.options.partials else None
        if interval is None:
            return False
        fresh = len(self._audio) / 2 - self._read_to
        return fresh >= RATE * (interval if self._read_to else max(FIRST, interval))
