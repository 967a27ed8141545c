"""What lies in the folder of a sherpa-onnx voice, and whether it is complete."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vivavoce.contracts.errors import EngineFailed, EngineMissing
from vivavoce.engines.sherpa_tts.metadata import metadata

Family = Literal["vits", "matcha", "kokoro", "kitten"]
MENDING = "vivavoce models pull NAME (`vivavoce models` lists the voices)"
_REQUIRED: Mapping[Family, tuple[str, ...]] = {
    "vits": ("sample_rate", "n_speakers", "language", "comment"),
    "matcha": ("sample_rate", "n_speakers", "use_eos_bos", "pad_id"),
    "kokoro": ("sample_rate", "n_speakers", "has_espeak", "style_dim"),
    "kitten": ("sample_rate", "n_speakers", "has_espeak", "style_dim", "model_type"),
}
"""Metadata without which sherpa-onnx 2.0 ends its process."""
_VOCODERS = ("hifigan", "vocos", "hifi-gan")
_VOCODER_KINDS = ("hifigan", "vocos", "matcha-tts vocos")
_VOCODER_RATE = 22_050
"""Of a vocoder that does not tell."""
_TAG = re.compile(r"(?:^|[-_])([a-z]{2})(?:[_-]([A-Za-z]{2}))?(?=[-_]|$)")
_NAMES = {
    "english": "en",
    "chinese": "zh",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "italian": "it",
    "portuguese": "pt",
    "dutch": "nl",
    "polish": "pl",
    "russian": "ru",
    "ukrainian": "uk",
    "japanese": "ja",
    "korean": "ko",
}


@dataclass(frozen=True, slots=True)
class Folder:
    """A voice on the disk. ``vocoder`` and ``voices`` are empty where the family has none; lists are joined by commas."""

    name: str
    family: Family
    model: Path
    tokens: Path
    language: str
    rate: int
    speakers: tuple[str, ...]
    lexicon: str = ""
    vocoder: str = ""
    voices: str = ""
    rule_fsts: str = field(default="")
    rule_fars: str = field(default="")


def look(path: Path, language: str = "") -> Folder:
    """Look at the folder of a voice, or at the folder of its model file.

    Raises EngineMissing for what is absent and EngineFailed for what is damaged; both name the file and what to do.
    """
    place = path if path.is_dir() else path.parent
    model = path if path.is_file() else _model(place)
    tokens = _there(place / "tokens.txt")
    vocoder = next((file for file in sorted(place.glob("*.onnx")) if _is_vocoder(file)), None)
    facts = metadata(model, MENDING)
    family = _family(place, facts, vocoder)
    lacking = [key for key in _REQUIRED[family] if not facts.get(key)]
    if lacking:
        raise _unusable(model, f"its metadata lacks {', '.join(lacking)}")
    if family == "kitten" and facts["model_type"] != "kitten-tts":
        raise _unusable(model, f"its model_type is {facts['model_type']!r}, not 'kitten-tts'")
    tag = _language(language, place.name, facts)
    lexicon = _lexicon(place, tag)
    if not lexicon and facts.get("frontend") != "characters":
        raise _voiceless(place)
    rate = _number(model, facts, "sample_rate", range(8_000, 48_001))
    count = _number(model, facts, "n_speakers", range(1, 10_000))
    if family == "matcha" and vocoder is not None:
        _check_vocoder(vocoder, rate)
    if family in ("kokoro", "kitten"):
        _check_voices(_there(place / "voices.bin"), model, facts, count, 3 if family == "kokoro" else 2)
    return Folder(
        name=place.name,
        family=family,
        model=model,
        tokens=tokens,
        language=tag,
        rate=rate,
        speakers=_speakers(facts, count),
        lexicon=lexicon,
        vocoder=str(vocoder or "") if family == "matcha" else "",
        voices=str(place / "voices.bin") if family in ("kokoro", "kitten") else "",
        rule_fsts=_joined(place, "*.fst"),
        rule_fars=_joined(place, "*.far"),
    )


def _lexicon(place: Path, tag: str) -> str:
    """Its lexicons, joined by commas; of an American and a British one the one the language asks for."""
    found = [file for file in sorted(place.glob("lexicon*.txt")) if file.stat().st_size]
    unwanted = "us-en" if tag == "en-gb" else "gb-en"
    wanted = [file for file in found if unwanted not in file.name]
    return ",".join(str(file) for file in wanted or found)


def _model(place: Path) -> Path:
    """The model in a folder: the only one that is no vocoder; of several the smaller, quantised one."""
    found = [file for file in place.glob("*.onnx") if not _is_vocoder(file)] if place.is_dir() else []
    if not found:
        raise EngineMissing(f"there is no model (*.onnx) of a sherpa-onnx voice in {place}: {MENDING}")
    return min(found, key=lambda file: (file.stat().st_size, file.name))


def _is_vocoder(file: Path) -> bool:
    return file.name.lower().startswith(_VOCODERS)


def _there(file: Path) -> Path:
    if not file.is_file():
        raise EngineMissing(f"the sherpa-onnx voice {file.parent.name} lacks its file {file}: {MENDING}")
    return file


def _family(place: Path, facts: Mapping[str, str], vocoder: Path | None) -> Family:
    kind = facts.get("model_type", "").lower()
    if "kitten" in kind:
        return "kitten"
    if "kokoro" in kind:
        return "kokoro"
    if "matcha" in kind:
        if vocoder is None:
            wanted = place / "vocos-22khz-univ.onnx"
            raise EngineMissing(f"the Matcha voice {place.name} lacks its vocoder, such as {wanted}: {MENDING}")
        return "matcha"
    if (place / "voices.bin").is_file():
        return "kitten" if "kitten" in place.name.lower() else "kokoro"
    return "matcha" if vocoder is not None else "vits"


def _voiceless(place: Path) -> EngineMissing:
    return EngineMissing(
        f"{place.name} reads phonemes, and sherpa-onnx 2 no longer makes them: it lacks {place / 'lexicon.txt'} (a word "
        "and its phonemes in a line). Pull a voice that brings one (vivavoce models pull NAME), or use the engine piper or "
        "kokoro: they read with espeak-ng"
    )


def _check_vocoder(vocoder: Path, rate: int) -> None:
    """sherpa-onnx crashes with one it does not know, and ends its process where the rates differ."""
    facts = metadata(vocoder, MENDING)
    kind = facts.get("model_type", "")
    if kind not in _VOCODER_KINDS:
        raise _unusable(vocoder, f"its model_type is {kind!r}, not one of {', '.join(_VOCODER_KINDS)}")
    own = facts.get("sample_rate", str(_VOCODER_RATE))
    if own != str(rate):
        raise _unusable(vocoder, f"it makes {own} Hz, the voice needs {rate} Hz (such as vocos-16khz-univ.onnx for 16000)")


def _check_voices(voices: Path, model: Path, facts: Mapping[str, str], count: int, dimensions: int) -> None:
    try:
        shape = [int(size) for size in facts["style_dim"].split(",")]
    except ValueError as error:
        raise _unusable(model, f"its style_dim is {facts['style_dim']!r}") from error
    if len(shape) != dimensions or shape[-2] != 1:
        raise _unusable(model, f"its style_dim is {facts['style_dim']!r}")
    wanted = math.prod(shape) * count * 4
    if voices.stat().st_size != wanted:
        raise _unusable(voices, f"it has {voices.stat().st_size} bytes, not {wanted}")


def _number(model: Path, facts: Mapping[str, str], key: str, allowed: range) -> int:
    value = facts[key]
    if not value.isdecimal() or int(value) not in allowed:
        raise _unusable(model, f"its {key} is {value!r}, not between {allowed.start} and {allowed.stop - 1}")
    return int(value)


def _speakers(facts: Mapping[str, str], count: int) -> tuple[str, ...]:
    """Their names, or numbers where the model has none for them; nothing for a single one without a name."""
    names = tuple(name.strip() for name in facts.get("speaker_names", "").split(",") if name.strip())
    if len(names) == count:
        return names
    return tuple(str(number) for number in range(count)) if count > 1 else ()


def _language(asked: str, name: str, facts: Mapping[str, str]) -> str:
    """A tag: what the settings say, else what the model says, else what its folder is called."""
    told = facts.get("language", "").lower()
    word = re.split(r"[^a-z]", told)[0]
    tag = asked or facts.get("voice", "") or _NAMES.get(word, "")
    match = _TAG.search(name)
    if not tag and match:
        tag = "-".join(part for part in match.groups() if part)
    return (tag or (word if len(word) == 2 else "en")).lower().replace("_", "-")


def _joined(place: Path, pattern: str) -> str:
    return ",".join(str(file) for file in sorted(place.glob(pattern)))


def _unusable(file: Path, detail: str) -> EngineFailed:
    return EngineFailed(f"sherpa-onnx cannot use {file}: {detail}; fetch it again: {MENDING}")
