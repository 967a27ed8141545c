"""Plays a WAV file on the speaker with whatever command the system has."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from vivavoce.contracts.errors import EngineMissing, Unavailable

PLAYERS: tuple[tuple[str, ...], ...] = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("afplay",),
)
"""Sound servers first: they mix; the plain device may be taken."""


def find_player(which: Callable[[str], str | None] = shutil.which) -> tuple[str, ...] | None:
    """The first player that is installed, with its arguments."""
    return next((player for player in PLAYERS if which(player[0])), None)


def require_player() -> tuple[str, ...]:
    """As ``find_player``; raises EngineMissing where there is none."""
    player = find_player()
    if player is None:
        names = ", ".join(player[0] for player in PLAYERS)
        raise EngineMissing(f"nothing here plays sound (looked for {names}); write a file with -o reply.wav")
    return player


def play(player: tuple[str, ...], path: Path) -> None:
    """Play to the end. Raises Unavailable where the player fails, for example without a sound card."""
    result = subprocess.run([*player, str(path)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        said = result.stderr.strip().splitlines()
        reason = said[-1] if said else f"status {result.returncode}"
        raise Unavailable(f"{player[0]} could not play: {reason}; write a file with -o reply.wav")
