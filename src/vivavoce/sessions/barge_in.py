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
    for all of it; ``late`` that the time to decide is up, ``overdue`` that it is so even for a voice without a word.
    ``premature`` says that the reply may have come too soon: next to nothing of it was heard. ``hesitation`` says that
    there is nothing but "um": over a reply that is no word, but who hesitates right after a decision holds the floor.
    """

    voiced: float
    ended: bool
    late: bool
    text: bool = False
    words: int = 0
    stop: bool = False
    echo: float = 0.0
    read: bool = False
    overdue: bool = False
    premature: bool = False
    hesitation: bool = False


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Cut the reply."""

    reason: CutReason


@dataclass(frozen=True, slots=True)
class Harmless:
    """Resume the reply."""

    reason: Reason


def judge(heard: Overheard, options: BargeInOptions) -> Interrupts | Harmless | None:
    """Decide, or None to listen on. Once ``late`` there is a decision, while the voice goes on once it is ``overdue``.

    A hum has no words for as long as it lasts; so a voice without one is waited for until ``cut_wordless``: the reply stands
    still meanwhile, and whoever meant to interrupt is not spoken over. Nor is one whose first words were read as a mere
    "eh": while the voice goes on there may be more of them, and until it is ``late`` also behind it, unless it was but a
    click, for between two words there is silence, too. Nobody agrees with a reply that has not begun, so a
    ``premature`` one stands still until the words are there, and one word ends it.
    """
    if heard.stop:
        return Interrupts("command")
    if heard.premature and heard.hesitation and heard.voiced >= options.min_voiced:
        return Interrupts("speech")
    echo = heard.text and heard.echo >= options.echo_similarity
    if heard.voiced >= options.min_voiced and not echo and heard.words >= (1 if heard.premature else options.min_words):
        return Interrupts("speech")
    harmless = Harmless("echo" if echo else "backchannel" if heard.text else "noise")
    if heard.ended and (heard.read or heard.voiced < options.min_voiced):
        meant = heard.words > 0 and heard.voiced >= options.min_voiced and not echo
        long = heard.voiced >= options.cut_wordless and not heard.text
        if meant or long:
            return Interrupts("speech")
        return harmless if heard.late or echo or heard.voiced < options.brief else None
    if not heard.text and not heard.ended and not heard.overdue:
        return Interrupts("speech") if heard.voiced >= options.cut_wordless else None
    if not heard.late or (heard.premature and not heard.overdue):
        return None
    if heard.voiced >= options.cut_voiced and heard.words > 0 and not echo:
        return Interrupts("speech")
    goes_on = not heard.ended and not echo and not heard.overdue
    return None if goes_on else harmless
