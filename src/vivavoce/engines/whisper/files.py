"""Model files, looked at before the library sees them: its messages name neither the file nor what to do."""

from __future__ import annotations

import json
from pathlib import Path

from vivavoce.contracts import gpu
from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing, VivavoceError
from vivavoce.contracts.gpu import OUT_OF_MEMORY, is_full
from vivavoce.engines.whisper import cuda

PULL = "fetch it with `vivavoce models pull NAME` (`vivavoce models list` names them)"
AGAIN = "remove it and fetch it again with `vivavoce models pull NAME`"
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")


def inspect(path: str) -> Path:
    """The folder of the model whose main file is ``path`` (model.bin), complete as far as can be told.

    Raises ConfigurationError without a path, EngineMissing for an absent file, EngineFailed for a damaged one.
    """
    if not path:
        raise ConfigurationError("whisper needs the setting `model`: the path of a model.bin")
    main = Path(path)
    folder = main if main.is_dir() else main.parent
    for name in ("model.bin", "config.json", "tokenizer.json"):
        _need(folder / name)
    if not any((folder / name).is_file() for name in VOCABULARIES):
        raise EngineMissing(f"{folder} has neither {' nor '.join(VOCABULARIES)}: {PULL}")
    for name in ("config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.json"):
        file = folder / name
        if file.is_file():
            _check_json(file)
    return folder


def failure(folder: Path, error: Exception) -> VivavoceError:
    """What the library's error at loading means, with the folder and what to do."""
    text = " ".join(str(error).split())[:300]
    if "compute type" in text:
        return ConfigurationError(f"this device cannot compute so: set another compute_type, or none ({text})", cause=error)
    if isinstance(error, MemoryError) or "alloc" in text.lower() or is_full(text):
        return EngineFailed(
            f"no memory for the model in {folder}: choose a smaller one, let other programs leave the GPU or raise "
            f"max_address_space ({text})",
            code=OUT_OF_MEMORY,
            cause=error,
        )
    told = gpu.failure(error, "Whisper", cuda.LIBRARIES)
    if told is not None:
        return told
    return EngineFailed(f"the model in {folder} cannot be loaded ({text}); {AGAIN}", code="damaged_model", cause=error)


def failed_reading(error: Exception) -> VivavoceError:
    """What the library's error at reading means."""
    told = gpu.failure(error, "Whisper", cuda.LIBRARIES)
    what = f"Whisper failed on this audio: {type(error).__name__}: {error}"
    return told if told is not None else EngineFailed(what, cause=error)


def _need(file: Path) -> None:
    if not file.is_file():
        raise EngineMissing(f"the model file {file} is absent: {PULL}")
    if file.stat().st_size == 0:
        raise EngineFailed(f"{file} is empty; {AGAIN}", code="damaged_model")


def _check_json(file: Path) -> None:
    try:
        json.loads(file.read_bytes())
    except ValueError as error:
        raise EngineFailed(f"{file} is damaged ({error}); {AGAIN}", code="damaged_model", cause=error) from error
