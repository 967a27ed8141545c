"""Models in the two layouts of moonshine-voice, made here: they hear tones above speech.

The library looks for voice first, and finds none in tones alone. So ``sing`` puts tones above a recording without its
heights, and the models are deaf to what is below. Nothing is learned; what is real is the library around them: its voice
activity, its lines, its caches and its decoding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import ModelProto, helper, numpy_helper

from tests.engines.models_sequences import (
    BOOL,
    FLOAT,
    INT64,
    MOONSHINE,
    NODE,
    _constant,
    _model,
    _pass,
    from_audio,
    in_order,
)
from tests.engines.models_sherpa import say

SIZE = len(MOONSHINE)
DEAF = "abcd"
"""Letters whose tones lie where speech is."""
CEILING = 1_500
"""Hz up to which speech is left."""
TINY = {"layers": 6, "heads": 8, "head_dim": 36}
"""Of the architecture "tiny", which the library knows by heart."""
FRAME, HEARS = 320, 1_536
"""Samples (20 ms) from one frame of the streaming model to the next, and samples that each hears."""
PAST = 1_920
"""Samples the streaming frontend keeps."""
STREAMING = {
    "encoder_dim": SIZE,
    "decoder_dim": SIZE,
    "depth": 1,
    "nheads": 1,
    "head_dim": SIZE,
    "vocab_size": SIZE,
    "bos_id": 1,
    "eos_id": 2,
    "frame_len": 80,
    "total_lookahead": 4,
    "d_model_frontend": PAST // 4,
    "c1": 1,
    "c2": 1,
    "max_seq_len": 448,
}


def sing(text: str, carrier: np.ndarray, seconds: float = 0.24) -> bytes:
    """HEARING PCM: letters e to h as tones above the speech ``carrier``, and for a space silence without it."""
    tones = np.frombuffer(say(text, seconds, level=0.15), "<i2").astype(np.float64)
    spectrum = np.fft.rfft(carrier.astype(np.float64))
    spectrum[np.fft.rfftfreq(len(carrier), 1 / 16_000) > CEILING] = 0
    speech = np.resize(np.fft.irfft(spectrum, len(carrier)), len(tones))
    each = len(tones) // len(text)
    for place, letter in enumerate(text):
        if letter == " ":
            speech[place * each : (place + 1) * each] = 0
    return np.clip(speech + tones, -32_768, 32_767).astype("<i2").tobytes()


def _save(model: ModelProto, path: Path) -> None:
    """In ONNX Runtime's own format, the only one the library loads."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.optimized_model_filepath = str(path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _write(folder: Path, models: Mapping[str, ModelProto]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        _save(model, folder / f"{name}.ort")
    tokens = b"".join(bytes([len(token.encode())]) + token.encode() for token in MOONSHINE)
    (folder / "tokenizer.bin").write_bytes(tokens)


def _over() -> np.ndarray:
    """Where nothing is said any more, ``</s>`` is."""
    over = np.zeros(SIZE, np.float32)
    over[2] = 0.5
    return over


# --- whole


def _decoder() -> ModelProto:
    """Says a row of what the encoder wrote for every token said before; their number is the length of the keys."""
    cache = (FLOAT, (1, TINY["heads"], "S", TINY["head_dim"]))
    parts = [
        f"{layer}.{which}.{what}"
        for layer in range(TINY["layers"])
        for which in ("decoder", "encoder")
        for what in ("key", "value")
    ]
    first = "past_key_values.0.decoder.key"
    nodes = [
        NODE("Shape", [first], ["past"]),
        NODE("Gather", ["past", "two"], ["length"]),
        NODE("Cast", ["use_cache_branch"], ["cached"], to=INT64),
        NODE("Mul", ["length", "cached"], ["place"]),
        NODE("Add", ["length", "cached"], ["longer"]),
        NODE("Gather", ["encoder_hidden_states", "place"], ["row"], axis=1),
        NODE("Add", ["row", "over"], ["logits"]),
        NODE("Concat", [first, "more"], ["most"], axis=2),
        NODE("Slice", ["most", "zero", "longer", "two"], ["keys"]),
    ]
    nodes += [NODE("Identity", ["keys" if "decoder" in part else "memory"], [f"present.{part}"]) for part in parts]
    shape = (1, TINY["heads"], 1, TINY["head_dim"])
    return _model(
        nodes,
        [
            _constant("zero", np.array([0], np.int64)),
            _constant("two", np.array([2], np.int64)),
            _constant("over", _over()),
            _constant("more", np.zeros(shape, np.float32)),
            _constant("memory", np.zeros(shape, np.float32)),
        ],
        {"input_ids": (INT64, (1, "L")), "encoder_hidden_states": (FLOAT, (1, "T", SIZE))}
        | {f"past_key_values.{part}": cache for part in parts}
        | {"use_cache_branch": (BOOL, (1,))},
        {"logits": (FLOAT, (1, "L", SIZE)), **{f"present.{part}": cache for part in parts}},
        {},
    )


