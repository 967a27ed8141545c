"""Voice activity with Silero VAD on onnxruntime: one batch for all streams, behind an energy gate.

The model (MIT) reads 32 ms at 16 kHz: 512 new samples behind the last 64 of the frame before, with a recurrent state of
2 × 128 per stream; its ONNX files take many streams in one call (107 µs for one frame, 54 µs a frame in a batch of 128).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.energy_gate import EnergyGate, levels
from vivavoce.contracts.errors import EngineFailed, EngineMissing, InternalError, InvalidAudio, Overloaded
from vivavoce.contracts.speech import Capabilities

try:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    _FAULTS: tuple[type[Exception], ...] = (runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph)
    _FAULTS += (runtime.InvalidProtobuf, runtime.NoSuchFile, runtime.RuntimeException, RuntimeError, ValueError)
except ImportError:
    onnxruntime = None
    _FAULTS = ()

_FRAME = 512
_CONTEXT = 64
_STATE = 128
_FIRST_SLOTS = 16
_MOST_SLOTS = 4_096
"""Streams one process holds, 3.3 kB each."""
_GATE = -70.0

Setting = str | int | float | bool
Floats = NDArray[np.float32]
Indices = NDArray[np.intp]


class Silero:
    """Voice activity over many streams at once; see VoiceActivityEngine.

    Settings: ``model`` (absolute path of the ONNX file), ``gate`` (dBFS below which a frame is never run, -70; -96 runs
    all), ``slots`` (most streams, 4096). Raises EngineMissing without onnxruntime or the file.

    A frame the gate holds back gets probability 0. When the gate opens, the frame before is run first, so that the model
    hears the onset.
    """

    FRAME_SAMPLES = _FRAME

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._session = _load(Path(str(settings.get("model", ""))))
        self._takes_rate = any(given.name == "sr" for given in self._session.get_inputs())
        self._most = int(settings.get("slots", _MOST_SLOTS))
        self._free: list[int] = []
        self._used: set[int] = set()
        self._gate = EnergyGate(float(settings.get("gate", _GATE)), 0)
        self._state = np.zeros((2, 0, _STATE), np.float32)
        self._row = np.zeros((0, _CONTEXT + _FRAME), np.float32)
        """The last input of each stream: the frame, behind the samples in front of it."""
        self._grow(min(_FIRST_SLOTS, self._most))
        self._capabilities = Capabilities(name="silero", concurrency=self._most, licence="MIT")

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def open(self) -> int:
        """A fresh slot. Raises Overloaded when all are in use."""
        if not self._free:
            size = self._row.shape[0]
            if size >= self._most:
                raise Overloaded(f"voice activity already listens to {size} streams: raise the engine's 'slots'")
            self._grow(min(2 * size, self._most))
        slot = self._free.pop()
        self._used.add(slot)
        self.reset(slot)
        return slot

    def _grow(self, size: int) -> None:
        old = self._row.shape[0]
        state = np.zeros((2, size, _STATE), np.float32)
        row = np.zeros((size, _CONTEXT + _FRAME), np.float32)
        state[:, :old], row[:old] = self._state, self._row
        self._state, self._row = state, row
        self._gate.grow(size)
        self._free.extend(range(size - 1, old - 1, -1))

    def detect(self, frames: Sequence[tuple[int, bytes]]) -> list[tuple[float, float]]:
        """Judge one frame of each of several different slots: (probability, dBFS), in order.

        Raises InvalidAudio for a frame of the wrong length, InternalError for a slot that is not open or given twice.
        """
        if not frames:
            return []
        slots = self._slots(frames)
        rows = np.empty((slots.size, _CONTEXT + _FRAME), np.float32)
        rows[:, :_CONTEXT] = self._row[slots, -_CONTEXT:]
        rows[:, _CONTEXT:] = np.frombuffer(b"".join(pcm for _, pcm in frames), "<i2").reshape(-1, _FRAME)
        rows[:, _CONTEXT:] /= 32_768.0
        loudness = levels(rows[:, _CONTEXT:])
        passing, opened = self._gate.judge(slots, loudness)
        if opened.any():
            self._run(slots[opened], self._row[slots[opened]])
        self._row[slots] = rows
        probabilities = np.zeros(slots.size, np.float32)
        if passing.any():
            probabilities[passing] = self._run(slots[passing], rows[passing])
        return list(zip(probabilities.tolist(), loudness.tolist(), strict=True))

    def _slots(self, frames: Sequence[tuple[int, bytes]]) -> Indices:
        slots = [slot for slot, _ in frames]
        if len(set(slots)) != len(slots) or not self._used.issuperset(slots):
            raise InternalError("voice activity was given a slot twice or one that is not open")
        if any(len(pcm) != 2 * _FRAME for _, pcm in frames):
            raise InvalidAudio(f"voice activity takes frames of {_FRAME} samples (16 kHz mono s16le)")
        return np.array(slots, np.intp)

    def _run(self, slots: Indices, rows: Floats) -> Floats:
        feeds: dict[str, Any] = {"input": rows, "state": self._state[:, slots]}
        if self._takes_rate:
            feeds["sr"] = np.array(16_000, np.int64)
        try:
            probabilities, state = self._session.run(None, feeds)
        except _FAULTS as error:
            raise EngineFailed(f"the voice activity model failed: {error}", cause=error) from error
        self._state[:, slots] = state
        result: Floats = probabilities[:, 0]
        return result

    def reset(self, slot: int) -> None:
        self._state[:, slot] = 0.0
        self._row[slot] = 0.0
        self._gate.reset(slot)

    def release(self, slot: int) -> None:
        """Give a slot back. Idempotent."""
        if slot in self._used:
            self._used.remove(slot)
            self._free.append(slot)

    def close(self) -> None:
        self._used.clear()


def _load(path: Path) -> Any:
    if onnxruntime is None:
        raise EngineMissing("onnxruntime is not installed: pip install 'vivavoce[builtin]'")
    if not path.is_file():
        raise EngineMissing(f"no Silero model at {str(path)!r}: vivavoce models pull silero-vad")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except _FAULTS as error:
        raise EngineMissing(
            f"{path} is not a model onnxruntime can load: vivavoce models pull silero-vad", cause=error
        ) from error
