"""sherpa-onnx as a recogniser: loads one model and reads several utterances in one step.

The library ends the process on some faults of a model's files, so they are checked first; run it in a worker process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vivavoce.contracts import gpu
from vivavoce.contracts.engines import BatchTranscription
from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing, UnknownName, VivavoceError
from vivavoce.contracts.speech import Capabilities, TranscriptionOptions
from vivavoce.engines.sherpa.files import AGAIN, Model, inspect
from vivavoce.engines.sherpa.reading import RATE, Piece
from vivavoce.engines.sherpa.utterances import StreamingUtterance, Style, WholeUtterance

try:
    import sherpa_onnx
except ImportError as error:
    missing: ImportError | None = error
else:
    missing = None

Setting = str | int | float | bool
WINDOW = 0.015
"""Seconds a chunk waits for company where utterances are computed together."""
BEAM = "modified_beam_search"
MAX_HOTWORDS = 200
"""Words of a vocabulary that are used."""
PAUSE = 1.2
"""Seconds of silence behind speech at which a reading is put aside."""
NEVER = 1e7
_LIBRARIES = "install the CUDA and cuDNN it is built for, or set device to cpu"
_FAULTS = (RuntimeError, ValueError, IndexError, AssertionError, TypeError, MemoryError)
"""What the library raises: RuntimeError for ONNX Runtime's and its own, IndexError for a token it does not know."""


