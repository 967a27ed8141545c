"""What a client says on `/ws/audio`, one class a message: the parser and the published schema are made from these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.dataclasses import dataclass

from vivavoce.sessions.options import Hint, Mode, Speculation
from vivavoce.sessions.ports import ProviderKind
from vivavoce.transports.options import MAX_TEXT, PROTOCOL_VERSION

MIN_RATE, MAX_RATE = 8_000, 48_000
MAX_INSTRUCTIONS = 8_000
MAX_WAKE_WORDS = 8

_CLIENT = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

Rate = Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE, multiple_of=25)]
"""A multiple of 25 covers every rate in use, and keeps the filter between any of them and 16 kHz small."""
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
Count = Annotated[int, Field(ge=0, le=2**32 - 1)]


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class AudioWish:
    """The audio formats of a connection; always mono PCM s16le."""

    input_rate: Rate = 16_000
    """Samples per second of what the client sends."""
    output_rate: Rate = 24_000
    """Samples per second of what the client wants to play."""
    frame_ms: Annotated[int, Field(ge=10, le=100)] = 20
    """Milliseconds of audio per binary message of a reply."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class ProviderWish:
    """Providers by name; what is left out is the server's default."""

    stt: Name | None = None
    """Speech to text."""
    llm: Name | None = None
    """Language model."""
    tts: Name | None = None
    """Text to speech."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Hello:
    """Opens the session with the client's wishes. Optional, but only as the first message."""

    type: Literal["hello"] = "hello"
    version: Annotated[int, Field(ge=1, le=PROTOCOL_VERSION)] = PROTOCOL_VERSION
    """Protocol version the client speaks."""
    audio: AudioWish = AudioWish()
    """Formats."""
    language: Language | None = None
    """BCP 47 tag."""
    voice: Name | None = None
    """Voice of the text-to-speech provider."""
    provider: ProviderWish = ProviderWish()
    """Providers."""
    mode: Mode | None = None
    """How turns end."""
    hint: Hint | None = None
    """What the speaker is expected to say; digits and spelling wait longer."""
    instructions: Annotated[str, StringConstraints(max_length=MAX_INSTRUCTIONS)] | None = None
    """System prompt of the language model."""
    speculation: Speculation | None = None
    """Preparing replies before the turn is judged over; a client can only lower the server's setting."""
    eagerness: Annotated[float, Field(ge=0, le=1)] | None = None
    """0 waits patiently for the end of a turn, 1 answers eagerly."""
    silence_ms: Annotated[int, Field(ge=100, le=10_000)] | None = None
    """A fixed silence that ends a turn, in place of the graded wait."""
    wake_words: Annotated[tuple[Name, ...], Field(max_length=MAX_WAKE_WORDS)] | None = None
    """Hear nothing until one of these is said, and again after a silence; an empty list listens always."""
    wake_timeout: Annotated[float, Field(ge=0.5, le=3600)] | None = None
    """Seconds of quiet behind the last turn after which a wake word is needed again."""
    acknowledge: bool = False
    """The client will send `played`. Otherwise the server assumes that audio plays in real time as it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Resume:
    """Goes on with a session whose connection was lost. Only as the first message, in place of `hello`."""

    type: Literal["resume"] = "resume"
    session: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """From `ready`."""
    token: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """From `ready`, or from the last `session_resumed`."""
    seq: Count
    """`seq` of the last message that was received."""
    generation: Count | None = None
    """The newest reply any audio of which was received; null where there was none."""
    samples: Count = 0
    """Samples of that reply received without a gap from its start, those that were played included."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Commit:
    """The user's turn is over."""

    type: Literal["commit"] = "commit"


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Interrupt:
    """Cut the reply."""

    type: Literal["interrupt"] = "interrupt"


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class TypedText:
    """A typed turn of the user."""

    type: Literal["text"] = "text"
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]
    """What the user says; 1 to 5 000 characters besides white space at the ends."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Played:
    """The ear has heard the first `samples` samples of the reply `generation`. Send it every 100 to 200 ms of playback."""

    type: Literal["played"] = "played"
    generation: Count
    """Generation of the reply."""
    samples: Count
    """Samples played, counted from the start of the generation at the output rate."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class SetLanguage:
    """Speak and listen in another language."""

    type: Literal["setLanguage"] = "setLanguage"
    language: Language
    """BCP 47 tag."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class SetProvider:
    """Use another provider from the next utterance on. `provider` alone names a language model."""

    type: Literal["setProvider"] = "setProvider"
    kind: ProviderKind = "llm"
    """What is to be replaced."""
    name: Name | None = None
    """Name of the provider."""
    provider: Name | None = None
    """Another spelling of `name`."""

    @model_validator(mode="after")
    def _one_name(self) -> SetProvider:
        if (self.name is None) == (self.provider is None):
            raise ValueError("give the provider's `name`")
        return self

    @property
    def chosen(self) -> str:
        """The name, however it was spelled."""
        return self.name or self.provider or ""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class SetVoice:
    """Reply with another voice."""

    type: Literal["setVoice"] = "setVoice"
    voice: Name
    """Identifier from `ready.voices`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class SetMode:
    """Change how turns end."""

    type: Literal["setMode"] = "setMode"
    mode: Mode
    """`auto` by the server; `push_to_talk` and `manual` by `commit`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Reset:
    """Forget the conversation."""

    type: Literal["reset"] = "reset"


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Ping:
    """Ask for a `pong`."""

    type: Literal["ping"] = "ping"
    id: Annotated[str, StringConstraints(max_length=100)] | Count | None = None
    """Comes back in the `pong`."""


@dataclass(frozen=True, slots=True, kw_only=True, config=_CLIENT)
class Goodbye:
    """End the session; the server answers `goodbye` and closes with code 1000."""

    type: Literal["goodbye"] = "goodbye"


ClientMessage = (
    Hello
    | Resume
    | Commit
    | Interrupt
    | TypedText
    | Played
    | SetLanguage
    | SetProvider
    | SetVoice
    | SetMode
    | Reset
    | Ping
    | Goodbye
)
