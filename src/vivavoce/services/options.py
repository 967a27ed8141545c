"""What can be configured about model files. Durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Where model files are fetched from, and how patiently."""

    mirror: str = ""
    """Base address used in place of the model hub's (`https://mirror.example`); empty is the hub itself."""
    connect_timeout: float = field(default=10.0, metadata={"min": 0.1})
    """Longest time to reach a host."""
    read_timeout: float = field(default=30.0, metadata={"min": 0.1})
    """Longest silence within a download; then it is resumed."""
    attempts: int = field(default=5, metadata={"min": 1, "max": 20})
    """Tries in a row that bring nothing before a download is given up. What has come is kept and resumed."""
    back_off: float = field(default=0.5, metadata={"max": 60})
    """Wait behind the first failed try; it doubles up to a minute."""
