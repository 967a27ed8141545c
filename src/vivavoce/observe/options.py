"""What is kept of past turns, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Finished turns in memory, for the dashboard and `GET /api/turns`. Nothing goes to disk; a restart forgets them all."""

    keep: int = field(default=200, metadata={"min": 0, "max": 10_000})
    """Finished turns remembered; 0 keeps none."""
    max_age: float = 86_400.0
    """Seconds after which a turn is forgotten."""
    texts: bool = True
    """Keep what was said and answered; without it only times are kept."""
    audio: bool = False
    """Record both voices of each turn, so that it can be heard again. Tell people before you do this."""
    audio_seconds: float = field(default=30.0, metadata={"min": 1, "max": 600})
    """Longest recording of each voice of a turn; of a longer one the user's last and the reply's first seconds are kept."""
    audio_mb: int = field(default=64, metadata={"min": 1})
    """Megabytes of all recordings together; the oldest go first."""
