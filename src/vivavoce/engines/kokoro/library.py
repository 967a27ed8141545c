"""kokoro-onnx as it is used here: phonemes, and one batch of them at a time as samples."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.spoken import lacks_memory
from vivavoce.contracts.errors import EngineFailed, EngineMissing
from vivavoce.contracts.gpu import failure
from vivavoce.engines.kokoro.session import LIBRARIES, open_session

try:
    from kokoro_onnx import Kokoro as Library
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    _FAULTS: tuple[type[Exception], ...] = (runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph)
    _FAULTS += (runtime.InvalidProtobuf, runtime.NoSuchFile, runtime.NotImplemented, runtime.RuntimeException)
    _FAULTS += (runtime.EPFail, RuntimeError, ValueError, IndexError, OSError)
    _FAULTS += (TypeError, ZeroDivisionError, zipfile.BadZipFile)
    _lack: ImportError | None = None
except ImportError as error:
    _lack = error
    _FAULTS = ()

RATE = 24_000
MOST_PHONEMES = 240
"""Phonemes in one call of the model, which could take 510: about 16 s of speech. Only digits come near it."""
SLOWEST, FASTEST = 0.5, 2.0
"""Speeds the library accepts."""
MENDING = "vivavoce models pull kokoro"
_INPUTS = ("style", "speed")
_FLAG = re.compile(r"\((?:en|es|fr|hi|it|ja|pt|cmn)(?:us|gb|fr|br)?\)")
"""espeak-ng marks a change of language inside a text with the name of the language; it would be read aloud."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Samples, -1 to 1, and the ends of the phonemes in samples where the model tells; one for each known phoneme."""

    samples: Floats
    ends: tuple[tuple[str, int], ...]


def require_package() -> None:
    """Raises EngineMissing without kokoro-onnx."""
    if _lack is not None:
        raise EngineMissing("kokoro-onnx is not installed: pip install 'vivavoce[kokoro]'", cause=_lack)


def voice_names(path: Path) -> list[str]:
    """The voices in a voices file. Raises EngineMissing without it, EngineFailed for one that is damaged."""
    if not path.is_file():
        raise EngineMissing(f"Kokoro lacks its voices {path}: {MENDING}")
    try:
        with path.open("rb") as file, np.load(file) as voices:
            names = sorted(voices.files)
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise EngineFailed(
            f"{path} holds no voices of Kokoro, or it is damaged; fetch it again: {MENDING}", cause=error
        ) from error
    if not names:
        raise EngineFailed(f"{path} holds no voice; fetch it again: {MENDING}")
    return names


class Model:
    """The loaded model and its voices, 80–350 MB. Raises EngineFailed for files that are not Kokoro's, MemoryError."""

    def __init__(self, model: Path, voices: Path, threads: int, device: str) -> None:
        try:
            self.session: Any = open_session(model, threads, device)
        except _FAULTS as error:
            raise _meaning(error, model) or _broken(model, str(error), error) from error
        offered = {given.name for given in self.session.get_inputs()}
        lacking = [name for name in _INPUTS if name not in offered]
        if lacking or not offered & {"tokens", "input_ids"}:
            raise _broken(model, f"it has no input called {', '.join(lacking) or 'tokens'}", None)
        try:
            self._library = Library.from_session(self.session, str(voices))
        except _FAULTS as error:
            raise EngineFailed(f"kokoro-onnx cannot use {model} with {voices}: {error}", cause=error) from error
        self.has_times: bool = self._library.has_timings

    def phonemes(self, text: str, language: str) -> str:
        """Phonemes of the vocabulary; words are separated by a blank. Raises EngineFailed where espeak-ng cannot."""
        try:
            found: str = self._library.tokenizer.phonemize(text, language)
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"espeak-ng cannot read {language!r} for Kokoro: {error}", cause=error) from error
        return " ".join(_FLAG.sub("", found).split())

    def run(self, phonemes: str, voice: str, speed: float) -> Batch:
        """One call of the model for at most ``MOST_PHONEMES``. Raises EngineFailed where the runtime does, MemoryError."""
        try:
            style = self._style(voice)
            samples, _, times = self._library.create_timed(
                phonemes, style, speed, is_phonemes=True, trim=False, sentence_pause=0.0, clause_pause=0.0
            )
        except _FAULTS as error:
            raise _meaning(error, Path("Kokoro")) or EngineFailed(
                f"Kokoro failed with the voice {voice}: {error}", cause=error
            ) from error
        clean: Floats = np.nan_to_num(np.asarray(samples, np.float32).reshape(-1), posinf=1.0, neginf=-1.0)
        return Batch(clean, tuple((time.phoneme, round(time.end * RATE)) for time in times))

    def close(self) -> None:
        """Let go of the file of voices, which the library keeps open. Nothing can be spoken any more."""
        self._library.voices.close()

    def _style(self, voice: str) -> Any:
        style = self._library.get_voice_style(voice)
        if style.ndim != 3 or style.shape[1] != 1:
            raise ValueError(f"its shape is {style.shape}, not (phonemes, 1, width)")
        return style


def _meaning(error: Exception, what: Path) -> Exception | None:
    """Where it is not the model that is to blame."""
    if lacks_memory(error):
        return MemoryError(str(what))
    return failure(error, "Kokoro", LIBRARIES)


def _broken(model: Path, detail: str, error: Exception | None) -> EngineFailed:
    return EngineFailed(f"{model} is damaged or no Kokoro model: {detail}; fetch it again: {MENDING}", cause=error)
