"""Whisper on CTranslate2. The encoder always sees 30 s, so a reading costs much the same however short the audio is.

Whether there are partials is decided by what a reading costs on this machine, measured when the model is loaded: they are
made by reading the window again and again. Runs in a worker process; a step is one window, a second or so of work.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing, UnknownName
from vivavoce.contracts.speech import Capabilities, TranscriptionOptions, Word
from vivavoce.engines.whisper import cuda
from vivavoce.engines.whisper.files import failed_reading, failure, inspect
from vivavoce.engines.whisper.utterance import RATE, WhisperUtterance, Window
from vivavoce.text.matching import primary_language

try:
    import ctranslate2
    import faster_whisper
except ImportError as error:
    missing: ImportError | None = error
else:
    missing = None

Setting = str | int | float | bool
Clock = Callable[[], float]

TOKENS = 15
"""Decoded when a reading is measured: some five seconds of speech. On a CPU they add a fifth to the encoding; on a GPU they
are most of the work (H100, true shapes: base 3.6 ms and 20 ms, large-v3-turbo 27 and 15)."""
SHARE = 0.4
"""Part of the time that may go into partials, for all utterances together."""
SLOWEST = 2.0
"""Seconds between partials beyond which they are not worth having."""
QUICKEST = 0.6
NO_SPEECH = 0.6
LOG_PROBABILITY = -1.0
COMPRESSION = 2.4
"""Above the last, or below the second with the first, a text is made up: the thresholds of Whisper's own paper (Radford et
al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5)."""
TEMPERATURES = (0.0, 0.4)
MAX_VOCABULARY = 50
_FAULTS = (RuntimeError, ValueError, MemoryError, OSError, IndexError, KeyError)


class Whisper:
    """Speech to text of 99 languages, or English alone with ``.en`` models. Implements ``BatchTranscriptionEngine``.

    Settings:

    - ``model``: path of model.bin; config.json, tokenizer.json and the vocabulary lie beside it. Nothing is ever downloaded.
    - ``threads`` (0 = the cores, at most 4), ``device`` ("auto": CUDA where it works, else the CPU; "cpu", "cuda"),
      ``compute_type`` ("int8" on a CPU, "float16" on CUDA; "int8_float16" takes half the memory there).
    - ``beam_size`` (1): more is slower and a little better.
    - ``word_times`` (True): words with times and confidence, at the cost of a tenth more work.
    - ``partials`` ("auto"): whether the utterance is read while it is spoken; "auto" measures whether this machine can.
    - ``max_seconds`` (3600): longest utterance.

    Raises EngineMissing without the package, a file or CUDA's libraries, EngineFailed for a damaged file.
    """

    BATCH = 1
    WINDOW = 0.0

    def __init__(self, settings: Mapping[str, Setting], clock: Clock | None = None) -> None:
        if missing is not None:
            raise EngineMissing("faster-whisper is not installed: pip install 'vivavoce[whisper]'", cause=missing)
        self._folder = inspect(str(settings.get("model", "")))
        self._beam = max(1, int(settings.get("beam_size", 1)))
        self._word_times = bool(settings.get("word_times", True))
        self._max_seconds = float(settings.get("max_seconds", 3_600))
        self._clock = clock or time.perf_counter  # noqa: TID251 - what a reading costs here decides whether there are partials
        self._model: Any = None
        self.device = _device(str(settings.get("device", "auto")) or "auto")
        """Where it computes."""
        self.cost = self._prepare(settings)
        """Seconds a reading takes."""
        self._partials = _affordable(settings.get("partials", "auto"), self.cost)
        self._live = 0

    @property
    def capabilities(self) -> Capabilities:
        """``streaming`` and ``final_latency`` follow from the measurement at load."""
        multilingual = bool(self._model.model.is_multilingual)
        return Capabilities(
            "whisper",
            languages=tuple(self._model.supported_languages),
            streaming=self._partials,
            word_times=self._word_times,
            sample_rate=RATE,
            final_latency=self.cost,
            licence="MIT",
            tasks=("translate",) if multilingual else (),
        )

    def open(self, options: TranscriptionOptions) -> WhisperUtterance:
        """Begin an utterance. An empty language is found out from the audio. Raises UnknownName."""
        if self._model is None:
            raise EngineFailed("the recogniser is closed")
        language = "" if options.language in ("", "auto", "any") else primary_language(options.language)
        known = self._model.supported_languages
        if language and language not in known:
            listed = ", ".join(known) if len(known) < 20 else f"{len(known)} others"
            raise UnknownName(f"this Whisper model reads {listed}, not {options.language!r}", code="unknown_language")
        if options.task == "translate" and not self._model.model.is_multilingual:
            raise UnknownName("this Whisper model knows English only and does not translate", code="unknown_task")
        self._live += 1
        utterance = WhisperUtterance(options, self._max_seconds, self._interval, self._gone)
        utterance.language = language or ("en" if len(known) == 1 else "")
        return utterance

    def advance(self, streams: Sequence[WhisperUtterance]) -> None:
        """Read a window of each."""
        for utterance in streams:
            samples = utterance.window()
            utterance.read(Window("") if samples is None else self._read(samples, utterance))

    def close(self) -> None:
        """Let the model go."""
        self._model = None

    # --- reading

    def _read(self, samples: NDArray[np.float32], utterance: WhisperUtterance) -> Window:
        options = utterance.options
        vocabulary = ", ".join(options.vocabulary[:MAX_VOCABULARY])
        try:
            segments, info = self._model.transcribe(
                samples,
                language=utterance.language or None,
                task=options.task,
                beam_size=self._beam,
                temperature=list(TEMPERATURES) if utterance.final else 0.0,
                compression_ratio_threshold=COMPRESSION,
                log_prob_threshold=LOG_PROBABILITY,
                no_speech_threshold=NO_SPEECH,
                condition_on_previous_text=False,
                without_timestamps=True,
                word_timestamps=self._word_times and utterance.final,
                hotwords=vocabulary or None,
                vad_filter=False,
            )
            # Without timestamps the first segment is the whole window; behind it the library would read its end again.
            segment = next(segments, None)
            return _window(segment if segment is not None and _believable(segment) else None, info.language)
        except _FAULTS as error:
            raise failed_reading(error) from error

    def _interval(self) -> float | None:
        """Seconds between partials of each of those who are spoken to now; None where that would be too slow."""
        if not self._partials:
            return None
        interval = max(QUICKEST, self.cost / SHARE * max(1, self._live))
        return interval if interval <= SLOWEST else None

    def _gone(self) -> None:
        self._live -= 1

    # --- loading

    def _prepare(self, settings: Mapping[str, Setting]) -> float:
        """Load and measure; a GPU that nobody asked for by name and that does not work is left alone."""
        try:
            self._model = self._load(settings, self.device)
            return self._measure()
        except EngineMissing as error:
            if self.device == "cpu" or settings.get("device", "auto") not in ("", "auto"):
                raise
            warnings.warn(f"Whisper computes on the CPU: {error.message}", RuntimeWarning, stacklevel=2)
            self.device = "cpu"
            self._model = self._load(settings, "cpu")
            return self._measure()

    def _load(self, settings: Mapping[str, Setting], device: str) -> Any:
        compute_type = str(settings.get("compute_type", "")) or ("int8" if device == "cpu" else "float16")
        threads = int(settings.get("threads", 0)) or max(1, min(4, os.cpu_count() or 1))
        try:
            if device == "cuda":
                cuda.preload()
            return faster_whisper.WhisperModel(
                str(self._folder), device=device, compute_type=compute_type, cpu_threads=threads, local_files_only=True
            )
        except _FAULTS as error:
            raise failure(self._folder, error) from error
        except Exception as error:
            if type(error) is not Exception:  # the tokenizer's library raises the bare class for a file it cannot read
                raise
            raise failure(self._folder, error) from error

    def _measure(self) -> float:
        """Seconds a reading takes: the quicker of two, of silence that is made to say something. Also warms the model up."""
        taken = []
        start, end = (self._model.hf_tokenizer.token_to_id(token) for token in ("<|startoftranscript|>", "<|endoftext|>"))
        if start is None or end is None:
            raise failure(self._folder, ValueError("its tokenizer has no tokens for beginning and end"))
        frames = self._model.feature_extractor.nb_max_frames
        mels = self._model.model.n_mels
        try:
            for _ in range(2):
                began = self._clock()
                encoded = self._model.encode(np.zeros((mels, frames), np.float32))
                self._model.model.generate(
                    encoded, [[start]], beam_size=self._beam, max_length=TOKENS + 1, suppress_tokens=[end]
                )
                taken.append(self._clock() - began)
        except _FAULTS as error:
            raise failure(self._folder, error) from error
        return float(min(taken))


def _affordable(wanted: Setting, cost: float) -> bool:
    if wanted in (True, False):
        return bool(wanted)
    if wanted != "auto":
        raise ConfigurationError(f"partials is auto, true or false, not {wanted!r}")
    return cost / SHARE <= SLOWEST


def _device(wanted: str) -> str:
    here = ctranslate2.get_cuda_device_count() > 0
    match wanted:
        case "cpu":
            return "cpu"
        case "auto":
            return "cuda" if here else "cpu"
        case "cuda" if here:
            return "cuda"
        case "cuda":
            raise EngineMissing("no CUDA device is here: set device to cpu, or install NVIDIA's driver and libraries")
    raise ConfigurationError(f"device is auto, cpu or cuda, not {wanted!r}")


def _believable(segment: Any) -> bool:
    """Not a loop, and not what a model says to silence."""
    doubtful = segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < LOG_PROBABILITY
    return segment.compression_ratio <= COMPRESSION and not doubtful


def _window(segment: Any, language: str) -> Window:
    if segment is None:
        return Window("", language=language)
    words = tuple(
        Word(word.word.strip(), float(word.start), float(word.end), float(word.probability))
        for word in segment.words or ()
        if word.word.strip()
    )
    return Window(segment.text.strip(), words, math.exp(min(0.0, segment.avg_logprob)), language)
