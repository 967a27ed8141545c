"""Scripted ports: every latency configurable, deterministic, cancellable, no tasks of their own.

``open_port`` is the entry point (group ``vivavoce.ports``) by which they come in like any other port.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vivavoce.contracts.errors import ConfigurationError, UnknownName, VivavoceError, error_types
from vivavoce.contracts.speech import Message
from vivavoce.testing.hearing import EnergyVoiceActivityDetector, ScriptedSpeechToText, ScriptedTurnDetector
from vivavoce.testing.scripts import Tally
from vivavoce.testing.speaking import VOICES, ScriptedLanguageModel, ScriptedStream, ScriptedTextToSpeech, tone_pcm
from vivavoce.testing.waking import ScriptedWakeWordDetector

__all__ = [
    "VOICES",
    "EnergyVoiceActivityDetector",
    "ScriptedLanguageModel",
    "ScriptedSpeechToText",
    "ScriptedStream",
    "ScriptedTextToSpeech",
    "ScriptedTurnDetector",
    "ScriptedWakeWordDetector",
    "Tally",
    "echo",
    "open_port",
    "tone_pcm",
]

Port = (
    ScriptedSpeechToText
    | ScriptedLanguageModel
    | ScriptedTextToSpeech
    | EnergyVoiceActivityDetector
    | ScriptedTurnDetector
    | ScriptedWakeWordDetector
)

_QUESTIONS = ("What time is it?", "Tell me something about the sea.", "Thank you, that is all.")


def echo(messages: Sequence[Message]) -> str:
    """The reply of a scripted language model that was given no replies: it says what it heard."""
    heard = next((message.text for message in reversed(messages) if message.role == "user"), "")
    return f"You said: {heard or 'nothing'} This is a scripted reply, spoken by a scripted voice."


def open_port(kind: str, name: str = "scripted", settings: Mapping[str, Any] | None = None) -> Port:
    """A scripted port of ``kind`` stt, llm, tts, vad, turn or wake.

    ``settings`` are the port's script and knobs as configuration can say them: numbers, texts, and ``fail`` as a code of the
    error tree. Raises UnknownName for a kind, ConfigurationError for a setting it has not or of a wrong type.
    """
    if kind not in _KINDS:
        raise UnknownName(f"no scripted port is of kind {kind!r}; there is {', '.join(_KINDS)}")
    make, known = _KINDS[kind]
    checked: dict[str, Any] = {}
    for key, value in (settings or {}).items():
        if key not in known:
            raise ConfigurationError(f"a scripted {kind} has no setting {key!r}; it has {', '.join(known)}")
        checked[key] = known[key](f"{kind}.{key}", value)
    script = {key: checked.pop(key) for key in _SCRIPTS if key in checked}
    port: Port = make(name=name, **script)
    for knob, value in checked.items():
        setattr(port, knob, value)
    return port


def _seconds(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ConfigurationError(f"{key} must be a number from 0, not {value!r}")
    return float(value)


def _positive(key: str, value: object) -> float:
    if _seconds(key, value) == 0:
        raise ConfigurationError(f"{key} must be above 0")
    return _seconds(key, value)


def _probability(key: str, value: object) -> float:
    if _seconds(key, value) > 1:
        raise ConfigurationError(f"{key} must be a number from 0 to 1, not {value!r}")
    return _seconds(key, value)


def _level(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"{key} must be a level in dBFS, not {value!r}")
    return float(value)


def _switch(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{key} must be true or false, not {value!r}")
    return value


def _texts(key: str, value: object) -> tuple[str, ...]:
    lines = (value,) if isinstance(value, str) else value
    if not isinstance(lines, list | tuple) or not lines or not all(isinstance(line, str) for line in lines):
        raise ConfigurationError(f"{key} must be a list of texts, not {value!r}")
    return tuple(lines)


def _failure(key: str, value: object) -> VivavoceError:
    kind = error_types().get(value) if isinstance(value, str) else None
    if kind is None:
        raise ConfigurationError(f"{key} must be a code of the error tree such as worker_lost, not {value!r}")
    return kind("the script says that this fails")


_Check = Callable[[str, object], object]

_SCRIPTS = ("texts", "replies", "score", "words")
"""Settings given to the constructor; the others are attributes of the port."""

_KINDS: dict[str, tuple[Callable[..., Port], dict[str, _Check]]] = {
    "stt": (
        lambda texts=_QUESTIONS, **rest: ScriptedSpeechToText(texts, **rest),
        {
            "texts": _texts,
            "partial_every": _positive,
            "final_latency": _seconds,
            "seconds_per_word": _positive,
            "fail": _failure,
        },
    ),
    "llm": (
        lambda replies=echo, **rest: ScriptedLanguageModel(replies, **rest),
        {
            "replies": _texts,
            "first_token_latency": _seconds,
            "tokens_per_second": _positive,
            "metered": _switch,
            "fail": _failure,
        },
    ),
    "tts": (
        ScriptedTextToSpeech,
        {
            "first_latency": _seconds,
            "rtf": _seconds,
            "seconds_per_character": _positive,
            "tone": _switch,
            "exact": _switch,
        },
    ),
    "vad": (EnergyVoiceActivityDetector, {"threshold_dbfs": _level, "latency": _seconds, "fail": _failure}),
    "wake": (
        lambda words=("computer", "hey_you"), **rest: ScriptedWakeWordDetector(words, **rest),
        {"words": _texts, "latency": _seconds, "fail": _failure},
    ),
    "turn": (ScriptedTurnDetector, {"score": _probability, "latency": _seconds, "fail": _failure}),
}
