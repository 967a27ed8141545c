"""What a session may change while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Settings:
    """``None`` for a provider is the default; volume 1.0 leaves samples as they are."""

    language: str
    voice: str
    speed: float
    volume: float = 1.0
    stt: str | None = None
    llm: str | None = None
    tts: str | None = None
