"""What is said: transcripts, spoken audio, messages and deltas, and the capabilities of those who make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from vivavoce.contracts.audio import AudioChunk


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word with its place in the utterance, in seconds, and its confidence 0–1 where known."""

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """A partial or final reading of an utterance.

    ``stable`` counts the characters of ``text`` that later partials will not change. ``command`` is set when the reading
    came from a closed grammar that agreed with the free reading.
    """

    text: str
    final: bool = False
    stable: int = 0
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    language: str | None = None
    command: bool = False


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """Synthesised PCM and the span ``[text_start, text_end)`` of characters it says.

    The span counts characters of all text sent to the synthesis so far. ``exact`` tells whether the engine gave word
    times or the span was estimated in proportion to duration.
    """

    chunk: AudioChunk
    text_start: int
    text_end: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A request of the language model to run a tool; ``arguments`` is a JSON object."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool offered to the language model. ``side_effects`` tools run only after the turn is committed."""

    name: str
    description: str
    parameters: dict[str, Any] = field(default_factory=dict)
    side_effects: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation as a language model sees it.

    An ``assistant`` message holds the words that were heard; ``interrupted`` says that it was longer. A ``tool`` message
    answers the call ``tool_call_id``.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    interrupted: bool = False
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a language model's answer: text to be spoken, or a tool call."""

    text: str = ""
    tool_call: ToolCall | None = None


class SpeechProbability(NamedTuple):
    """The likelihood of speech in the frame that ends at sample ``end`` (HEARING), with its level in dBFS."""

    end: int
    probability: float
    level: float


class WakeWord(NamedTuple):
    """A wake word that was recognised; ``at`` is the sample (HEARING) at which it ended, as well as the engine can tell."""

    word: str
    at: int


@dataclass(frozen=True, slots=True)
class TurnScore:
    """How likely it is, by sound alone, that the speaker is done: 0–1."""

    probability: float


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of a text-to-speech engine."""

    id: str
    name: str
    language: str
    gender: str | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a port can do, as data.

    ``languages`` are BCP 47 tags, empty meaning any. ``local`` says that nothing leaves this host; ``metered`` that
    discarded work costs money. ``sample_rate`` is the engine's own. ``concurrency`` is how many jobs run side by side.
    ``final_latency`` is the typical time in seconds from the end of an utterance to its final transcript. ``grammar``
    names the closed set of sentences a language model is limited to, or a recogniser can be asked to expect. ``tasks`` of a
    recogniser, beyond transcribing: ``translate`` (into English). ``words`` are the wake words it knows.
    """

    name: str
    languages: tuple[str, ...] = ()
    streaming: bool = True
    word_times: bool = False
    sample_rate: int = 16_000
    voices: tuple[Voice, ...] = ()
    local: bool = True
    metered: bool = False
    concurrency: int = 1
    final_latency: float = 0.0
    grammar: str = ""
    licence: str = ""
    tasks: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TranscriptionOptions:
    """How one utterance is to be read.

    ``vocabulary`` names words to prefer; ``session`` groups utterances of one speaker. ``grammar`` names a closed set of
    sentences (see ``Capabilities``) that may win over the free reading where both agree by sound. ``task`` is one of the
    engine's ``Capabilities.tasks`` or plain transcribing.
    """

    language: str = "en"
    session: str = ""
    vocabulary: tuple[str, ...] = ()
    partials: bool = True
    grammar: str = ""
    task: Literal["transcribe", "translate"] = "transcribe"


@dataclass(frozen=True, slots=True)
class SynthesisOptions:
    """How text is to be spoken. ``rate`` is the sample rate wanted; ``speed`` 1.0 is the voice's own pace (0.25–4)."""

    voice: str = ""
    language: str = "en"
    rate: int = 24_000
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class LanguageOptions:
    """How a reply is to be written."""

    language: str = "en"
    max_tokens: int | None = None
    temperature: float | None = None
