"""A reply that a client asks for, in place of the one that follows a turn by itself."""

from __future__ import annotations

from dataclasses import dataclass

from vivavoce.contracts.speech import Message, Tool


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """What is wished of one reply; None leaves it to the session.

    ``messages`` take the place of the history. ``remark`` is told the model behind them, as the user's, for this reply only.
    A reply that is not ``recorded`` leaves no trace in history.
    """

    instructions: str | None = None
    messages: tuple[Message, ...] | None = None
    tools: tuple[Tool, ...] | None = None
    spoken: bool | None = None
    max_tokens: int | None = None
    voice: str | None = None
    remark: str = ""
    recorded: bool = True
