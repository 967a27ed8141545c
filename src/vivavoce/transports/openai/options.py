"""What can be configured about the OpenAI door."""

from __future__ import annotations

from dataclasses import dataclass, field

from vivavoce.sessions.speech_sessions import SpeechSessionOptions


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """The routes under `/v1`."""

    max_input: int = field(default=100_000, metadata={"min": 1})
    """Characters of one text to be spoken."""
    max_upload: int = field(default=100_000_000, metadata={"min": 1_000})
    """Bytes of one recording."""
    threads: int = field(default=2, metadata={"min": 1, "max": 64})
    """Threads that encode and decode audio."""
    sessions: SpeechSessionOptions = field(default_factory=SpeechSessionOptions)
    """Speech sessions: text appended by one request, heard by another."""
    waiting: int = field(default=256, metadata={"min": 1})
    """Pieces of audio that may wait for those threads; beyond it requests are refused."""
