"""End of turn from sound with smart-turn v3.2 (BSD-2, weights too) on onnxruntime.

The model reads the log-mel spectrum of the last 8 s as Whisper does it: 25 ms windows every 10 ms, 80 Slaney mel bands,
clipped to 80 dB below the loudest; here computed with numpy alone. A shorter recording is padded with silence in front.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.contracts.errors import EngineFailed, EngineMissing, InvalidAudio
from vivavoce.contracts.speech import Capabilities

try:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    _FAULTS: tuple[type[Exception], ...] = (runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph)
    _FAULTS += (runtime.InvalidProtobuf, runtime.NoSuchFile, runtime.RuntimeException, RuntimeError, ValueError)
except ImportError:
    onnxruntime = None
    _FAULTS = ()

_RATE = 16_000
_SAMPLES = 8 * _RATE
_WINDOW, _HOP, _BANDS = 400, 160, 80
_FRAMES = _SAMPLES // _HOP

Setting = str | int | float | bool
Floats = NDArray[np.float32]


class SmartTurn:
    """How likely it is that a speaker is done; see TurnEngine.

    Settings: ``model`` (absolute path of the ONNX file), ``threads`` (1). Raises EngineMissing without onnxruntime or
    the file.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._session = _load(Path(str(settings.get("model", ""))), int(settings.get("threads", 1)))
        self._bands = _mel_bands()
        self._window = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
        self._capabilities = Capabilities(name="smart-turn", streaming=False, licence="BSD-2-Clause")

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def score(self, pcm: bytes) -> float:
        """Probability 0–1 from HEARING PCM that ends at a pause; only the last 8 s count.

        Raises InvalidAudio for PCM of an odd length or none at all.
        """
        if not pcm or len(pcm) % 2:
            raise InvalidAudio("the end of a turn is judged from 16 kHz mono s16le audio of an even, non-zero length")
        samples = np.frombuffer(pcm[-2 * _SAMPLES :], "<i2").astype(np.float32) / np.float32(32_768)
        try:
            (probability,) = self._session.run(None, {"input_features": self._features(samples)[None]})
        except _FAULTS as error:
            raise EngineFailed(f"the turn model failed: {error}", cause=error) from error
        return min(1.0, max(0.0, float(np.asarray(probability).ravel()[0])))

    def _features(self, samples: Floats) -> Floats:
        """[80, 800] from at most 8 s of samples in -1…1."""
        samples = np.pad(samples, (_SAMPLES - samples.size, 0))
        samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        padded = np.pad(samples, _WINDOW // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:_FRAMES] * self._window
        power = np.abs(np.fft.rfft(frames, axis=1).astype(np.complex64)) ** 2
        spectrum = np.log10(np.maximum(self._bands @ power.T, 1e-10))
        spectrum = np.maximum(spectrum, spectrum.max() - 8.0)
        features: Floats = ((spectrum + 4.0) / 4.0).astype(np.float32)
        return features

    def close(self) -> None:
        """Nothing is held between calls."""


def _mel_bands() -> Floats:
    """[80, 201]: triangular bands of equal area on the Slaney mel scale, linear below 1 kHz and logarithmic above."""
    per_mel, corner = 200.0 / 3.0, 1_000.0
    step = np.log(6.4) / 27.0
    top = corner / per_mel + np.log(_RATE / 2 / corner) / step
    mels = np.linspace(0.0, top, _BANDS + 2)
    above = np.maximum(mels - corner / per_mel, 0.0)
    edges = np.where(above > 0.0, corner * np.exp(step * above), per_mel * mels)
    bins = np.linspace(0.0, _RATE / 2, _WINDOW // 2 + 1)
    rising = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    bands = np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return bands.astype(np.float32)


def _load(path: Path, threads: int) -> Any:
    if onnxruntime is None:
        raise EngineMissing("onnxruntime is not installed: pip install 'vivavoce[builtin]'")
    if not path.is_file():
        raise EngineMissing(f"no smart-turn model at {str(path)!r}: vivavoce models pull smart-turn")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _FAULTS as error:
        raise EngineMissing(
            f"{path} is not a model onnxruntime can load: vivavoce models pull smart-turn", cause=error
        ) from error
