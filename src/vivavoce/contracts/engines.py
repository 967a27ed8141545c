"""What a local engine looks like inside its worker process: blocking, synchronous, one object per job.

An engine is loaded once per process and shared by its jobs. Each call does a bounded piece of work (aim at 20 ms or less),
so that a worker can interleave jobs and notice a cancellation between two calls. Engines raise errors of the tree;
anything else that escapes is wrapped in EngineFailed by the worker. Audio in is HEARING PCM (16 kHz mono s16le); audio
out is mono s16le at the engine's own rate (the worker resamples).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.speech import (
    Capabilities,
    Delta,
    LanguageOptions,
    Message,
    SynthesisOptions,
    Tool,
    Transcript,
    TranscriptionOptions,
    WakeWord,
)


class EngineTranscription(Protocol):
    """One utterance."""

    def send(self, pcm: bytes) -> Transcript | None:
        """Feed audio; return a partial if it changed."""

    def finish(self) -> Transcript:
        """End the utterance and return the final reading."""

    def close(self) -> None:
        """Give everything back, finished or not. Idempotent."""


class TranscriptionEngine(Protocol):
    """Speech to text."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, options: TranscriptionOptions) -> EngineTranscription: ...

    def close(self) -> None: ...


class BatchTranscription(EngineTranscription, Protocol):
    """One utterance of a BatchTranscriptionEngine: calls on it only take and give, the work is done in ``advance``.

    ``send`` keeps audio and returns None. ``finish`` is called behind ``end`` once nothing is pending, and only reads.
    """

    @property
    def pending(self) -> bool:
        """Whether ``advance`` has something to do for it: enough audio for a step, or the rest behind ``end``."""

    def end(self) -> None:
        """No more audio comes. Idempotent."""

    def poll(self) -> Transcript | None:
        """The partial, if it has changed since the last ``poll``."""


class BatchTranscriptionEngine(TranscriptionEngine, Protocol):
    """Speech to text of several utterances in one step, or in steps that a single call could not bound.

    The worker gathers what is pending for at most ``WINDOW`` seconds and hands over up to ``BATCH`` utterances at once.
    """

    BATCH: int
    """Most utterances a step takes; 1 where the library cannot batch."""
    WINDOW: float
    """Seconds a first pending utterance waits for company; 0 where that gains nothing."""

    def open(self, options: TranscriptionOptions) -> BatchTranscription: ...

    def advance(self, streams: Sequence[BatchTranscription]) -> None:
        """One bounded step for each of ``streams``, all of them pending. Between two steps any of them may be closed.

        Where all would be too much for one step (heartbeats are answered between two), those left out stay pending.
        If it raises, those still pending are advanced one by one, and whichever raises by itself fails alone.
        """


class EngineAudio(Protocol):
    """One piece of synthesised audio. Spans count characters of the text given to this ``speak`` call."""

    @property
    def pcm(self) -> bytes: ...

    @property
    def text_start(self) -> int: ...

    @property
    def text_end(self) -> int: ...

    @property
    def exact(self) -> bool: ...


class EngineSynthesis(Protocol):
    """One job: pieces of text spoken one after the other with the same options."""

    @property
    def format(self) -> AudioFormat: ...

    def speak(self, text: str) -> Iterator[EngineAudio]:
        """Speak one piece; each ``next`` is a bounded step. Abandoning the iterator cancels."""

    def close(self) -> None: ...


class SynthesisEngine(Protocol):
    """Text to speech."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, options: SynthesisOptions) -> EngineSynthesis:
        """Raises UnknownName for a voice or language it has not."""

    def close(self) -> None: ...


class LanguageEngine(Protocol):
    """Messages to deltas."""

    @property
    def capabilities(self) -> Capabilities: ...

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> Iterator[Delta]: ...

    def close(self) -> None: ...


class VoiceActivityEngine(Protocol):
    """Voice activity over many streams at once. A slot is one stream's state."""

    FRAME_SAMPLES: int
    """Samples (HEARING) per frame; the worker cuts streams into these."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self) -> int:
        """A fresh slot."""

    def detect(self, frames: Sequence[tuple[int, bytes]]) -> list[tuple[float, float]]:
        """Judge one frame for each of several *different* slots in one batch: (probability, level in dBFS) in order."""

    def reset(self, slot: int) -> None: ...

    def release(self, slot: int) -> None: ...

    def close(self) -> None: ...


class TurnEngine(Protocol):
    """End of turn from sound."""

    @property
    def capabilities(self) -> Capabilities: ...

    def score(self, pcm: bytes) -> float:
        """Probability that the speaker is done; up to 8 s of HEARING PCM ending at a pause."""

    def close(self) -> None: ...


class WakeWordStream(Protocol):
    """One stream that is listened to for a few words."""

    def send(self, pcm: bytes) -> Sequence[WakeWord]:
        """Feed audio of any even length; the words recognised in it. Positions count from the start or the last reset."""

    def reset(self) -> None:
        """Forget what was heard; positions begin at 0 again."""

    def close(self) -> None:
        """Give everything back. Idempotent."""


class WakeWordEngine(Protocol):
    """Recognises a few words in running audio. ``Capabilities.words`` are those it has."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, words: Sequence[str]) -> WakeWordStream:
        """Listen for ``words``, or for all it has where there are none. Raises UnknownName."""

    def close(self) -> None: ...
