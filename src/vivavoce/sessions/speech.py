"""A text becomes speech: said as a whole, or while it is still being written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from vivavoce.contracts.errors import InvalidText, Overloaded, ProtocolViolation
from vivavoce.contracts.ports import TextToSpeech
from vivavoce.contracts.speech import SpokenAudio, SynthesisOptions
from vivavoce.flow.tasks import Signal
from vivavoce.text.segmentation import Segmenter
from vivavoce.text.speakable import speakable

AHEAD = 600
"""Characters handed to the voice ahead of what it has said: enough to never wait, little enough to cancel."""
SLICE = 1_000
"""Characters cut into segments at once: about a millisecond of work."""


@dataclass(frozen=True, slots=True)
class SpeechLimits:
    """Bounds of one spoken text."""

    max_text: int = 100_000
    """Characters of one text, however it comes."""
    max_waiting: int = 20_000
    """Characters appended ahead of the voice; beyond it the writer has to wait."""


class Speech:
    """One spoken text. Iterate for its audio while text is appended; spans of the audio count spoken characters.

    Segmentation and normalisation keep pace with the listener, so the first audio comes as soon after a hundred pages as
    after a sentence, and reading on is what makes the voice go on.
    """

    def __init__(self, tts: TextToSpeech, options: SynthesisOptions, limits: SpeechLimits) -> None:
        """Raises UnknownName, Overloaded or Unavailable, now or later through the iteration."""
        self._limits = limits
        self._language = options.language
        self._segmenter = Segmenter(options.language)
        self._synthesis = tts.open(options)
        self._waiting = ""
        self._taken = 0
        self._sent = 0
        self._said = 0
        self._ended = False
        self._flushing = False
        self._finished = False
        self._cancelled = False
        self._moved = Signal()
        self.seconds = 0.0
        """Of audio so far."""
        self.complete = False
        """Whether all of it was said: it has ended, and nobody withdrew it."""

    @property
    def waiting(self) -> int:
        """Characters that were appended and not yet handed to the voice."""
        return len(self._waiting)

    @property
    def speakable(self) -> bool:
        """Whether there was anything so far that can be said."""
        return self._sent > 0

    def append(self, text: str) -> None:
        """Say this, too.

        Raises InvalidText over the limit, Overloaded too far ahead of the voice, ProtocolViolation behind ``end``.
        """
        if self._cancelled:
            return
        if self._ended:
            raise ProtocolViolation("this text has ended; open another")
        if self._taken + len(text) > self._limits.max_text:
            raise InvalidText(f"a spoken text has at most {self._limits.max_text} characters; say the rest in another")
        if len(self._waiting) + len(text) > self._limits.max_waiting and self._waiting:
            raise Overloaded(
                f"{len(self._waiting)} characters wait to be spoken; read audio, or append more slowly", retry_after=1
            )
        self._taken += len(text)
        self._waiting += text
        self._feed()

    async def room(self) -> None:
        """Wait until less than half of what may wait does; for writers faster than the voice."""
        while len(self._waiting) > self._limits.max_waiting // 2 and not self._cancelled:
            await self._moved.wait()

    def flush(self) -> None:
        """Say what is there even if it ends in mid-sentence."""
        self._flushing = True
        self._feed()

    def end(self) -> None:
        """No more text: the iteration ends behind the last audio. Idempotent."""
        self._ended = True
        self._feed()

    def cancel(self) -> None:
        """Withdraw; the iteration ends at once. Idempotent."""
        self._cancelled = True
        self._waiting = ""
        self._synthesis.cancel()
        self._moved.notify()

    def __aiter__(self) -> AsyncIterator[SpokenAudio]:
        return self._read()

    async def _read(self) -> AsyncIterator[SpokenAudio]:
        try:
            async for audio in self._synthesis:
                self._said = audio.text_end
                self.seconds += audio.chunk.format.seconds(audio.chunk.samples)
                self._feed()
                yield audio
            self.complete = self._finished and not self._cancelled
        finally:
            self.cancel()

    def _feed(self) -> None:
        """Hand over as much as may be ahead."""
        if self._cancelled or self._finished:
            return
        while self._sent - self._said < AHEAD and (self._waiting or self._flushing or self._ended) and not self._finished:
            piece, self._waiting = self._waiting[:SLICE], self._waiting[SLICE:]
            segments = self._segmenter.push(piece)
            if (self._ended or self._flushing) and not self._waiting:
                segments += self._segmenter.finish()
                self._flushing, self._finished = False, self._ended
            for segment in segments:
                words = speakable(segment, self._language).text
                if words:
                    self._synthesis.send(words + " ")
                    self._sent += len(words) + 1
        if self._finished:
            self._synthesis.finish()
        self._moved.notify()
