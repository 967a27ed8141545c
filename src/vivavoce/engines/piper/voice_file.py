"""What the JSON file beside a Piper voice says about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vivavoce.contracts.errors import EngineFailed, EngineMissing

PAD, BEGIN, END = "_", "^", "$"
"""Phonemes every voice has: between two phonemes, at the beginning and at the end of a sentence."""
_RATES = range(8_000, 48_001)
_READ_KINDS = ("espeak", "text")
MENDING = "vivavoce models pull NAME (`vivavoce models` lists the voices)"


@dataclass(frozen=True, slots=True)
class VoiceFile:
    """One voice: where its model lies and how it wants to be called.

    ``espeak_voice`` names the voice of espeak-ng whose phonemes it was trained on; ``kind`` is "espeak", or "text" where
    characters themselves are the phonemes. ``hop`` is the number of samples in a frame of the model.
    """

    stem: str
    model: Path
    language: str
    rate: int
    espeak_voice: str
    kind: str
    phoneme_ids: Mapping[str, tuple[int, ...]]
    speakers: Mapping[str, int] = field(default_factory=dict)
    default_speaker: int | None = None
    clusters: frozenset[tuple[str, ...]] = frozenset()
    length_scale: float = 1.0
    noise_scale: float = 0.667
    noise_width: float = 0.8
    hop: int = 256


def read(model: Path) -> VoiceFile:
    """Read ``NAME.onnx.json`` beside the model.

    Raises EngineMissing for a file that is not there, EngineFailed for one that is not what Piper writes; both name it.
    """
    path = model.with_name(f"{model.name}.json")
    for file in (model, path):
        if not file.is_file():
            raise EngineMissing(f"the Piper voice {model.stem} lacks its file {file}: {MENDING}")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(path, str(error), error) from error
    try:
        return _parsed(model, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        detail = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise _broken(path, detail, error) from error


def _parsed(model: Path, data: Any) -> VoiceFile:
    speakers = int(data["num_speakers"])
    inference = data.get("inference", {})
    voice = VoiceFile(
        stem=model.stem,
        model=model,
        language=_language(model.stem, data),
        rate=int(data["audio"]["sample_rate"]),
        espeak_voice=str(data["espeak"]["voice"]),
        kind=str(data.get("phoneme_type", "espeak")).rpartition(".")[2].lower(),
        phoneme_ids={str(name): tuple(int(number) for number in ids) for name, ids in data["phoneme_id_map"].items()},
        speakers=_speakers(speakers, data) if speakers > 1 else {},
        default_speaker=int(data.get("default_speaker_id", 0)) if speakers > 1 else None,
        clusters=frozenset(tuple(cluster) for cluster in data.get("vowel_clusters") or ()),
        length_scale=float(inference.get("length_scale", 1.0)),
        noise_scale=float(inference.get("noise_scale", 0.667)),
        noise_width=float(inference.get("noise_w", 0.8)),
        hop=int(data.get("hop_length", 256)),
    )
    _check(voice)
    return voice


def _check(voice: VoiceFile) -> None:
    """Raises ValueError with what is wrong."""
    if voice.rate not in _RATES:
        raise ValueError(f"its sample_rate is {voice.rate}, not between 8000 and 48000")
    lacking = [name for name in (PAD, BEGIN, END) if not voice.phoneme_ids.get(name)]
    if lacking:
        raise ValueError(f"its phoneme_id_map lacks {', '.join(lacking)}")
    if voice.kind not in _READ_KINDS:
        raise ValueError(f"it wants phonemes of the kind {voice.kind!r}, not those of espeak-ng or plain text")
    if not voice.length_scale > 0 or voice.hop <= 0:
        raise ValueError("its length_scale and hop_length must be above 0")


def _language(stem: str, data: Any) -> str:
    """A tag such as ``en-us``: from the file, else from the name Piper voices have, else from their phonemes."""
    code = data.get("language", {}).get("code", "")
    if not code and "-" in stem and "_" in stem.partition("-")[0]:
        code = stem.partition("-")[0]
    return str(code or data["espeak"]["voice"]).lower().replace("_", "-")


def _speakers(count: int, data: Any) -> dict[str, int]:
    named = {str(name): int(number) for name, number in (data.get("speaker_id_map") or {}).items()}
    return named or {str(number): number for number in range(count)}


def _broken(path: Path, detail: str, error: Exception) -> EngineFailed:
    return EngineFailed(f"{path} is not the description of a Piper voice: {detail}; fetch it again: {MENDING}", cause=error)
