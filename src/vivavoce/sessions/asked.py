"""A reply that a client asks for, in place of the one that follows a turn by itself."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.contracts.speech import Message, Tool


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What is wished of one reply; None leaves it to the session.

    ``messages`` take the place of the history. A reply that is not ``recorded`` leaves no trace in history.
    """

    instructions: str | None = None
    messages: tuple[Message, ...] | None = None
    tools: tuple[Tool, ...] | None = None
    spoken: bool | None = None
    max_tokens: int | None = None
    recorded: bool = True
