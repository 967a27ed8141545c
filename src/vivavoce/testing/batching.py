"""A scripted engine that reads several utterances in one step; it enters by the entry point ``test/batch``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from vivavoce.contracts.errors import EngineFailed, UnknownName
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions
from vivavoce.testing.engines import obey, peak

STEP = 3_200
"""Bytes (100 ms) of each utterance that a step reads."""


class Batch:
    """Hears one letter per 100 ms that are not silent, as ``Echo`` does, for up to ``BATCH`` utterances a step.

    The vocabulary word ``sizes`` makes a final tell the largest batch that the utterance was in, as its confidence.
    Settings: ``batch`` (8), ``window`` (seconds, 0.01), ``step_seconds`` (what a step takes), ``hoard`` (MB taken at load).
    """

    capabilities = Capabilities("test/batch", languages=("en",), concurrency=8, licence="Apache-2.0")

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.BATCH = int(settings.get("batch", 8))
        self.WINDOW = float(settings.get("window", 0.01))
        self._step_seconds = float(settings.get("step_seconds", 0.0))
        self._hoard = bytearray(int(settings.get("hoard", 0)) << 20)
        self.batches: list[list[BatchStream]] = []
        """Who was in which batch (the last 10 000)."""

    def open(self, options: TranscriptionOptions) -> BatchStream:
        """Vocabulary words are obeyed at each step; ``open-crash`` crashes here."""
        if "open-crash" in options.vocabulary:
            os._exit(5)
        if options.language not in ("en", "any"):
            raise UnknownName(f"no language {options.language!r}")
        return BatchStream(options.vocabulary)

    def advance(self, streams: Sequence[BatchStream]) -> None:
        """Refuses a stream twice in a batch, one that is not pending or is closed, and more than BATCH."""
        if len(set(streams)) != len(streams) or not 0 < len(streams) <= self.BATCH:
            raise EngineFailed(f"bad batch of {len(streams)}")
        if not all(stream.pending for stream in streams):
            raise EngineFailed("a stream that is not pending")
        self.batches.append(list(streams))
        del self.batches[:-10_000]
        time.sleep(self._step_seconds)
        for stream in streams:
            stream.hear(len(streams))

    def close(self) -> None:
        """Give the hoard back."""
        self._hoard.clear()


class BatchStream:
    """One utterance."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._demands = vocabulary
        self._pcm = b""
        self._text = ""
        self._told = ""
        self._ended = False
        self._largest = 0
        self.closed = False

    @property
    def pending(self) -> bool:
        """A step of audio, or what is left behind the end."""
        return not self.closed and (len(self._pcm) >= STEP or (self._ended and bool(self._pcm)))

    def send(self, pcm: bytes) -> None:
        """Keep it. Refuses audio behind the end."""
        if self._ended or self.closed:
            raise EngineFailed("audio behind the end")
        self._pcm += pcm

    def end(self) -> None:
        """No more comes."""
        self._ended = True

    def hear(self, company: int) -> None:
        """A step."""
        obey(self._demands)
        pcm, self._pcm = self._pcm[:STEP], self._pcm[STEP:]
        level = peak(pcm)
        self._largest = max(self._largest, company)
        if level:
            self._text += "abcdefghijklmnopqrstuvwxyz"[min(25, level * 26 // 32768)]

    def poll(self) -> Transcript | None:
        """The text, if it has grown."""
        if self._text == self._told:
            return None
        self._told = self._text
        return Transcript(self._text, stable=len(self._text))

    def finish(self) -> Transcript:
        """What was heard. Refuses to be called before ``end`` or with something pending."""
        if not self._ended or self.pending or self.closed:
            raise EngineFailed("finish out of place")
        sizes = float(self._largest) if "sizes" in self._demands else None
        return Transcript(self._text, final=True, stable=len(self._text), confidence=sizes, language="en")

    def close(self) -> None:
        """Idempotent."""
        self.closed = True