def _attentive(decoder: ModelProto, place: str, memory: str, layers: int, heads: int) -> ModelProto:
    """The same decoder, which also tells what it looks at: for each token the row of ``memory`` (..., T, SIZE) it says."""
    graph = decoder.graph
    graph.node.extend(
        [
            NODE("Shape", [memory], ["a.shape"]),
            NODE("Gather", ["a.shape", "a.rows"], ["a.count"]),
            NODE("OneHot", [place, "a.count", "a.values"], ["a.hot"]),
            NODE("Unsqueeze", ["a.hot", "a.front"], ["a.one"]),
            NODE("Expand", ["a.one", "a.heads"], ["a.all"]),
            *(NODE("Identity", ["a.all"], [f"cross_attentions.{layer}"]) for layer in range(layers)),
        ]
    )
    graph.initializer.extend(
        [
            _constant("a.rows", np.array(-2, np.int64)),
            _constant("a.values", np.array([0, 1], np.float32)),
            _constant("a.front", np.array([0, 1], np.int64)),
            _constant("a.heads", np.array([1, heads, 1, 1], np.int64)),
        ]
    )
    graph.output.extend(
        helper.make_tensor_value_info(f"cross_attentions.{layer}", FLOAT, [1, heads, "L", "T"]) for layer in range(layers)
    )
    return decoder


def add_times(model: Path) -> Path:
    """Write the second decoder, by which the library tells the times of words, beside a model. Returns what it was given."""
    if model.name == "encoder_model.ort":
        decoder = _attentive(_decoder(), "place", "encoder_hidden_states", TINY["layers"], TINY["heads"])
        _save(decoder, model.with_name("decoder_with_attention.ort"))
    else:
        _save(
            _attentive(_streaming_decoder(), "within", "out_k_cross", 1, 1),
            model.with_name("decoder_kv_with_attention.ort"),
        )
    return model


def make_whole(folder: Path) -> Path:
    """The layout of "tiny" and "base": no streaming, two graphs. Returns the file the engine is given."""
    heard, filters = from_audio("input_values", "scores", SIZE, deaf=DEAF)
    ordered, constants = in_order("scores", "last_hidden_state", 0, SIZE)
    encoder = _model(
        [*heard, *ordered],
        [*filters, *constants],
        {"input_values": (FLOAT, (1, "samples"))},
        {"last_hidden_state": (FLOAT, (1, "T", SIZE))},
        {},
    )
    _write(folder, {"encoder_model": encoder, "decoder_model_merged": _decoder()})
    return folder / "encoder_model.ort"


# --- streaming


