"""A Kokoro model made in the test: the inputs of a real one, every phoneme a tone of a known length; and its voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from kokoro_onnx.config import DEFAULT_VOCAB
from onnx import TensorProto, helper

from tests.engines.tones import Tones

RATE = 24_000
HOP = 600
VOCABULARY: dict[str, int] = DEFAULT_VOCAB
VOICES = ("af_heart", "am_adam", "bf_emma", "ef_dora", "ff_siwis", "zf_xiaobei")
_SIZE = 1 + max(VOCABULARY.values())
_SILENT = '$ ˈˌː.,;:!?—…"()“”'


def frames_of(phoneme: str) -> float:
    """Frames of a phoneme at speed 1; the model rounds up."""
    if phoneme == " ":
        return 1.7
    return 0.5 if phoneme in _SILENT else 2.7


def pitch_of(voice: str) -> float:
    """Factor by which a voice is higher."""
    return 1.1 ** VOICES.index(voice)


def make_kokoro(folder: Path, *, durations: bool = True, quiet: float = 0.5) -> Path:
    """Write ``kokoro-v1.0.onnx`` and ``voices-v1.0.bin``; returns the path of the model.

    ``durations`` adds the output by which newer exports tell how long each phoneme takes. ``quiet`` seconds of silence
    are at both ends, as real ones have them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kokoro-v1.0.onnx"
    onnx.save(_graph(durations, max(1, round(quiet * RATE / HOP))), path)
    styles = {name: np.full((510, 1, 256), np.log(pitch_of(name)), np.float32) for name in VOICES}
    with (folder / "voices-v1.0.bin").open("wb") as file:
        np.savez(file, **styles)
    return path


def _graph(durations: bool, quiet: int) -> onnx.ModelProto:
    tones = Tones(RATE, HOP)
    table = np.zeros(_SIZE, np.float32)
    for phoneme, number in VOCABULARY.items():
        table[number] = frames_of(phoneme)
    table[0] = quiet
    flat = tones.constant("flat", np.array([-1], np.int64))
    tokens = tones.node("Reshape", ["tokens", flat], "ids")
    wanted = tones.node("Div", [tones.node("Gather", [tones.constant("table", table), tokens], "w"), "speed"], "w_scaled")
    frames = tones.node("Cast", [tones.node("Ceil", [wanted], "w_ceil")], "duration", to=TensorProto.INT64)
    corner = [tones.constant(f"c{index}", np.array(value, np.int64)) for index, value in enumerate(([0, 0], [1, 1], [0, 1]))]
    first = tones.node("Squeeze", [tones.node("Slice", ["style", *corner], "corner")], "log_factor")
    factor = tones.node("Exp", [first], "factor")
    silent = [0, *(number for phoneme, number in VOCABULARY.items() if phoneme in _SILENT)]
    tones.node("Identity", [tones.sound(tokens, frames, factor, silent, _SIZE)], "audio")
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "tokens"]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
    ]
    outputs = [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["samples"])]
    if durations:
        outputs.append(helper.make_tensor_value_info("duration", TensorProto.INT64, ["tokens"]))
    return tones.model(inputs, outputs)
