"""What models and voices there are, under their own names and under OpenAI's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from vivavoce.contracts.ports import LanguageModel, SpeechToText, TextToSpeech
from vivavoce.contracts.speech import Voice
from vivavoce.sessions.ports import Choice, ProviderKind, SessionPorts
from vivavoce.transports.aliases import REALTIME_MODELS, SPEECH_MODELS, TRANSCRIPTION_MODELS, VOICES, stand_in
from vivavoce.transports.openai.errors import Parameter

T = TypeVar("T")

_ALIASES: dict[ProviderKind, Sequence[str]] = {"tts": SPEECH_MODELS, "stt": TRANSCRIPTION_MODELS, "llm": ()}


@dataclass(frozen=True, slots=True)
class Model:
    """One name a client may ask for; ``alias_of`` is empty for a name of our own."""

    id: str
    kind: ProviderKind
    alias_of: str = ""


@dataclass(frozen=True, slots=True)
class SpokenVoice:
    """A voice by its name here or by OpenAI's, and the model it belongs to."""

    id: str
    model: str
    voice: Voice
    alias: bool = False


class Catalogue:
    """Answers from the ports as they are now: engines and providers may come and go."""

    def __init__(self, ports: SessionPorts) -> None:
        self._ports = ports

    def models(self) -> list[Model]:
        """Every name, own ones first."""
        own = [Model(name, kind) for kind in ("stt", "tts", "llm") for name in self._ports.choice(kind).ports]
        aliases = [
            Model(name, kind, self._ports.choice(kind).default)
            for kind, names in _ALIASES.items()
            if self._ports.choice(kind).default
            for name in names
        ]
        realtime = [Model(name, "llm", self._ports.llm.default) for name in REALTIME_MODELS if self._ports.llm.default]
        return own + aliases + realtime

    def speech(self, model: str) -> tuple[str, TextToSpeech]:
        """The voice engine for a model name. Raises Parameter for one nobody has."""
        return self._chosen("tts", self._ports.tts, model)

    def transcription(self, model: str) -> tuple[str, SpeechToText]:
        """The recogniser for a model name. Raises Parameter."""
        return self._chosen("stt", self._ports.stt, model)

    def language(self, model: str) -> tuple[str, LanguageModel]:
        """The language model for a model name; ``default`` and an empty name mean the default. Raises Parameter."""
        return self._chosen("llm", self._ports.llm, "" if model in ("default", *REALTIME_MODELS) else model)

    def voices(self) -> list[SpokenVoice]:
        """Every voice: of the default engine first; then OpenAI's names."""
        own = [
            SpokenVoice(voice.id, name, voice)
            for name, port in self._ports.tts.ports.items()
            for voice in port.capabilities.voices
        ]
        default = self._ports.tts.default
        here = self._ports.tts.get().capabilities.voices if default else ()
        aliases = [
            SpokenVoice(name, default, stand_in(name, here), alias=True)
            for name in VOICES
            if here and name not in {voice.id for voice in here}
        ]
        return own + aliases

    def voice(self, model: str, wanted: str, language: str) -> tuple[str, TextToSpeech, str]:
        """Engine and voice for what a client asked for.

        A voice of the model's engine is taken as it is; a voice that only another engine has is spoken by that engine, if
        the model name was an alias; one of OpenAI's names by the voice that stands in for it. Raises Parameter.
        """
        name, port = self.speech(model)
        known = [voice.id for voice in port.capabilities.voices]
        if not wanted or wanted in known:
            return name, port, wanted
        if model in SPEECH_MODELS:
            for other, candidate in self._ports.tts.ports.items():
                if any(voice.id == wanted for voice in candidate.capabilities.voices):
                    return other, candidate, wanted
        if wanted.lower() in VOICES:
            fitting = [voice for voice in port.capabilities.voices if _speaks(voice, language)]
            return name, port, stand_in(wanted.lower(), fitting or port.capabilities.voices).id if known else ""
        if not known:
            return name, port, wanted  # an engine that does not list its voices decides for itself
        listed = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
        raise Parameter("voice", f"there is no voice {wanted!r}; GET /v1/audio/voices lists them: {listed}")

    def _chosen(self, kind: ProviderKind, choice: Choice[T], model: str) -> tuple[str, T]:
        if not choice.ports:
            raise Parameter("model", f"no {kind} engine is installed here", code="model_not_found")
        if not model or model in _ALIASES[kind]:
            return choice.default, choice.get()
        if model not in choice.ports:
            names = ", ".join(choice.ports)
            raise Parameter("model", f"there is no {kind} model {model!r}; there is {names}", code="model_not_found")
        return model, choice.get(model)


def _speaks(voice: Voice, language: str) -> bool:
    return voice.language.partition("-")[0].lower() == language.partition("-")[0].lower()
