"""Tells from the names of files which engine a model is for. Arithmetic on names; nothing is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from vivavoce.services.model_entries import ModelKind

ENGINES: Mapping[str, ModelKind] = {
    "sherpa": "stt",
    "whisper": "stt",
    "moonshine": "stt",
    "spelling": "stt",
    "piper": "tts",
    "kokoro": "tts",
    "sherpa-tts": "tts",
    "silero": "vad",
    "smart_turn": "turn",
    "micro_wakeword": "wake",
}
"""Engines that take model files, and what each is for."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """An engine and its files, the one the engine is given first."""

    engine: str
    files: tuple[str, ...]


def recognise(names: Collection[str], engine: str = "") -> Recognised | None:
    """What ``names`` (files of one folder) are; only ``engine`` is considered where it is given. None if nothing fits."""
    for known, find in _RULES.items():
        if engine in ("", known):
            files = find(names)
            if files:
                return Recognised(known, files)
    return None


def _one(names: Collection[str], pattern: str) -> str:
    """The name that fits, the quantised one where there are several; empty if none."""
    fitting = sorted(name for name in names if re.fullmatch(pattern, name))
    return next((name for name in fitting if "int8" in name), fitting[0] if fitting else "")


def _all(names: Collection[str], *patterns: str) -> tuple[str, ...]:
    """One name for each pattern; empty if one of them has none."""
    found = tuple(_one(names, pattern) for pattern in patterns)
    return found if all(found) else ()


def _besides(names: Collection[str], found: tuple[str, ...], *patterns: str) -> tuple[str, ...]:
    """``found``, if there is any, and what else of ``names`` belongs to it."""
    extra = (name for name in sorted(names) if any(re.fullmatch(pattern, name) for pattern in patterns))
    return (*found, *(name for name in extra if name not in found)) if found else ()


def _piper(names: Collection[str]) -> tuple[str, ...]:
    voice = next((name for name in sorted(names) if name.endswith(".onnx") and f"{name}.json" in names), "")
    return (voice, f"{voice}.json") if voice else ()


def _whisper(names: Collection[str]) -> tuple[str, ...]:
    found = _all(names, r"model\.bin", r"config\.json")
    return _besides(names, found, r"tokenizer\.json|vocabulary\.(txt|json)|preprocessor_config\.json")


def _moonshine(names: Collection[str]) -> tuple[str, ...]:
    found = _all(names, r"encoder(_model)?\.ort", r"tokenizer\.bin")
    return _besides(names, found, r".+\.ort|streaming_config\.json")


def _sherpa(names: Collection[str]) -> tuple[str, ...]:
    transducer = _all(names, r"encoder.*\.onnx", r"decoder.*\.onnx", r"joiner.*\.onnx", r".*tokens\.txt")
    paraformer = _all(names, r"(.*-)?encoder.*\.onnx", r"(.*-)?decoder.*\.onnx", r".*tokens\.txt")
    whole = _all(names, r"model.*\.onnx", r"tokens\.txt")
    return _besides(names, transducer or paraformer or whole, r"bpe\.(model|vocab)")


def _sherpa_tts(names: Collection[str]) -> tuple[str, ...]:
    lexicon = _all(names, r".+\.onnx", r"tokens\.txt", r"lexicon.*\.txt")
    voices = _all(names, r"model.*\.onnx", r"tokens\.txt", r"voices\.bin")
    return _besides(names, lexicon or voices, r"lexicon.*\.txt|.+\.fst|voices\.bin|.*vocoder.*\.onnx|vocos.*\.onnx")


def _alone(pattern: str, *more: str) -> Callable[[Collection[str]], tuple[str, ...]]:
    return lambda names: _all(names, pattern, *more)


_RULES: Mapping[str, Callable[[Collection[str]], tuple[str, ...]]] = {
    "piper": _piper,
    "kokoro": _alone(r"kokoro.*\.onnx", r"voices.*\.bin"),
    "moonshine": _moonshine,
    "whisper": _whisper,
    "sherpa-tts": _sherpa_tts,
    "sherpa": _sherpa,
    "spelling": _alone(r"spelling.*\.onnx", r"spelling.*meta\.json"),
    "smart_turn": _alone(r"smart-turn.*\.onnx"),
    "silero": _alone(r"silero.*\.onnx"),
    "micro_wakeword": _alone(r".+\.tflite", r".+\.json"),
}
"""The most particular first: a folder of tokens and one model could be many things."""