class SherpaRecogniser:
    """Speech to text with a model of any family in ``families``. Implements ``BatchTranscriptionEngine``.

    Settings:

    - ``model``: path of the model's main file (the encoder where there are several); the others lie in its folder.
    - ``family``: one of ``families.FAMILIES``, where it is not recognised by itself.
    - ``threads`` (0 = half the cores, at most 4) of a step.
    - ``device``: "cpu" or "cuda" (needs sherpa-onnx built for it).
    - ``language``: BCP 47 tag of what the model reads; Whisper and SenseVoice are told to expect it.
    - ``hotwords_score`` (1.5): how much words of a vocabulary are preferred; 0 ignores them, and decodes greedily. They need
      a transducer with bpe.vocab in its folder, or ``modeling_unit`` "cjkchar" for a model whose tokens are characters.
    - ``max_seconds`` (3600 streaming, 600 otherwise): longest utterance.
    - ``stretch_seconds`` (30, Whisper 28): most audio a model that does not stream reads in a step, over all utterances.
    - ``chunk_size`` (16), ``left_chunks`` (4): of a streaming WeNet model, as it was exported.

    Raises EngineMissing without the package or a file, EngineFailed for a damaged file.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        if missing is not None:
            raise EngineMissing("sherpa-onnx is not installed: pip install 'vivavoce[sherpa]'", cause=missing)
        path = str(settings.get("model", ""))
        if not path:
            raise ConfigurationError("sherpa needs the setting `model`: the path of a model's main file")
        self._model = model = inspect(Path(path), str(settings.get("family", "")))
        family = model.family
        self._language = str(settings.get("language", ""))
        self._check_language()
        self._unit = str(settings.get("modeling_unit", "bpe" if model.bpe_vocabulary else ""))
        self._hotwords = family.hotwords and bool(self._unit) and float(settings.get("hotwords_score", 1.5)) > 0
        _check_unit(self._unit, model)
        spaced = any(symbol.startswith("▁") for symbol in model.tokens.symbols.values())
        appending = not self._hotwords and family.times
        self._style = Style(model.tokens.upper, spaced, appending, self._language or None)
        self._max_bytes = 2 * RATE * int(settings.get("max_seconds", 3_600 if family.streaming else 600))
        self._stretch = min(family.seconds, float(settings.get("stretch_seconds", family.seconds)))
        self.BATCH = family.batch
        self.WINDOW = WINDOW if family.batch > 1 else 0.0
        self._recogniser: Any = self._load(settings)
        self._tail = self._measure() if family.streaming else 0

    @property
    def capabilities(self) -> Capabilities:
        """``final_latency`` is a guess from published figures: a chunk for streaming models, a whole reading for others."""
        family = self._model.family
        return Capabilities(
            f"sherpa ({family.name})",
            languages=self._languages(),
            streaming=family.streaming,
            word_times=family.times,
            sample_rate=RATE,
            concurrency=family.batch,
            final_latency=0.1 if family.streaming else 0.5,
            licence="Apache-2.0 (the library; the model has its own)",
        )

    def _check_language(self) -> None:
        """One that a multilingual Whisper has not ends the process at the first utterance."""
        known = self._spoken()
        if self._language and known and self._language.split("-")[0].lower() not in known:
            raise UnknownName(f"this model reads {', '.join(known)}, not {self._language!r}", code="unknown_language")

    def _languages(self) -> tuple[str, ...]:
        return (self._language,) if self._language else self._spoken()

    def _spoken(self) -> tuple[str, ...]:
        """What the model is known to read, empty if nothing is known."""
        if self._model.family.name == "whisper":
            many = self._model.metadata.get("is_multilingual") == "1"
            return tuple(self._model.metadata.get("all_language_codes", "").split(",")) if many else ("en",)
        return self._model.family.speaks

    def open(self, options: TranscriptionOptions) -> StreamingUtterance | WholeUtterance:
        """Begin an utterance. Raises UnknownName for a language that the model is known not to read."""
        if self._recogniser is None:
            raise EngineFailed("the recogniser is closed")
        known = {tag.split("-")[0].lower() for tag in self._languages()}
        if known and options.language.split("-")[0].lower() not in {*known, "", "any", "auto"}:
            raise UnknownName(
                f"this model reads {', '.join(sorted(known))}, not {options.language!r}", code="unknown_language"
            )
        if not self._model.family.streaming:
            return WholeUtterance(self._stretch, self._style, options, self._max_bytes)
        stream = self._stream(options)
        return StreamingUtterance(self._recogniser, stream, self._tail, self._style, options, self._max_bytes)

    def advance(self, streams: Sequence[BatchTranscription]) -> None:
        """Read a chunk of each (all that is left of those that have ended), or stretches of as many as there is room for."""
        streaming = [utterance for utterance in streams if isinstance(utterance, StreamingUtterance)]
        for utterance in streaming:
            if utterance.failure is not None:
                raise utterance.failure
        self._advance_streaming(streaming)
        self._advance_whole([utterance for utterance in streams if isinstance(utterance, WholeUtterance)])

    def close(self) -> None:
        """Let the model go."""
        self._recogniser = None

    # --- steps

    def _advance_streaming(self, utterances: list[StreamingUtterance]) -> None:
        ready = utterances
        while ready:
            try:
                self._recogniser.decode_streams([utterance.stream for utterance in ready])
                for utterance in ready:
                    utterance.look()
            except _FAULTS as error:
                # The library takes the states out of all streams before it computes, so none of them can go on.
                failure = self._mapped(error)
                for utterance in ready:
                    utterance.failure = failure
                raise failure from error
            ready = [utterance for utterance in ready if utterance.ended and utterance.pending]

    def _advance_whole(self, utterances: list[WholeUtterance]) -> None:
        room = round(self._stretch * RATE)
        taken: list[WholeUtterance] = []
        streams: dict[WholeUtterance, Any] = {}
        for utterance in utterances:
            samples = utterance.stretch()
            room -= 0 if samples is None else len(samples)
            if room < 0 and streams:
                break
            taken.append(utterance)
            if samples is not None:
                streams[utterance] = self._stream(utterance.options)
                streams[utterance].accept_waveform(RATE, samples)
        try:
            if streams:
                self._recogniser.decode_streams(list(streams.values()))
            results = {utterance: stream.result for utterance, stream in streams.items()}
        except _FAULTS as error:
            raise self._mapped(error) from error
        for utterance in taken:
            result = results.get(utterance)
            if result is None:
                utterance.read(None)
            else:
                piece = Piece(result.text, list(result.tokens), list(result.timestamps))
                utterance.read(piece, str(getattr(result, "lang", "")).strip("<|>") or None)

    def _stream(self, options: TranscriptionOptions) -> Any:
        words = hotwords(options.vocabulary, self._model, self._unit) if self._hotwords else ""
        # Greedy decoding of a stream with hotwords ends the process.
        return self._recogniser.create_stream(words) if words else self._recogniser.create_stream()

    # --- loading

    def _load(self, settings: Mapping[str, Setting]) -> Any:
        model, family = self._model, self._model.family
        arguments: dict[str, Any] = {**model.files, **family.arguments, "tokens": model.tokens_file}
        arguments |= {"num_threads": _threads(settings), "provider": _provider(settings)}
        if family.streaming:
            arguments |= {
                "enable_endpoint_detection": True,
                "rule1_min_trailing_silence": PAUSE,
                "rule2_min_trailing_silence": PAUSE,
                "rule3_min_utterance_length": NEVER,  # it would cut in mid-word
            }
        if family.hotwords and self._hotwords:
            arguments |= {"decoding_method": BEAM, "hotwords_score": float(settings.get("hotwords_score", 1.5))}
            arguments |= {"modeling_unit": self._unit, "bpe_vocab": model.bpe_vocabulary}
        if family.name == "streaming-wenet-ctc":
            arguments |= {
                "chunk_size": int(settings.get("chunk_size", 16)),
                "num_left_chunks": int(settings.get("left_chunks", 4)),
            }
        if family.name in ("whisper", "sense-voice"):
            arguments["language"] = self._language.split("-")[0].lower()
        kind = sherpa_onnx.OnlineRecognizer if family.streaming else sherpa_onnx.OfflineRecognizer
        try:
            return getattr(kind, family.factory)(**arguments)
        except _FAULTS as error:
            raise self._mapped(error) from error

    def _measure(self) -> int:
        """Samples of silence that bring out the last word: a chunk, and as much again as chunks lie apart.

        Both are found by feeding silence; that also warms the model up, and shows that it runs.
        """
        try:
            stream = self._recogniser.create_stream()
            first = self._feed(stream)
            self._recogniser.decode_streams([stream])
            self._recogniser.get_result_all(stream)
            return first + self._feed(stream)
        except _FAULTS as error:
            raise self._mapped(error) from error

    def _feed(self, stream: Any) -> int:
        step = np.zeros(RATE // 100, np.float32)
        for fed in range(1_000):
            if self._recogniser.is_ready(stream):
                return fed * len(step)
            stream.accept_waveform(RATE, step)
        raise EngineFailed(f"{self._model.folder} wants more than 10 s of audio at once: it is no streaming model")

    def _mapped(self, error: Exception) -> VivavoceError:
        text = f"{type(error).__name__}: {error}"
        if isinstance(error, MemoryError) or "alloc" in text or gpu.is_full(text):
            return EngineFailed(
                f"no memory for the model in {self._model.folder}: choose a smaller one or raise max_address_space ({text})",
                code="out_of_memory",
                cause=error,
            )
        if "Load model" in text or "Protobuf" in text:
            return EngineFailed(
                f"the model in {self._model.folder} is damaged ({text}); {AGAIN}", code="damaged_model", cause=error
            )
        told = gpu.failure(error, "sherpa-onnx", _LIBRARIES)
        return told or EngineFailed(
            f"sherpa-onnx failed with the {self._model.family.name} model in {self._model.folder} ({text})", cause=error
        )


def hotwords(vocabulary: Sequence[str], model: Model, unit: str) -> str:
    """``vocabulary`` in the library's notation. Words that cannot be spelt in the model's tokens are left out."""
    found = []
    for phrase in vocabulary[:MAX_HOTWORDS]:
        # a slash parts phrases, the other signs are read as scores at the beginning of a word
        text = " ".join(part for part in (word.strip("/:#@") for word in phrase.replace("/", " ").split()) if part)
        text = text.upper() if model.tokens.upper else text
        if text and (unit != "cjkchar" or model.tokens.spell(text)):
            found.append(text)
    return "/".join(found)


def _check_unit(unit: str, model: Model) -> None:
    if unit not in ("", "bpe", "cjkchar", "cjkchar+bpe"):
        raise ConfigurationError(f"modeling_unit is bpe, cjkchar or cjkchar+bpe, not {unit!r}")
    if "bpe" in unit and not model.bpe_vocabulary:
        raise EngineMissing(
            f"hotwords need bpe.vocab in {model.folder}; without it set hotwords_score to 0 and no modeling_unit"
        )


def _threads(settings: Mapping[str, Setting]) -> int:
    return int(settings.get("threads", 0)) or max(1, min(4, (os.cpu_count() or 1) // 2))


def _provider(settings: Mapping[str, Setting]) -> str:
    device = str(settings.get("device", "cpu")) or "cpu"
    if device not in ("cpu", "cuda"):
        raise ConfigurationError(f"device is cpu or cuda, not {device!r}")
    if device == "cuda":
        _check_cuda()
    return device


def _check_cuda() -> None:
    """Raises EngineMissing where the library would compute on the CPU, which it says in a log at most."""
    built = next(Path(sherpa_onnx.__file__).parent.rglob("*providers_cuda*"), None)
    if built is None:
        raise EngineMissing(
            "this sherpa-onnx is built for the CPU only: install its CUDA build (see its documentation) or set device to cpu"
        )
    if lacking := gpu.unopened(str(built)):
        raise EngineMissing(f"sherpa-onnx cannot use the GPU: {_LIBRARIES} ({lacking})", code=gpu.NO_LIBRARIES)
