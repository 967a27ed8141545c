"""Names for what is made."""

from __future__ import annotations

import secrets


def fresh(prefix: str) -> str:
    """``prefix_`` and 24 characters nobody can guess."""
    return f"{prefix}_{secrets.token_hex(12)}"
