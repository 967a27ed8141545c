"""A Piper voice made in the test: the inputs and outputs of a real one, every phoneme a tone of a known length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

from tests.engines.tones import Tones

HOP = 256
IDS = {name: list(ids) for name, ids in DEFAULT_PHONEME_ID_MAP.items()}
_VOCABULARY = 1 + max(number for ids in IDS.values() for number in ids)
_SILENT = "_^$ !',-.:;?ˈˌː"


def frames_of(phoneme: str) -> float:
    """Frames of a phoneme at the voice's own pace; the model rounds up, as real ones do."""
    if phoneme == " ":
        return 3.4
    return 0.4 if phoneme in _SILENT else 6.4


def make_piper(
    folder: Path,
    stem: str = "en_US-tones-low",
    *,
    espeak: str = "en-us",
    rate: int = 22_050,
    speakers: int = 1,
    durations: bool = True,
    quiet: float = 0.0,
) -> Path:
    """Write ``STEM.onnx`` and ``STEM.onnx.json``; returns the path of the model.

    ``durations`` False leaves out the operator by which real voices tell how long each phoneme takes. ``quiet`` seconds
    of silence are at both ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.onnx"
    onnx.save(_graph(rate, speakers, durations, round(quiet * rate)), path)
    names = {f"speaker{number}": number for number in range(speakers)} if speakers > 1 else {}
    data = {
        "audio": {"sample_rate": rate, "quality": "low"},
        "espeak": {"voice": espeak},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": IDS,
        "num_symbols": _VOCABULARY,
        "num_speakers": speakers,
        "speaker_id_map": names,
        "piper_version": "1.0.0",
        "language": {"code": stem.partition("-")[0], "family": stem[:2]},
        "dataset": "tones",
    }
    path.with_name(f"{path.name}.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return path


def _graph(rate: int, speakers: int, durations: bool, quiet: int) -> onnx.ModelProto:
    tones = Tones(rate, HOP)
    table = np.zeros(_VOCABULARY, np.float32)
    for name, ids in IDS.items():
        for number in ids:
            table[number] = frames_of(name)
    flat = tones.constant("flat", np.array([-1], np.int64))
    tokens = tones.node("Reshape", ["input", flat], "tokens")
    scale = tones.node("Gather", ["scales", tones.constant("second", np.array(1, np.int64))], "length_scale")
    wanted = tones.node("Mul", [tones.node("Gather", [tones.constant("table", table), "input"], "w"), scale], "w_scaled")
    if durations:
        wanted = tones.node("Ceil", [tones.node("Unsqueeze", [wanted, "one_axis"], "w_3")], "w_ceil")
        tones.constant("one_axis", np.array([1], np.int64))
    else:
        up = tones.constant("up", np.array(0.999, np.float32))
        wanted = tones.node("Floor", [tones.node("Add", [wanted, up], "w_more")], "w_floor")
    frames = tones.node("Cast", [tones.node("Reshape", [wanted, flat], "w_flat")], "w_int", to=TensorProto.INT64)
    factor = _factor(tones, speakers)
    samples = tones.sound(tokens, frames, factor, [number for name in _SILENT for number in IDS[name]], _VOCABULARY)
    pads = tones.constant("quiet", np.array([quiet, quiet], np.int64))
    shape = tones.constant("shape", np.array([1, 1, 1, -1], np.int64))
    tones.node("Reshape", [tones.node("Pad", [samples, pads], "padded"), shape], "output")
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.INT64, ["batch", "phonemes"]),
        helper.make_tensor_value_info("input_lengths", TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
    ]
    if speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, ["batch"]))
    return tones.model(inputs, [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, 1, "time"])])


def _factor(tones: Tones, speakers: int) -> str:
    fifth = tones.constant("fifth", np.array(1.5, np.float32))
    if speakers <= 1:
        return tones.constant("factor", np.array(1.0, np.float32))
    number = tones.node("Cast", [tones.node("Squeeze", ["sid"], "speaker")], "speaker_float", to=TensorProto.FLOAT)
    return tones.node("Pow", [fifth, number], "factor")
