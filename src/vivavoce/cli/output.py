"""How the command line speaks: plain lines for people and pipes, JSON for programs, one line for an error."""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

from vivavoce.contracts.errors import (
    ConfigurationError,
    DeadlineExceeded,
    EngineMissing,
    InvalidRequest,
    Overloaded,
    Unavailable,
    VivavoceError,
)

EXIT_CODES: tuple[tuple[type[VivavoceError], int], ...] = (
    (InvalidRequest, 2),
    (ConfigurationError, 3),
    (EngineMissing, 4),
    (Unavailable, 5),
    (Overloaded, 5),
    (DeadlineExceeded, 5),
    (VivavoceError, 1),
)
"""The first class that fits counts. 2 is also what a wrong flag gives."""

STYLES = {"ok": "32", "note": "36", "warn": "33", "fail": "31", "dim": "2"}


def exit_code(error: VivavoceError) -> int:
    """The exit status for an error of the tree."""
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def line(text: str = "") -> None:
    """One line on standard output."""
    print(text, flush=True)


def note(text: str) -> None:
    """One line on standard error: progress and remarks that are not the result."""
    print(text, file=sys.stderr, flush=True)


def data(value: Any) -> None:
    """A result for programs: JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False), flush=True)


def error(problem: VivavoceError | OSError, *, debug: bool) -> None:
    """Say what went wrong, each problem on a line of its own; with ``debug`` show where."""
    if debug:
        traceback.print_exception(problem)
    if isinstance(problem, VivavoceError):
        message = problem.message
    else:
        message = problem.strerror or str(problem)
        message = f"{problem.filename}: {message}" if problem.filename else message
    for text in message.splitlines() or [type(problem).__name__]:
        note(f"error: {text}")


def styled(text: str, style: str) -> str:
    """Coloured on a terminal, plain in a pipe."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if sys.stdout.isatty() else text
