"""Speech over a reply: is it an interruption? One pure decision.

The reply stands still from the first voiced frame on; this tells, as soon as it can, whether to cut it or to go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vivavoce.sessions.options import BargeInOptions

CutReason = Literal["speech", "command"]
Reason = Literal["noise", "backchannel", "echo"]
"""Why speech over a reply was no interruption."""


@dataclass(frozen=True, slots=True)
class Overheard:
    """What is known of the speech over the reply. Times are seconds.

    ``words`` counts words beyond backchannels and beyond the reply's own; ``read`` says that a final reading is there
    for all of it; ``late`` that the time to decide is up.
    """

    voiced: float
    ended: bool
    late: bool
    text: bool = False
    words: int = 0
    stop: bool = False
    echo: float = 0.0
    read: bool = False


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Cut the reply."""

    reason: CutReason


@dataclass(frozen=True, slots=True)
class Harmless:
    """Resume the reply."""

    reason: Reason


def judge(heard: Overheard, options: BargeInOptions) -> Interrupts | Harmless | None:
    """Decide, or None to listen on. Once ``late`` there always is a decision."""
    if heard.stop:
        return Interrupts("command")
    echo = heard.text and heard.echo >= options.echo_similarity
    if heard.voiced >= options.min_voiced and not echo and heard.words >= options.min_words:
        return Interrupts("speech")
    harmless = Harmless("echo" if echo else "backchannel" if heard.text else "noise")
    if heard.ended and (heard.read or heard.voiced < options.min_voiced):
        meant = heard.words > 0 and heard.voiced >= options.min_voiced and not echo
        long = heard.voiced >= options.cut_voiced and not heard.text
        return Interrupts("speech") if meant or long else harmless
    if not heard.late:
        return None
    if heard.voiced >= options.cut_voiced and not echo and (heard.words > 0 or not heard.text):
        return Interrupts("speech")
    return harmless
