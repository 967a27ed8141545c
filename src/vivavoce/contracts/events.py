"""What happens in a session, as it is told to the client, to logs and to metrics.

Start and stop are not symmetrical: ``SpeechStarted`` comes with the first voiced frame, ``SpeechStopped`` only after the
detector's release; both carry the sample offset (HEARING) at which the thing itself happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.speech import ToolCall


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak at sample ``at``."""

    stamp: Stamp
    at: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user's last speech sample so far is ``at``; the turn may still go on."""

    stamp: Stamp
    at: int


@dataclass(frozen=True, slots=True)
class TurnDiscarded:
    """What was heard was no turn: a cough, a noise, silence. ``reason`` is a stable word."""

    stamp: Stamp
    reason: Literal["noise", "backchannel", "echo", "empty", "reset"]


@dataclass(frozen=True, slots=True)
class TranscriptUpdated:
    """The reading of the user's turn so far; ``final`` once per turn, when the turn is committed.

    ``stable`` counts the characters of a partial reading that will not change; 0 where nobody says so.
    """

    stamp: Stamp
    text: str
    final: bool
    stable: int = 0


@dataclass(frozen=True, slots=True)
class TurnContinued:
    """The end of turn ``continues`` is taken back: the speaker goes on, before any of the reply was heard that counts.

    Its reply is withdrawn, history keeps nothing of it, and this turn's transcript holds both parts from now on.
    """

    stamp: Stamp
    continues: int


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """The reply of this generation is committed; its text and audio follow."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ReplyText:
    """A piece of the reply's text, as written by the language model."""

    stamp: Stamp
    text: str


@dataclass(frozen=True, slots=True)
class ReplyPaused:
    """Speech was heard over the reply: playback stands still until it is resumed or interrupted."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ReplyResumed:
    """It was no interruption: playback goes on at sample ``at`` of the reply."""

    stamp: Stamp
    at: int
    reason: Literal["noise", "backchannel", "echo"]


@dataclass(frozen=True, slots=True)
class ReplyInterrupted:
    """The reply is over: ``heard`` is its text up to the last word that reached the ear, ``at`` the sample."""

    stamp: Stamp
    at: int
    heard: str
    reason: Literal["speech", "command", "reset", "failed", "replaced"]


@dataclass(frozen=True, slots=True)
class Waterfall:
    """When each thing of a turn happened, in seconds after the end of the user's speech; None where it did not.

    ``wait`` is the part of ``decision`` the endpointing decided on. ``speculated`` tells whether the reply was prepared
    before the decision.
    """

    speech_end: float = 0.0
    speech_stopped: float | None = None
    turn_scored: float | None = None
    transcript: float | None = None
    decision: float | None = None
    first_token: float | None = None
    first_sentence: float | None = None
    first_audio: float | None = None
    first_sent: float | None = None
    first_played: float | None = None
    finished: float | None = None
    wait: float = 0.0
    speculated: bool = False
    revisions: int = 0

    @property
    def stt(self) -> float | None:
        """Seconds from the end of speech to the final transcript."""
        return self.transcript

    @property
    def llm(self) -> float | None:
        """Seconds from the transcript to the first token."""
        return _between(self.transcript, self.first_token)

    @property
    def tts(self) -> float | None:
        """Seconds from the first sentence to the first audio."""
        return _between(self.first_sentence, self.first_audio)

    @property
    def total(self) -> float | None:
        """Seconds from the end of speech to the first audio played (or sent, where nobody acknowledges)."""
        return self.first_sent if self.first_played is None else self.first_played


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)


@dataclass(frozen=True, slots=True)
class ResponseCompleted:
    """The exchange is over and in history. ``text`` is what was heard of the reply.

    ``requested`` are the calls of the client's own tools it ended in: the client is to run them.
    """

    stamp: Stamp
    text: str
    interrupted: bool
    waterfall: Waterfall
    requested: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """A tool ran for this turn; its result is in history whatever became of the reply.

    But a turn that is continued takes what was merely looked up for its first part with it.
    """

    stamp: Stamp
    name: str
    arguments: dict[str, Any]
    result: str


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """Something went wrong; the session lives on. ``code`` is from the error tree."""

    stamp: Stamp
    code: str
    message: str
    retryable: bool


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """A setting of the session has a new value (language, voice, mode, provider, speed, volume)."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Woke:
    """A wake word was recognised; what is said behind sample ``at`` (HEARING) is listened to."""

    word: str
    at: int


@dataclass(frozen=True, slots=True)
class Slept:
    """It was quiet: from sample ``at`` (HEARING) on nothing is listened to but the wake words."""

    at: int


SessionEvent = (
    SpeechStarted
    | SpeechStopped
    | TurnDiscarded
    | TurnContinued
    | TranscriptUpdated
    | ReplyStarted
    | ReplyText
    | ReplyPaused
    | ReplyResumed
    | ReplyInterrupted
    | ResponseCompleted
    | ToolUsed
    | SessionFailed
    | SettingsChanged
    | Woke
    | Slept
)

TurnNews = SpeechStarted | SpeechStopped | TranscriptUpdated | TurnDiscarded | TurnContinued | SessionFailed
"""What there is to tell of the user's turn."""
