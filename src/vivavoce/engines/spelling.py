"""Letters, digits and a few words spoken one by one, with the SpellingCNN of moonshine-micro (MIT) on onnxruntime.

The network sorts one second of sound into 51 classes: a–z, zero–nine, yes, no, cancel, delete and the like. It sees the
log-mel spectrum of the second: 64 Slaney bands of equal area from 20 Hz to 8 kHz, windows of 512 samples every 125, natural
logarithm, normalised to mean 0 and deviation 1; here computed with numpy. An utterance is cut into tokens at its pauses, so
it reads what is *spelled*, not running speech.

Measured on 108 held-out recordings of the model's own test set, one token each: 99 right (91.7 %) as they are, and more when
the token is cut out and put into the middle, as is done here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.contracts.errors import EngineFailed, EngineMissing, InvalidAudio, Overloaded, UnknownName
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions, Word

try:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    _FAULTS: tuple[type[Exception], ...] = (runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph)
    _FAULTS += (runtime.InvalidProtobuf, runtime.NoSuchFile, runtime.RuntimeException, RuntimeError, ValueError)
except ImportError:
    onnxruntime = None
    _FAULTS = ()

RATE = 16_000
FRAME = 160
"""Samples per level: 10 ms."""
_WINDOW = 512
_LOWEST = 20.0
_FLOOR = 1e-6
"""Added to the power of each band before its logarithm is taken (-60 dB)."""
SILENCE = -55.0
"""dBFS under which nothing is a token, however quiet the background."""
MARGIN = 12.0
"""dB above the background from which sound belongs to a token."""
RISE = 0.02
"""dB per frame by which the estimate of the background rises (2 dB/s)."""
LEAD = 2
"""Loud frames in a row that begin a token."""
HANG = 20
"""Quiet frames that end one (200 ms): the stop within "six" or "eight" lasts up to 120 ms."""
AROUND = 20
"""Frames around a token that are shown with it."""
SHORTEST = 8
"""Frames (80 ms) under which a sound is a click."""
LONGEST = 120
"""Frames (1.2 s) after which a sound is no token, but speech or noise; it is left out."""
CONFIDENCE = 0.35

_DIGITS = {
    name: str(value)
    for value, name in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
}

Setting = str | int | float | bool
Floats = NDArray[np.float32]


class Spelling:
    """Speech to text for spelled letters and digits; see TranscriptionEngine.

    Settings:

    - ``model``: absolute path of the ONNX file; its description (``*_meta.json``) lies beside it.
    - ``threads`` (1): threads of one classification (1.75 ms).
    - ``confidence`` (0.35): probability under which a token is left out.
    - ``max_seconds`` (60): longest utterance.

    Raises EngineMissing without onnxruntime, the file or its description.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        path = Path(str(settings.get("model", "")))
        self._session = _load(path, int(settings.get("threads", 1)))
        self._shape = _describe(path)
        self._bands = mel_bands(self._shape.bands)
        self._window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
        self.confidence = float(settings.get("confidence", CONFIDENCE))
        self.longest = round(float(settings.get("max_seconds", 60.0)) * RATE)

    @property
    def capabilities(self) -> Capabilities:
        """English letters and digits; partials come token by token and are never taken back."""
        return Capabilities(
            "spelling",
            languages=("en",),
            word_times=True,
            sample_rate=RATE,
            concurrency=64,
            final_latency=0.005,
            licence="MIT",
        )

    def open(self, options: TranscriptionOptions) -> SpellingStream:
        """Begin an utterance. Raises UnknownName for a language other than English."""
        if options.language.split("-")[0].lower() != "en":
            raise UnknownName(f"spelling knows English letters only, not {options.language!r}", code="unknown_language")
        return SpellingStream(self, options)

    def classify(self, samples: Floats) -> tuple[str, float]:
        """The token in at most one second of samples (-1…1), put into the middle of it, and its probability.

        Letters are lower case, digits are figures. Raises EngineFailed.
        """
        missing = max(0, RATE - samples.size)
        clip = np.pad(samples[:RATE], (missing // 2, missing - missing // 2))
        try:
            (logits,) = self._session.run(None, {self._shape.source: self._features(clip)[None, None]})
        except _FAULTS as error:
            raise EngineFailed(f"the spelling model failed: {error}", cause=error) from error
        scores = np.asarray(logits, np.float64).ravel()
        odds = np.exp(scores - scores.max())
        best = int(odds.argmax())
        name = self._shape.classes[best]
        return _DIGITS.get(name, name), float(odds[best] / odds.sum())

    def _features(self, clip: Floats) -> Floats:
        """[bands, frames] of one second."""
        padded = np.pad(clip, _WINDOW // 2, mode="reflect")
        windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[:: self._shape.hop][: self._shape.frames]
        power = np.abs(np.fft.rfft(windows * self._window, axis=1).astype(np.complex64)) ** 2
        spectrum = np.log(self._bands @ power.T + np.float32(_FLOOR))
        features: Floats = ((spectrum - spectrum.mean()) / (spectrum.std() + 1e-5)).astype(np.float32)
        return features

    def close(self) -> None:
        """Nothing is held between utterances."""


class SpellingStream:
    """One utterance. Implements ``contracts.engines.EngineTranscription``."""

    def __init__(self, engine: Spelling, options: TranscriptionOptions) -> None:
        self._engine = engine
        self._partials = options.partials
        self._rest = b""
        self._cutter = TokenCutter()
        self._words: list[Word] = []
        self._samples = 0
        self._closed = False

    def send(self, pcm: bytes) -> Transcript | None:
        """Feed audio; a partial behind each token. Raises InvalidAudio, Overloaded for too long an utterance."""
        if self._closed:
            raise EngineFailed("the utterance is over: open another")
        if len(pcm) % 2:
            raise InvalidAudio(f"audio is 16-bit: {len(pcm)} bytes is no whole number of samples")
        self._samples += len(pcm) // 2
        if self._samples > self._engine.longest:
            raise Overloaded(f"the utterance is longer than {self._engine.longest // RATE} s", retryable=False)
        self._rest += pcm
        whole = len(self._rest) // (2 * FRAME) * (2 * FRAME)
        if not whole:
            return None
        samples = np.frombuffer(self._rest[:whole], "<i2").astype(np.float32) / np.float32(32_768)
        self._rest = self._rest[whole:]
        before = len(self._words)
        for frame in samples.reshape(-1, FRAME):
            self._take(self._cutter.push(frame))
        return self._transcript() if self._partials and len(self._words) > before else None

    def finish(self) -> Transcript:
        """Read the last token, if it was not over yet. Raises EngineFailed when it is called twice."""
        if self._closed:
            raise EngineFailed("the utterance is over: open another")
        self._take(self._cutter.finish())
        self.close()
        return self._transcript(final=True)

    def _take(self, token: Token | None) -> None:
        if token is None:
            return
        name, confidence = self._engine.classify(token.samples)
        if confidence >= self._engine.confidence:
            seconds = FRAME / RATE
            self._words.append(Word(name, token.start * seconds, token.end * seconds, confidence))

    def _transcript(self, final: bool = False) -> Transcript:
        text = " ".join(word.text for word in self._words)
        sure = [word.confidence for word in self._words if word.confidence is not None]
        return Transcript(
            text,
            final=final,
            stable=len(text),
            words=tuple(self._words),
            confidence=sum(sure) / len(sure) if sure else None,
            language="en",
        )

    def close(self) -> None:
        """Forget the audio. Idempotent."""
        self._closed = True
        self._rest = b""
        self._cutter = TokenCutter()


@dataclass(frozen=True, slots=True)
class Token:
    """A sound between two pauses: its frames, and its samples (-1…1) with some of what is around it."""

    start: int
    end: int
    samples: Floats


class TokenCutter:
    """Finds tokens in frames of 10 ms by their level above the background. Holds at most two seconds of sound."""

    def __init__(self) -> None:
        self._kept: list[Floats] = []
        """The token so far behind the frames in front of it."""
        self._position = 0
        self._start: int | None = None
        self._loud = 0
        self._quiet = 0
        self._background = SILENCE

    def push(self, frame: Floats) -> Token | None:
        """Take one frame; return the token that ended with it, if one did."""
        level = 10.0 * float(np.log10(np.dot(frame, frame) / FRAME + 1e-10))
        self._position += 1
        self._kept.append(frame)
        loud = level > max(SILENCE, self._background + MARGIN)
        self._background = min(level, self._background + RISE)
        self._loud = self._loud + 1 if loud else 0
        self._quiet = 0 if loud else self._quiet + 1
        if self._start is None:
            if self._loud >= LEAD:
                self._start = self._position - self._loud
            else:
                del self._kept[: -AROUND - LEAD]
            return None
        if self._quiet >= HANG:
            return self._over()
        if len(self._kept) > LONGEST + 2 * AROUND + HANG:
            del self._kept[0]  # of a sound that is no token any more only its length matters
        return None

    def finish(self) -> Token | None:
        """No more frames come: the token that is not over yet, if there is one."""
        return None if self._start is None else self._over()

    def _over(self) -> Token | None:
        start, end = self._start, self._position - self._quiet
        assert start is not None
        first = self._position - len(self._kept)
        frames = self._kept[max(0, start - AROUND - first) : end + AROUND - first]
        self._start = None
        # What follows may be the beginning of the next token's surroundings, but never this token.
        self._kept = self._kept[end - first :][-AROUND:]
        if not SHORTEST <= end - start <= LONGEST:
            return None
        return Token(start, end, np.concatenate(frames))


def mel_bands(bands: int) -> Floats:
    """[bands, 257]: triangular bands of equal area on the Slaney mel scale, linear below 1 kHz and logarithmic above."""
    per_mel, corner = 200.0 / 3.0, 1_000.0
    step = np.log(6.4) / 27.0
    top = corner / per_mel + np.log(RATE / 2 / corner) / step
    mels = np.linspace(_LOWEST / per_mel, top, bands + 2)
    above = np.maximum(mels - corner / per_mel, 0.0)
    edges = np.where(above > 0.0, corner * np.exp(step * above), per_mel * mels)
    bins = np.linspace(0.0, RATE / 2, _WINDOW // 2 + 1)
    ramps = edges[:, None] - bins[None]
    widths = np.diff(edges)[:, None]
    triangles = np.maximum(0.0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    weights: Floats = (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
    return weights


@dataclass(frozen=True, slots=True)
class _Shape:
    classes: tuple[str, ...]
    bands: int
    hop: int
    frames: int
    source: str


def _load(path: Path, threads: int) -> Any:
    """Raises EngineMissing."""
    if onnxruntime is None:
        raise EngineMissing("onnxruntime is not installed: pip install 'vivavoce[builtin]'")
    if not path.is_file():
        raise EngineMissing(f"the spelling model is not at {path}: vivavoce models pull spelling")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _FAULTS as error:
        raise EngineMissing(f"{path} is no usable model ({error}): vivavoce models pull spelling", cause=error) from error


def _describe(path: Path) -> _Shape:
    """The description beside the model: ``NAME.json``, or the only ``*meta.json`` there. Raises EngineMissing."""
    beside = sorted({*path.parent.glob(f"{path.name.split('_mel')[0]}_meta.json"), *path.parent.glob(f"{path.stem}.json")})
    if not beside:
        raise EngineMissing(f"the description of {path} is not beside it: vivavoce models pull spelling")
    try:
        meta = json.loads(beside[0].read_text())
        shape = _Shape(
            tuple(meta["classes"]),
            int(meta["n_mels"]),
            int(meta["hop_length"]),
            int(meta["target_frames"]),
            str(meta["input_name"]),
        )
        rate = int(meta["sample_rate"])
    except (KeyError, TypeError, ValueError) as error:
        raise EngineMissing(
            f"{beside[0]} describes no spelling model: vivavoce models pull spelling", cause=error
        ) from error
    if rate != RATE:
        raise EngineMissing(f"{beside[0]} describes a model for {rate} Hz, not {RATE}: vivavoce models pull spelling")
    return shape
