"""What the server says on `/ws/audio`, one class a message: the encoder and the published schema are made from these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from vivavoce.contracts.speech import Voice
from vivavoce.sessions.options import Mode, Speculation

_SERVER = ConfigDict(extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Numbered:
    """Every message has a number."""

    seq: int = 0
    """Of this message in its session: 1, 2, 3 and so on, across connections."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Resumption:
    """How to go on after the connection was lost."""

    token: str
    """For `resume`, once."""
    window_s: float
    """Seconds the session waits for its client."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class InputFormat:
    """What the client sends."""

    rate: int
    encoding: Literal["pcm_s16le"] = "pcm_s16le"
    channels: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class OutputFormat:
    """What the server sends: a header of `header_bytes`, then `frame_ms` of audio."""

    rate: int
    frame_ms: int
    header_bytes: int
    encoding: Literal["pcm_s16le"] = "pcm_s16le"
    channels: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class AudioFormats:
    """Formats in force."""

    input: InputFormat
    output: OutputFormat


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Providers:
    """Names of what can be chosen; the first is the default."""

    stt: tuple[str, ...]
    llm: tuple[str, ...]
    tts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Limits:
    """What the server accepts of this connection."""

    audio_message_bytes: tuple[int, int]
    """Smallest and largest binary message."""
    text_characters: tuple[int, int]
    """Shortest and longest typed turn."""
    control_messages_per_minute: int
    """JSON messages besides `played`."""
    played_per_second: int
    """Acknowledgements."""
    audio_speed: float
    """Microphone audio, in times real time."""
    audio_burst_seconds: float
    """Audio that may come at once."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Settings:
    """Settings in force when the session begins."""

    language: str
    voice: str
    mode: Mode
    stt: str
    llm: str
    tts: str
    speculation: Speculation
    acknowledge: bool
    wake_words: tuple[str, ...]
    """Words that wake the session, which begins asleep; none: it always listens."""
    wake_timeout: float
    """Seconds of quiet after which it falls asleep again."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Ready(Numbered):
    """The session is open. The answer to `hello`, or to the first other message."""

    type: Literal["ready"] = "ready"
    session: str
    """Identifier of the session."""
    version: int
    """Protocol version in force."""
    audio: AudioFormats
    """Formats in force."""
    settings: Settings
    """Settings in force."""
    languages: tuple[str, ...]
    """Languages that can be chosen."""
    providers: Providers
    """Providers that can be chosen."""
    voices: tuple[Voice, ...]
    """Voices of the text-to-speech provider for the language."""
    modes: tuple[Mode, ...]
    """Modes that can be chosen."""
    limits: Limits
    """Limits of the connection."""
    resume: Resumption | None
    """How to go on after the connection was lost; null where the server has that switched off."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class SessionResumed(Numbered):
    """The session goes on: the answer to `resume`. Its `seq` is the client's own; the messages it missed follow, then the
    audio it missed, then what is new."""

    type: Literal["session_resumed"] = "session_resumed"
    session: str
    """Identifier of the session."""
    input_samples: int
    """Microphone samples the server has received in this session, at `audio.input.rate`: go on sending from there."""
    replayed: int
    """Messages that follow with the `seq` they had."""
    resume: Resumption
    """For the next time."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Stamped(Numbered):
    """Every event says which turn, revision and generation it belongs to."""

    type: str
    turn: int
    """Exchanges of the session, from 1; 0 before the first."""
    revision: int
    """Plausible ends of the turn."""
    generation: int
    """Replies ever begun; audio and events of a smaller one than the newest are stale."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class SpeechStarted(Stamped):
    """The user began to speak."""

    type: Literal["speech_started"] = "speech_started"
    at: int
    """Where: samples at 16 kHz since the session began."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class SpeechStopped(Stamped):
    """The user paused; the turn may still go on."""

    type: Literal["speech_stopped"] = "speech_stopped"
    at: int
    """The last sample of speech, at 16 kHz since the session began."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class TurnDiscarded(Stamped):
    """What was heard was no turn."""

    type: Literal["turn_discarded"] = "turn_discarded"
    reason: str
    """`noise`, `backchannel`, `echo`, `empty` or `reset`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class TurnContinued(Stamped):
    """The speaker goes on: the end of an earlier turn is taken back, before any of its reply was heard that counts.

    Forget that turn's transcription and reply; this turn's transcription holds both parts.
    """

    type: Literal["turn_continued"] = "turn_continued"
    continues: int
    """Number of the earlier turn."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Transcription(Stamped):
    """The reading of the user's turn so far."""

    type: Literal["transcription"] = "transcription"
    text: str
    """The whole turn, not only what is new."""
    final: bool
    """True once per turn, when it is committed; `turn_continued` may take that back."""
    stable: int
    """Characters of `text` that will not change any more."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class ReplyStarted(Stamped):
    """The reply of this generation begins; its text and audio follow."""

    type: Literal["reply_started"] = "reply_started"


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class ReplyText(Stamped):
    """A piece of the reply's text."""

    type: Literal["text"] = "text"
    content: str
    """Append it to what came before."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Paused(Stamped):
    """Speech over the reply: stop playing at the current sample, keep what is buffered, and send `played`."""

    type: Literal["paused"] = "paused"


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Resumed(Stamped):
    """It was no interruption: go on playing."""

    type: Literal["resumed"] = "resumed"
    at: int
    """Sample of the generation to go on with: the one playback stopped at."""
    reason: str
    """`noise`, `backchannel` or `echo`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Interrupted(Stamped):
    """The reply is over: drop its audio, and that of every older generation."""

    type: Literal["interrupted"] = "interrupted"
    at: int
    """Samples of the generation that count as heard."""
    heard: str
    """The reply up to the last word that reached the ear."""
    reason: str
    """`speech`, `command`, `reset`, `failed` or `replaced`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class LatencyWaterfall:
    """When each thing of a turn happened: milliseconds after the end of the user's speech, null where it did not."""

    speech_stopped: float | None
    turn_scored: float | None
    transcript: float | None
    decision: float | None
    first_token: float | None
    first_sentence: float | None
    first_audio: float | None
    first_sent: float | None
    first_played: float | None
    finished: float | None
    wait: float
    """The part of `decision` that was decided on."""
    speculated: bool
    """Whether the reply was prepared before the decision."""
    revisions: int
    stt: float | None
    """From the end of speech to the transcript."""
    llm: float | None
    """From the transcript to the first token."""
    tts: float | None
    """From the first sentence to the first audio."""
    total: float | None
    """From the end of speech to the first audio played (sent, where nobody acknowledges)."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class ResponseComplete(Stamped):
    """The exchange is over and in history."""

    type: Literal["response_complete"] = "response_complete"
    text: str
    """What was heard of the reply."""
    interrupted: bool
    """Whether it was longer."""
    waterfall: LatencyWaterfall
    """Where the time went."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class ToolUsed(Stamped):
    """A tool ran for this turn."""

    type: Literal["tool"] = "tool"
    name: str
    arguments: dict[str, Any]
    result: str


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class SettingChanged(Stamped):
    """A setting has a new value."""

    type: Literal["settings"] = "settings"
    name: str
    """`language`, `voice`, `mode`, `provider`, `speed` or `volume`."""
    value: str


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Woke(Stamped):
    """A wake word was recognised: what is said behind it is listened to."""

    type: Literal["woke"] = "woke"
    word: str
    at: int
    """Where it ended: samples at 16 kHz since the session began."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Slept(Stamped):
    """It was quiet for `wake_timeout` seconds: nothing is listened to but the wake words."""

    type: Literal["slept"] = "slept"
    at: int
    """From where on: samples at 16 kHz since the session began."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Error(Stamped):
    """Something went wrong. The session lives on unless the connection is closed behind it."""

    type: Literal["error"] = "error"
    code: str
    """Stable, for programs."""
    message: str
    """For people: says what to do."""
    retryable: bool
    """Whether the same request may succeed later."""
    retry_after: float | None = None
    """Seconds after which a retry makes sense."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Pong(Numbered):
    """The answer to `ping`."""

    type: Literal["pong"] = "pong"
    id: str | int | None = None
    """From the `ping`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_SERVER)
class Farewell(Numbered):
    """The last message: the server closes the connection."""

    type: Literal["goodbye"] = "goodbye"
    reason: str


ServerMessage = (
    Ready
    | SessionResumed
    | SpeechStarted
    | SpeechStopped
    | TurnDiscarded
    | TurnContinued
    | Transcription
    | ReplyStarted
    | ReplyText
    | Paused
    | Resumed
    | Interrupted
    | ResponseComplete
    | ToolUsed
    | SettingChanged
    | Woke
    | Slept
    | Error
    | Pong
    | Farewell
)
