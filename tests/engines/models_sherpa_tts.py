"""Voices for sherpa-onnx made in the test: every letter a tone of a known length, words by a lexicon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.engines.tones import Tones

RATE, HOP = 16_000, 256
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENS = ["_", *" .,!?;:", *LETTERS]
WORDS = (
    "hello there my dear friend how are you one two three the quick brown fox jumps over lazy dog good morning "
    "everybody number is speaking now and it goes on many words word yes no"
)
"""All the words of the lexicon; each is spelt."""
FRAMES = 6.4
_SILENT = range(8)


def make_sherpa_vits(folder: Path, *, speakers: int = 1, lexicon: bool = True, **changed: str | None) -> Path:
    """A VITS voice: ``model.onnx``, ``tokens.txt``, ``lexicon.txt``. Returns the folder.

    ``changed`` are keys of the metadata with other values, or None to leave them out.
    """
    tones = Tones(RATE, HOP)
    _from_letters(tones, "y", _speaker(tones, speakers))
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.INT64, ["N", "L"]),
        helper.make_tensor_value_info("x_length", TensorProto.INT64, ["N"]),
        *(
            helper.make_tensor_value_info(f"{n}", TensorProto.FLOAT, [1])
            for n in ("noise_scale", "length_scale", "noise_scale_w")
        ),
    ]
    if speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", TensorProto.INT64, [1]))
    model = tones.model(inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "T"])])
    facts = {
        "model_type": "vits",
        "comment": "tones",
        "language": "English",
        "add_blank": "1",
        "n_speakers": str(speakers),
        "sample_rate": str(RATE),
        "punctuation": " ,.!?;:",
    }
    return _written(folder, model, facts | changed, TOKENS, lexicon)


def make_sherpa_kokoro(folder: Path, *, lexicon: bool = True, **changed: str | None) -> Path:
    """A Kokoro voice with two speakers, "low" and "high": as above, and ``voices.bin``. Returns the folder."""
    tones = Tones(RATE, HOP)
    flat = tones.constant("flat", np.array([-1], np.int64))
    tokens = tones.node("Reshape", ["tokens", flat], "ids")
    table = np.full(len(TOKENS), FRAMES, np.float32)
    table[:8] = 2.4
    length = tones.node("Gather", [tones.constant("table", table), tokens], "w")
    frames = tones.node("Cast", [tones.node("Ceil", [tones.node("Div", [length, "speed"], "ws")], "wc")], "w_int", to=7)
    corner = [tones.constant(f"c{index}", np.array(value, np.int64)) for index, value in enumerate(([0, 0], [1, 1], [0, 1]))]
    factor = tones.node("Squeeze", [tones.node("Slice", ["style", *corner], "corner")], "factor")
    tones.node("Identity", [tones.sound(tokens, frames, factor, list(_SILENT), len(TOKENS))], "audio")
    inputs = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, "L"]),
        helper.make_tensor_value_info("style", TensorProto.FLOAT, [1, 256]),
        helper.make_tensor_value_info("speed", TensorProto.FLOAT, [1]),
    ]
    model = tones.model(inputs, [helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["T"])])
    facts = {
        "model_type": "kokoro",
        "language": "multi-lang, e.g., English, Chinese",
        "has_espeak": "1",
        "sample_rate": str(RATE),
        "version": "2",
        "voice": "en-us",
        "style_dim": "510,1,256",
        "n_speakers": "2",
        "speaker_names": "low,high",
    }
    _written(folder, model, facts | changed, TOKENS, lexicon)
    styles = np.ones((2, 510, 1, 256), np.float32)
    styles[1] = 1.5
    (folder / "voices.bin").write_bytes(styles.tobytes())
    return folder


def make_sherpa_matcha(folder: Path, vocoder: dict[str, str] | None = None, **changed: str | None) -> Path:
    """A Matcha voice: as above, and ``hifigan_v2.onnx``, which hands on the sound the other model makes."""
    tones = Tones(RATE, HOP)
    _from_letters(tones, "mel")
    scales = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("noise_scale", "length_scale"))
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.INT64, ["N", "L"]),
        helper.make_tensor_value_info("x_length", TensorProto.INT64, ["N"]),
        *scales,
    ]
    model = tones.model(inputs, [helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, 1, "T"])])
    facts = {
        "model_type": "matcha-tts",
        "language": "English",
        "n_speakers": "1",
        "sample_rate": str(RATE),
        "has_espeak": "1",
        "use_eos_bos": "1",
        "pad_id": "0",
        "num_ode_steps": "3",
        "version": "1",
    }
    _written(folder, model, facts | changed, TOKENS, True)
    through = Tones(RATE, HOP)
    through.node("Squeeze", ["mel", through.constant("axis", np.array([1], np.int64))], "audio")
    second = through.model(
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, 1, "T"])],
        [helper.make_tensor_value_info("audio", TensorProto.FLOAT, [1, "T"])],
    )
    for key, value in ({"model_type": "hifigan", "sample_rate": str(RATE)} if vocoder is None else vocoder).items():
        second.metadata_props.add(key=key, value=value)
    onnx.save(second, folder / "hifigan_v2.onnx")
    return folder


def make_sherpa_kitten(folder: Path) -> Path:
    """A Kitten voice with two speakers, as the Kokoro one but with a single style vector each."""
    make_sherpa_kokoro(folder, model_type="kitten-tts", style_dim="1,256")
    styles = np.ones((2, 256), np.float32)
    styles[1] = 1.5
    (folder / "voices.bin").write_bytes(styles.tobytes())
    return folder


def _from_letters(tones: Tones, output: str, factor: str = "") -> None:
    """Ids ``x`` and ``length_scale`` to sound of shape [1, 1, T]."""
    flat = tones.constant("flat", np.array([-1], np.int64))
    tokens = tones.node("Reshape", ["x", flat], "ids")
    table = np.full(len(TOKENS), FRAMES, np.float32)
    table[0], table[1:8] = 0.4, 2.4
    length = tones.node("Gather", [tones.constant("table", table), tokens], "w")
    frames = tones.node(
        "Cast", [tones.node("Ceil", [tones.node("Mul", [length, "length_scale"], "ws")], "wc")], "w_int", to=7
    )
    factor = factor or tones.constant("factor", np.array(1.0, np.float32))
    samples = tones.sound(tokens, frames, factor, list(_SILENT), len(TOKENS))
    tones.node("Reshape", [samples, tones.constant("shape", np.array([1, 1, -1], np.int64))], output)


def _speaker(tones: Tones, speakers: int) -> str:
    if speakers == 1:
        return tones.constant("factor", np.array(1.0, np.float32))
    number = tones.node("Cast", [tones.node("Squeeze", ["sid"], "speaker")], "speaker_float", to=TensorProto.FLOAT)
    return tones.node("Pow", [tones.constant("fifth", np.array(1.5, np.float32)), number], "factor")


def _written(folder: Path, model: onnx.ModelProto, facts: dict[str, str | None], tokens: list[str], lexicon: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for key, value in facts.items():
        if value is not None:
            model.metadata_props.add(key=key, value=value)
    onnx.save(model, folder / "model.onnx")
    (folder / "tokens.txt").write_text("".join(f"{token} {number}\n" for number, token in enumerate(tokens)))
    if lexicon:
        words = sorted({*WORDS.split(), *LETTERS})
        (folder / "lexicon.txt").write_text("".join(f"{word} {' '.join(word)}\n" for word in words))
    return folder
