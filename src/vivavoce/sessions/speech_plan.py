"""Which words lie at which sample of a reply: from what was heard back to what was written."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from vivavoce.contracts.speech import SpokenAudio
from vivavoce.text.speakable import Speakable

BETWEEN = " "
"""What separates two segments in the text given to synthesis."""


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """A stretch of the reply: where it stands in the written text and in the text given to synthesis."""

    written_start: int
    spoken_start: int
    spoken: Speakable


class SpeechPlan:
    """Written text → spoken text → samples, and back. All positions count from the beginning of the reply."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._written_length = 0
        self._spoken_length = 0
        self._segments: list[PlannedSegment] = []
        self._ends: list[int] = []
        self._spans: list[tuple[int, int]] = []
        self.samples = 0

    @property
    def written(self) -> str:
        """All text so far."""
        return "".join(self._written)

    @property
    def segments(self) -> list[PlannedSegment]:
        """All speakable segments so far."""
        return self._segments

    @property
    def spoken_length(self) -> int:
        """Characters given to synthesis so far."""
        return self._spoken_length

    def add_segment(self, written: str, spoken: Speakable) -> PlannedSegment | None:
        """The next stretch of text; None where nothing of it can be spoken."""
        segment = PlannedSegment(self._written_length, self._spoken_length, spoken)
        self._written.append(written)
        self._written_length += len(written)
        if not spoken.text:
            return None
        self._spoken_length += len(spoken.text) + len(BETWEEN)
        self._segments.append(segment)
        return segment

    def add_audio(self, audio: SpokenAudio, spoken_base: int) -> None:
        """The next audio; its span counts from ``spoken_base``."""
        self.samples += audio.chunk.samples
        self._ends.append(self.samples)
        self._spans.append((spoken_base + audio.text_start, spoken_base + audio.text_end))

    @property
    def spoken_until(self) -> int:
        """Characters of spoken text that there is audio for."""
        return self._spans[-1][1] if self._spans else 0

    def heard(self, samples: int) -> str:
        """The written words that the first ``samples`` samples say, whole words only."""
        if samples <= 0 or not self._ends:
            return ""
        index = bisect_right(self._ends, samples)
        if index >= len(self._ends):
            return self._written_until(self._spans[-1][1])
        begin = self._ends[index - 1] if index else 0
        start, end = self._spans[index]
        share = (samples - begin) / max(1, self._ends[index] - begin)
        return self._written_until(start + int(share * (end - start)))

    def _written_until(self, spoken: int) -> str:
        index = bisect_right(self._segments, spoken, key=lambda segment: segment.spoken_start) - 1
        if index < 0:
            return ""
        segment = self._segments[index]
        end = segment.written_start + segment.spoken.source_end(min(spoken - segment.spoken_start, len(segment.spoken.text)))
        return self.written[:end].rstrip()