def _frontend() -> ModelProto:
    """Frames of audio as it comes; the first buffer keeps the past, ``sample_len`` how much of it was in no frame."""
    heard, filters = from_audio("piece", "scores", SIZE, hop=FRAME, pad=0, deaf=DEAF)
    nodes = [
        NODE("Reshape", ["conv1_buffer", "flat"], ["past"]),
        NODE("Concat", ["past", "audio_chunk"], ["all"], axis=1),
        NODE("Shape", ["all"], ["shape"]),
        NODE("Gather", ["shape", "one"], ["length"]),
        NODE("Sub", ["length", "kept"], ["new"]),
        NODE("Add", ["sample_len", "new"], ["unread"]),
        NODE("Div", ["unread", "frame"], ["frames"]),
        NODE("Mul", ["frames", "frame"], ["reading"]),
        NODE("Sub", ["unread", "reading"], ["sample_len_out"]),
        NODE("Sub", ["head", "sample_len"], ["from"]),
        NODE("Slice", ["all", "from", "length", "one"], ["part"]),
        NODE("Concat", ["part", "silence"], ["piece"], axis=1),
        *heard,
        NODE("Slice", ["scores", "zero", "frames", "one"], ["features"]),
        NODE("Sub", ["length", "kept"], ["keep"]),
        NODE("Slice", ["all", "keep", "length", "one"], ["latest"]),
        NODE("Reshape", ["latest", "square"], ["conv1_buffer_out"]),
        NODE("Add", ["frame_count", "frames"], ["frame_count_out"]),
        *_pass({"sample_buffer": "sample_buffer_out", "conv2_buffer": "conv2_buffer_out"}),
    ]
    vectors = {"zero": 0, "one": 1, "kept": PAST, "frame": FRAME, "head": PAST + FRAME - HEARS}
    constants = [_constant(name, np.array([value], np.int64)) for name, value in vectors.items()]
    constants += [
        _constant("flat", np.array([1, PAST], np.int64)),
        _constant("square", np.array([1, PAST // 4, 4], np.int64)),
        _constant("silence", np.zeros((1, HEARS), np.float32)),
    ]
    buffers = {"sample_buffer": (FLOAT, (1, 79)), "sample_len": (INT64, (1,))}
    buffers |= {"conv1_buffer": (FLOAT, (1, PAST // 4, 4)), "conv2_buffer": (FLOAT, (1, 1, 4)), "frame_count": (INT64, (1,))}
    return _model(
        nodes,
        [*constants, *filters],
        {"audio_chunk": (FLOAT, (1, "samples")), **buffers},
        {"features": (FLOAT, (1, "T", SIZE)), **{f"{name}_out": value for name, value in buffers.items()}},
        {},
    )


def _streaming_decoder() -> ModelProto:
    """Rows of the memory in order, from the number of tokens in the cache on."""
    cache = (FLOAT, (1, 1, 1, "S", SIZE))
    cross = (FLOAT, (1, 1, 1, "T", SIZE))
    return _model(
        [
            NODE("Shape", ["k_self"], ["self"]),
            NODE("Gather", ["self", "three"], ["said"]),
            NODE("Shape", ["token"], ["asked"]),
            NODE("Gather", ["asked", "last"], ["count"]),
            NODE("Add", ["said", "count"], ["until"]),
            NODE("Range", ["said", "until", "step"], ["places"]),
            NODE("Shape", ["out_k_cross"], ["there"]),
            NODE("Gather", ["there", "three"], ["rows"]),
            NODE("Sub", ["rows", "step"], ["latest"]),
            NODE("Min", ["places", "latest"], ["within"]),
            NODE("Reshape", ["out_k_cross", "flat"], ["memory"]),
            NODE("Gather", ["memory", "within"], ["row"], axis=1),
            NODE("Add", ["row", "over"], ["logits"]),
            NODE("Reshape", ["row", "deep"], ["more"]),
            NODE("Concat", ["k_self", "more"], ["out_k_self"], axis=3),
            NODE("Concat", ["v_self", "more"], ["out_v_self"], axis=3),
            NODE("Identity", ["out_v_cross"], ["unused"]),
        ],
        [
            _constant("three", np.array(3, np.int64)),
            _constant("last", np.array(1, np.int64)),
            _constant("step", np.array(1, np.int64)),
            _constant("flat", np.array([1, -1, SIZE], np.int64)),
            _constant("deep", np.array([1, 1, 1, -1, SIZE], np.int64)),
            _constant("over", _over()),
        ],
        {"token": (INT64, (1, "L")), "k_self": cache, "v_self": cache, "out_k_cross": cross, "out_v_cross": cross},
        {"logits": (FLOAT, (1, "L", SIZE)), "out_k_self": cache, "out_v_self": cache, "unused": cross},
        {},
    )


def streaming_graphs() -> dict[str, ModelProto]:
    """By the names of their files."""
    frames = (FLOAT, (1, "T", SIZE))
    encoder = _model(_pass({"features": "encoded"}), [], {"features": frames}, {"encoded": frames}, {})
    adapter = _model(
        _pass({"encoded": "memory", "pos_offset": "unused"}),
        [],
        {"encoded": frames, "pos_offset": (INT64, (1,))},
        {"memory": frames, "unused": (INT64, (1,))},
        {},
    )
    ordered, constants = in_order("memory", "rows", 0, SIZE)
    deep = NODE("Reshape", ["rows", "deep"], ["k_cross"])
    cross = _model(
        [*ordered, deep, *_pass({"k_cross": "v_cross"})],
        [*constants, _constant("deep", np.array([1, 1, 1, -1, SIZE], np.int64))],
        {"memory": frames},
        dict.fromkeys(("k_cross", "v_cross"), (FLOAT, (1, 1, 1, "T", SIZE))),
        {},
    )
    return {
        "frontend": _frontend(),
        "encoder": encoder,
        "adapter": adapter,
        "cross_kv": cross,
        "decoder_kv": _streaming_decoder(),
    }


def _split(frontend: ModelProto) -> dict[str, ModelProto]:
    """A graph without its filters, and one whose outputs they are: the library hands the ones to the other as inputs."""
    graph = frontend.graph
    filters = [tensor for tensor in graph.initializer if tensor.name in ("a.waves", "a.together")]
    outputs = {tensor.name: (FLOAT, list(tensor.dims)) for tensor in filters}
    nodes = [NODE("Identity", [f"of {name}"], [name]) for name in outputs]
    weights = _model(nodes, [_constant(f"of {t.name}", numpy_helper.to_array(t)) for t in filters], {}, outputs, {})
    for tensor in filters:
        graph.initializer.remove(tensor)
    graph.input.extend(helper.make_tensor_value_info(name, *value) for name, value in outputs.items())
    return {"frontend.model": frontend, "frontend.weights": weights}


def make_streaming(folder: Path, *, split: bool = True) -> Path:
    """The layout of the streaming models, the frontend in two files or in one. Returns the file the engine is given."""
    graphs = streaming_graphs()
    if split:
        graphs |= _split(graphs.pop("frontend"))
    _write(folder, graphs)
    (folder / "streaming_config.json").write_text(json.dumps(STREAMING))
    return folder / "encoder.ort"


__all__ = ["add_times", "make_streaming", "make_whole", "sing", "streaming_graphs"]
