"""What a session may change while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.contracts.speech import Tool


@dataclass(slots=True)
class Settings:
    """``None`` for a provider is the default; volume 1.0 leaves samples as they are. ``tools`` are run by the client."""

    language: str
    voice: str
    speed: float
    volume: float = 1.0
    stt: str | None = None
    llm: str | None = None
    tts: str | None = None
    instructions: str = ""
    spoken: bool = True
    tools: tuple[Tool, ...] = ()
    max_tokens: int | None = None
