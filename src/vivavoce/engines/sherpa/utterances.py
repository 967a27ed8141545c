"""One utterance: of a streaming model, or of one that reads when all is said. Both keep ``BatchTranscription``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.windows import cut, silent
from vivavoce.contracts.errors import EngineFailed, InvalidAudio, Overloaded, VivavoceError
from vivavoce.contracts.speech import Transcript, TranscriptionOptions, Word
from vivavoce.engines.sherpa.reading import RATE, Piece, Reading, glued, join

SHORTEST = RATE // 2
"""Samples to which audio is filled up with silence: models that shorten their input fail on less than a few frames."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a model writes."""

    upper: bool
    """In capitals only; what it says is then given in small letters."""
    spaced: bool
    """It marks where words begin."""
    appending: bool
    """What it has said it does not take back."""
    language: str | None


class Utterance:
    """What both kinds have in common: an account of audio, and an end."""

    def __init__(self, style: Style, options: TranscriptionOptions, max_bytes: int) -> None:
        self.style = style
        self.options = options
        self._room = max_bytes
        self._limit = max_bytes
        self._told = ""
        self.ended = False
        self.closed = False

    def take(self, pcm: bytes) -> NDArray[np.int16]:
        """Samples of ``pcm``. Raises InvalidAudio for half samples, Overloaded beyond the longest utterance."""
        if self.ended or self.closed:
            raise EngineFailed("the utterance is over: open another")
        if len(pcm) % 2:
            raise InvalidAudio(f"audio is 16-bit: {len(pcm)} bytes is no whole number of samples")
        if len(pcm) > self._room:
            raise Overloaded(f"the utterance is longer than {self._limit // (2 * RATE)} s", retryable=False)
        self._room -= len(pcm)
        return np.frombuffer(pcm, "<i2")

    def changed(self, text: str, stable: int) -> Transcript | None:
        """A partial, if ``text`` is not what was told last."""
        if text == self._told:
            return None
        self._told = text
        return Transcript(self.case(text), stable=stable, language=self.style.language)

    def final(self, reading: Reading, language: str | None = None) -> Transcript:
        """The final transcript."""
        if not self.ended or self.closed:
            raise EngineFailed("the utterance has not ended")
        words = tuple(Word(self.case(word.text), word.start, word.end, word.confidence) for word in reading.words)
        text = self.case(reading.text)
        return Transcript(text, True, len(text), words, reading.confidence, language or self.style.language)

    def case(self, text: str) -> str:
        """As people write."""
        return text.lower() if self.style.upper else text


class StreamingUtterance(Utterance):
    """An utterance that is read as it comes.

    At a long pause the library's reading is put aside and begun anew, so that a long utterance costs no more per step than
    a short one; what was put aside no longer changes.
    """

    def __init__(
        self, recogniser: Any, stream: Any, tail: int, style: Style, options: TranscriptionOptions, max_bytes: int
    ) -> None:
        super().__init__(style, options, max_bytes)
        self._recogniser = recogniser
        self.stream = stream
        self.failure: VivavoceError | None = None
        """Set where the library lost the utterance; it is then pending until ``advance`` has told."""
        self._tail = tail
        self._heard = False
        self._done = Reading()
        self._last = Piece("")

    @property
    def pending(self) -> bool:
        """Whether there is a chunk to be read, or a failure to be told."""
        return not self.closed and (self.failure is not None or bool(self._recogniser.is_ready(self.stream)))

    def send(self, pcm: bytes) -> None:
        """Keep audio; features are computed, nothing is read."""
        samples = self.take(pcm)
        if len(samples):
            self._heard = True
            self.stream.accept_waveform(RATE, samples.astype(np.float32) / 32_768)

    def end(self) -> None:
        """Behind the last audio comes as much silence as brings the last word out."""
        if not self.ended and not self.closed:
            self.ended = True
            if self._heard:
                self.stream.accept_waveform(RATE, np.zeros(self._tail, np.float32))
                self.stream.input_finished()

    def look(self) -> None:
        """Behind a step: what is read now."""
        result = self._recogniser.get_result_all(self.stream)
        tokens = list(result.tokens)
        first = not self._done.text
        self._last = Piece(
            result.text,
            tokens,
            list(result.timestamps),
            list(result.ys_probs),
            float(result.start_time),
            not first and glued(tokens, self.style.spaced),
        )
        if self._recogniser.is_endpoint(self.stream):
            self._done.add(self._last)
            self._last = Piece("")
            self._recogniser.reset(self.stream)

    def _reading(self) -> Reading:
        reading = Reading(self._done.text, list(self._done.words))
        reading.add(self._last)
        return reading

    def poll(self) -> Transcript | None:
        """Stable is what was put aside, and whole words where the model takes nothing back."""
        text = join(self._done.text, self._last)
        stable = len(self._done.text)
        if self.style.appending:
            stable = max(stable, text.rfind(" ") + 1)
        return self.changed(text, stable)

    def finish(self) -> Transcript:
        """All of it."""
        return self.final(self._reading())

    def close(self) -> None:
        """Drop the library's stream. Idempotent."""
        self.closed = True
        self.stream = None


class WholeUtterance(Utterance):
    """An utterance that is kept and read in one go, or, if it is long, in stretches that end in a pause."""

    def __init__(self, seconds: float, style: Style, options: TranscriptionOptions, max_bytes: int) -> None:
        super().__init__(style, options, max_bytes)
        self._longest = round(seconds * RATE)
        self._audio = bytearray()
        self._reading = Reading()
        self._at = 0
        self._taken = 0
        self._language: str | None = None

    @property
    def pending(self) -> bool:
        """Whether a stretch is full, or the last one is left."""
        full = len(self._audio) > 2 * self._longest
        return not self.closed and (full or (self.ended and bool(self._audio)))

    def send(self, pcm: bytes) -> None:
        """Keep audio."""
        self.take(pcm)
        self._audio += pcm

    def end(self) -> None:
        """The rest may be read."""
        self.ended = True

    def stretch(self) -> NDArray[np.float32] | None:
        """The next audio to be read, None if there is only silence in it. It stays until ``read``."""
        samples = np.frombuffer(bytes(self._audio[: 2 * (self._longest + 1)]), "<i2")
        self._taken = cut(samples, self._longest)
        samples = samples[: self._taken]
        if silent(samples):
            return None
        padded = np.zeros(max(len(samples), SHORTEST), np.float32)
        padded[: len(samples)] = samples
        padded /= 32_768
        return padded

    def read(self, piece: Piece | None, language: str | None = None) -> None:
        """What was in the stretch."""
        if piece is not None:
            self._reading.add(Piece(piece.text, piece.tokens, piece.times, piece.scores, self._at / RATE))
        self._language = language or self._language
        self._at += self._taken
        del self._audio[: 2 * self._taken]

    def poll(self) -> Transcript | None:
        """The stretches that are read no longer change."""
        return self.changed(self._reading.text, len(self._reading.text))

    def finish(self) -> Transcript:
        """All of it."""
        return self.final(self._reading, self._language)

    def close(self) -> None:
        """Forget the audio. Idempotent."""
        self.closed = True
        self._audio.clear()
