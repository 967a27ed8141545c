"""What the turn machine is told and what it commands. All times are samples (HEARING) of session time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import TurnNews
from vivavoce.sessions.asked import ReplyRequest
from vivavoce.sessions.barge_in import Reason
from vivavoce.sessions.options import ConversationOptions, Mode

Activity = Literal["idle", "listening", "thinking", "speaking", "paused"]
"""What a conversation is at: nothing, the user's turn, a reply that is not heard yet, one that is, one that stands still."""
Timer = Literal["endpoint", "finish", "decide", "transcript", "reply", "stalled", "max_turn", "idle"]


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VoiceBegan:
    """Voice activity from sample ``start`` on."""

    at: int
    start: int


@dataclass(frozen=True, slots=True)
class VoiceWent:
    """Voice goes on; ``voiced`` samples of this burst so far."""

    at: int
    voiced: int


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """No voice for the detector's release; the last voiced sample was ``end``."""

    at: int
    end: int
    voiced: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A partial reading of ``segment``, with what it means over a reply (see ``barge_in.Overheard``).

    The first ``stable`` characters of it will not change.
    """

    at: int
    segment: int
    text: str
    words: int = 0
    stop: bool = False
    echo: float = 0.0
    hesitation: bool = False
    stable: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """The final reading of ``segment``; ``failed`` when there will be none.

    ``command`` says that it is a whole sentence of a closed grammar.
    """

    at: int
    segment: int
    text: str
    words: int = 0
    stop: bool = False
    echo: float = 0.0
    failed: bool = False
    command: bool = False
    hesitation: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """The turn detector's likelihood that the speaker is done, for ``revision`` of ``turn``; None if it failed."""

    at: int
    turn: int
    revision: int
    probability: float | None


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """The language model gave its first text."""

    at: int
    generation: int


@dataclass(frozen=True, slots=True)
class ReplySounded:
    """The first audio of the reply is there (held or sent)."""

    at: int
    generation: int


@dataclass(frozen=True, slots=True)
class ReplyActed:
    """A tool with side effects ran for this reply: it cannot be unsaid any more."""

    at: int
    generation: int


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """All of the reply is synthesised: ``samples`` at the sink's rate."""

    at: int
    generation: int
    samples: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    """The reply came to nothing, or to nothing more."""

    at: int
    generation: int


@dataclass(frozen=True, slots=True)
class Played:
    """The ear has heard ``samples`` samples (sink's rate) of ``generation``."""

    at: int
    generation: int
    samples: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The timer set with this number is due."""

    at: int
    name: Timer
    number: int


@dataclass(frozen=True, slots=True)
class CommitAsked:
    """The user's turn is over by the client's word."""

    at: int


@dataclass(frozen=True, slots=True)
class InterruptAsked:
    """The reply is to stop by the client's word."""

    at: int


@dataclass(frozen=True, slots=True)
class Typed:
    """A typed turn of the user."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Announced:
    """Something to be said of the server's own accord, as soon as nobody is speaking."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Settings from now on; None leaves a setting as it is.

    ``finish_after`` is how many seconds of silence a transcription is kept open for more of the same. Of ``options`` what
    concerns the ear counts (endpointing, hint, interruption, answering), from the next sample on.
    """

    at: int
    mode: Mode | None = None
    language: str | None = None
    speculate: bool | None = None
    finish_after: float | None = None
    options: ConversationOptions | None = None


@dataclass(frozen=True, slots=True)
class ResetAsked:
    """Forget everything that is going on."""

    at: int


@dataclass(frozen=True, slots=True)
class ClearAsked:
    """The user's turn, as far as there is one, was never said."""

    at: int


@dataclass(frozen=True, slots=True)
class ReplyAsked:
    """A reply to what there is, by the client's word. One that is under way ends."""

    at: int
    request: ReplyRequest


Event = (
    VoiceBegan
    | VoiceWent
    | VoiceEnded
    | Heard
    | Read
    | Scored
    | ReplyBegan
    | ReplySounded
    | ReplyActed
    | ReplyFinished
    | ReplyFailed
    | Played
    | TimerFired
    | CommitAsked
    | InterruptAsked
    | Typed
    | Announced
    | Changed
    | ResetAsked
    | ClearAsked
    | ReplyAsked
)


# --- commands ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """Begin a transcription with the audio from sample ``start`` on."""

    segment: int
    start: int


@dataclass(frozen=True, slots=True)
class FinishSegment:
    """No more audio for ``segment``: read it."""

    segment: int


@dataclass(frozen=True, slots=True)
class CancelSegment:
    """Nobody wants the reading of ``segment``."""

    segment: int


@dataclass(frozen=True, slots=True)
class ScoreTurn:
    """Ask the turn detector about the audio up to ``end``."""

    turn: int
    revision: int
    end: int


@dataclass(frozen=True, slots=True)
class Prepare:
    """Prepare a reply to ``text`` and hold its audio; nothing with side effects may happen before its release.

    The turn ``replaces`` is part of this one. ``speculative`` tells that the turn is not judged over yet. With a
    ``request`` there is no new text: the reply is to what was said before.
    """

    stamp: Stamp
    text: str
    speculative: bool
    replaces: int | None = None
    request: ReplyRequest | None = None


@dataclass(frozen=True, slots=True)
class Speak:
    """Prepare these very words as a reply and hold their audio."""

    stamp: Stamp
    text: str


@dataclass(frozen=True, slots=True)
class Release:
    """The reply may be heard from now on.

    ``wait`` seconds were decided on by the endpointing; they count from ``speech_end``.
    """

    stamp: Stamp
    speech_end: int
    wait: float


@dataclass(frozen=True, slots=True)
class Discard:
    """A held reply is dropped; nobody ever heard of it."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Pause:
    """Playback stands still at once."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Resume:
    """Playback goes on at the sample it stopped at."""

    stamp: Stamp
    played: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Cut:
    """The reply is over at sample ``played``. ``recorded`` says whether what was heard enters history."""

    stamp: Stamp
    played: int
    reason: Literal["speech", "command", "reset", "failed", "replaced"]
    recorded: bool


@dataclass(frozen=True, slots=True)
class Complete:
    """The reply was heard to its end."""

    stamp: Stamp
    played: int


@dataclass(frozen=True, slots=True)
class RecordUser:
    """The user's turn enters history, in place of turn ``replaces`` where that was reopened."""

    stamp: Stamp
    text: str
    replaces: int | None = None


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Tell ``TimerFired(name, number)`` at session time ``due``, never where that is None.

    An earlier timer of this name is void.
    """

    name: Timer
    number: int
    due: int | None


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the client."""

    event: TurnNews


Command = (
    OpenSegment
    | FinishSegment
    | CancelSegment
    | ScoreTurn
    | Prepare
    | Speak
    | Release
    | Discard
    | Pause
    | Resume
    | Cut
    | Complete
    | RecordUser
    | SetTimer
    | Notify
)
