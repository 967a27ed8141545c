"""The ports a session can choose among, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from vivavoce.contracts.errors import UnknownName
from vivavoce.contracts.ports import (
    LanguageModel,
    SpeechToText,
    TextToSpeech,
    TurnDetector,
    VoiceActivityDetector,
    WakeWordDetector,
)
from vivavoce.contracts.speech import Capabilities

T = TypeVar("T")
ProviderKind = Literal["stt", "llm", "tts"]
PROVIDER_KINDS: tuple[ProviderKind, ...] = ("stt", "llm", "tts")


@dataclass(frozen=True, slots=True)
class Choice(Generic[T]):
    """Named ports of one kind; the first is the default. ``aliases`` are further names: alias to name.

    What is offered may change while the server runs; ``retired`` are ports that no longer are, for those who have chosen
    them.
    """

    kind: str
    ports: Mapping[str, T]
    aliases: Mapping[str, str] = field(default_factory=dict)
    retired: Mapping[str, T] = field(default_factory=dict)

    def get(self, name: str | None = None) -> T:
        """The port ``name``, or the default. Raises UnknownName, which lists what there is."""
        if not self.ports:
            raise UnknownName(f"no {self.kind} is installed; `vivavoce doctor` says what to do", code="unknown_provider")
        name = self.name(name)
        if name not in self.ports:
            raise UnknownName(
                f"no {self.kind} is called {name!r}; there is {', '.join(self.ports)}", code="unknown_provider"
            )
        return self.ports[name]

    def held(self, name: str | None = None) -> T:
        """The same, but one that was chosen when it was still offered is returned, too: it says itself what is wrong."""
        known = self.name(name)
        return self.retired[known] if known in self.retired and known not in self.ports else self.get(name)

    def name(self, wanted: str | None = None) -> str:
        """The name of the port that ``get`` returns, as it stands in ``ports`` if it is there."""
        return self.default if wanted is None else self.aliases.get(wanted, wanted)

    @property
    def default(self) -> str:
        """Name of the default, or empty."""
        return next(iter(self.ports), "")


@dataclass(frozen=True, slots=True)
class WakeWords:
    """A wake word detector; ``load`` gets it ready and tells which words it knows."""

    detector: WakeWordDetector
    load: Callable[[], Awaitable[Capabilities]]


@dataclass(frozen=True, slots=True)
class SessionPorts:
    """Everything a conversation speaks to.

    ``turn`` is optional: without it text alone grades the wait. So is ``wake``: without it nobody can be woken by a word.
    """

    stt: Choice[SpeechToText]
    llm: Choice[LanguageModel]
    tts: Choice[TextToSpeech]
    vad: VoiceActivityDetector
    turn: TurnDetector | None = None
    wake: WakeWords | None = None
    languages: tuple[str, ...] = field(default=("en",))
    """Languages sessions may choose."""

    def choice(self, kind: ProviderKind) -> Choice[SpeechToText] | Choice[LanguageModel] | Choice[TextToSpeech]:
        """The ports of one kind."""
        match kind:
            case "stt":
                return self.stt
            case "llm":
                return self.llm
            case "tts":
                return self.tts
