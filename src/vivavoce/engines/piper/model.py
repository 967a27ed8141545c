"""A Piper voice on onnxruntime: phoneme ids in, samples out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.spoken import lacks_memory
from vivavoce.contracts.errors import EngineFailed, EngineMissing
from vivavoce.contracts.gpu import failure
from vivavoce.engines.piper.model_file import with_durations
from vivavoce.engines.piper.session import LIBRARIES, open_session
from vivavoce.engines.piper.voice_file import MENDING, VoiceFile

try:
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    _FAULTS: tuple[type[Exception], ...] = (runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph)
    _FAULTS += (runtime.InvalidProtobuf, runtime.NoSuchFile, runtime.NotImplemented, runtime.RuntimeException)
    _FAULTS += (runtime.EPFail, RuntimeError, ValueError, IndexError, OSError)
except ImportError:
    runtime = None
    _FAULTS = ()

_INPUTS = {"input", "input_lengths", "scales"}
_QUIETEST = 0.3
"""Peak below which a voice is not made louder: a breath is no speech."""
_PEAK = 0.9

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """Samples, -1 to 1, and the number of samples each phoneme id takes, where the voice tells."""

    samples: Floats
    durations: NDArray[np.int64] | None


class Model:
    """A loaded voice. Raises EngineMissing without onnxruntime, EngineFailed for what is no Piper voice, MemoryError."""

    def __init__(self, voice: VoiceFile, threads: int, device: str) -> None:
        if runtime is None:
            raise EngineMissing("onnxruntime is not installed: pip install 'vivavoce[piper]'")
        self._voice = voice
        try:
            self._session: Any = open_session(with_durations(voice.model.read_bytes()), threads, device)
            lacking = _INPUTS - {given.name for given in self._session.get_inputs()}
        except _FAULTS as error:
            raise _meaning(error, str(voice.model)) or _broken(voice, str(error), error) from error
        if lacking:
            raise _broken(voice, f"it has no input called {', '.join(sorted(lacking))}", None)
        self._outputs = [given.name for given in self._session.get_outputs()]
        self._peak = _QUIETEST

    def run(self, ids: list[int], speaker: int | None, speed: float) -> Utterance:
        """One call of the model. Raises EngineFailed where the runtime does, MemoryError."""
        voice = self._voice
        feeds = {
            "input": np.array([ids], np.int64),
            "input_lengths": np.array([len(ids)], np.int64),
            "scales": np.array([voice.noise_scale, voice.length_scale / speed, voice.noise_width], np.float32),
        }
        if speaker is not None:
            feeds["sid"] = np.array([speaker], np.int64)
        try:
            audio, *rest = self._session.run(self._outputs, feeds)
        except _FAULTS as error:
            raise _meaning(error, voice.stem) or EngineFailed(
                f"the Piper voice {voice.stem} failed: {error}", cause=error
            ) from error
        samples: Floats = np.nan_to_num(np.asarray(audio, np.float32).reshape(-1), posinf=1.0, neginf=-1.0)
        return Utterance(self._levelled(samples), self._durations(rest, len(ids), samples.size))

    def _durations(self, rest: list[Any], count: int, total: int) -> NDArray[np.int64] | None:
        if not rest or np.size(rest[-1]) != count:
            return None
        durations: NDArray[np.int64] = (np.asarray(rest[-1], np.float64).reshape(-1) * self._voice.hop).astype(np.int64)
        return durations if abs(int(durations.sum()) - total) <= 2 * self._voice.hop else None

    def _levelled(self, samples: Floats) -> Floats:
        """As loud as 16 bits allow, by the loudest clause so far: levelling each by itself would make them jump."""
        if samples.size:
            self._peak = max(self._peak, float(np.abs(samples).max()))
        return samples * np.float32(_PEAK / self._peak)


def _meaning(error: Exception, what: str) -> Exception | None:
    """Where it is not the voice that is to blame."""
    return MemoryError(what) if lacks_memory(error) else failure(error, "Piper", LIBRARIES)


def _broken(voice: VoiceFile, detail: str, error: Exception | None) -> EngineFailed:
    return EngineFailed(
        f"{voice.model} is damaged or no Piper voice: {detail}; fetch it again: {MENDING}",
        cause=error,
    )
