"""Tiny models in the formats of sherpa-onnx, made here: they hear tones, one letter per band of the mel scale.

A score is the mean of a band less the mean of the whole spectrum, so level does not matter and silence is blank. Tokens:
``<blk>``, then eight letters; every other one begins a word. Nothing is learned; what is real is the library around it.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper, save

BINS = 80
LETTERS = ("▁a", "b", "▁c", "d", "▁e", "f", "▁g", "h")
SYMBOLS = ("<blk>", *LETTERS)
VOCABULARY = len(SYMBOLS)
BAND = BINS // len(LETTERS)
BLANK = 1.0
"""How far a band must stand out."""
FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
Shape = Sequence[int | str]


def frequency(letter: str, low: float = 20.0, high: float = 7_600.0) -> float:
    """The tone in the middle of a letter's band, in Hz."""
    band = [symbol[-1] for symbol in LETTERS].index(letter)
    bottom, top = (1_127 * math.log(1 + f / 700) for f in (low, high))
    mel = bottom + (top - bottom) * (band * BAND + BAND / 2 + 0.5) / (BINS + 1)
    return 700 * (math.exp(mel / 1_127) - 1)


def say(text: str, seconds: float = 0.2, level: float = 0.3) -> bytes:
    """HEARING PCM: a tone per letter, silence for a space."""
    pcm = []
    for letter in text:
        count = round(seconds * 16_000)
        if letter == " ":
            pcm.append(bytes(2 * count))
            continue
        step = 2 * math.pi * frequency(letter) / 16_000
        ramp = [min(1.0, i / 160, (count - i) / 160) for i in range(count)]
        samples = (round(level * 32_767 * ramp[i] * math.sin(step * i)) for i in range(count))
        pcm.append(struct.pack(f"<{count}h", *samples))
    return b"".join(pcm)


def chord(letters: str, seconds: float, levels: Sequence[float]) -> bytes:
    """Several tones at once."""
    parts = [np.frombuffer(say(letter, seconds, level), "<i2") for letter, level in zip(letters, levels, strict=True)]
    return np.clip(np.sum(np.array(parts, np.int32), axis=0), -32_768, 32_767).astype("<i2").tobytes()


def spoken(text: str) -> str:
    """What is read of ``say(text)``: letters that begin words do."""
    return "".join({symbol[-1]: symbol.replace("▁", " ") for symbol in LETTERS}[letter] for letter in text).strip()


# --- graphs


def _constant(name: str, value: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(value, name)


def _scores() -> tuple[np.ndarray, np.ndarray]:
    weights = np.zeros((BINS, VOCABULARY), np.float32)
    for band in range(len(LETTERS)):
        weights[:, 1 + band] = -1 / BINS
        weights[band * BAND : (band + 1) * BAND, 1 + band] += 1 / BAND
    bias = np.zeros(VOCABULARY, np.float32)
    bias[0] = BLANK
    return 5 * weights, 5 * bias


def _read(source: str, target: str, stop: int, normal: bool = True) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes that score every fourth frame of ``source`` (N, T, 80) up to ``stop``."""
    weights, bias = _scores()
    nodes = [
        helper.make_node("Slice", [source, "starts", "stops", "axes", "steps"], ["sampled"]),
        helper.make_node("MatMul", ["sampled", "weights"], ["weighed"]),
        helper.make_node("Add", ["weighed", "bias"], ["scored"]),
    ]
    if normal:
        nodes.append(helper.make_node("LogSoftmax", ["scored"], [target], axis=-1))
    else:  # the best symbol only, so that blank is the second best
        nodes.append(helper.make_node("Hardmax", ["scored"], ["best"], axis=-1))
        nodes.append(helper.make_node("Mul", ["best", "sure"], ["surely"]))
        nodes.append(helper.make_node("Add", ["surely", "else"], [target]))
    numbers = {"starts": 0, "stops": stop, "axes": 1, "steps": 4}
    constants = [_constant(name, np.array([value], np.int64)) for name, value in numbers.items()]
    constants += [_constant("weights", weights), _constant("bias", bias)]
    if not normal:
        constants += [
            _constant("sure", np.array(10, np.float32)),
            _constant("else", np.eye(VOCABULARY, dtype=np.float32)[0] * 5),
        ]
    return nodes, constants


def _blank_last(constants: Sequence[TensorProto]) -> list[TensorProto]:
    """As NeMo has it."""
    weights, bias = _scores()
    turned = {"weights": np.roll(weights, -1, 1), "bias": np.roll(bias, -1)}
    return [c for c in constants if c.name not in turned] + [_constant(k, v) for k, v in turned.items()]


def _values(values: Mapping[str, tuple[int, Shape]]) -> list[object]:
    return [helper.make_tensor_value_info(name, kind, list(shape)) for name, (kind, shape) in values.items()]


def _model(
    nodes: Sequence[NodeProto],
    constants: Sequence[TensorProto],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, tuple[int, Shape]],
    metadata: Mapping[str, object],
) -> ModelProto:
    graph = helper.make_graph(list(nodes), "tones", _values(inputs), _values(outputs), list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {name: str(value) for name, value in metadata.items()})
    checker.check_model(model)
    return model


def _pass(names: Mapping[str, str]) -> list[NodeProto]:
    return [helper.make_node("Identity", [source], [target]) for source, target in names.items()]


def _write(folder: Path, symbols: Sequence[str] = SYMBOLS, **models: ModelProto) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        save(model, folder / f"{name}.onnx")
    (folder / "tokens.txt").write_text("".join(f"{symbol} {i}\n" for i, symbol in enumerate(symbols)), "utf-8")


# --- streaming


def wenet_ctc(folder: Path) -> Path:
    """Streaming, one utterance a step: chunks of 67 frames, 64 apart."""
    nodes, constants = _read("x", "log_probs", 64)
    cache, conv = (1, 1, "C", 2), (1, 1, 1, 7)
    model = _model(
        [*nodes, *_pass({"attn_cache": "next_attn", "conv_cache": "next_conv"})],
        constants,
        {
            "x": (FLOAT, ("N", "T", BINS)),
            "offset": (INT64, (1,)),
            "required_cache_size": (INT64, (1,)),
            "attn_cache": (FLOAT, cache),
            "conv_cache": (FLOAT, conv),
            "attn_mask": (BOOL, (1, 1, "M")),
        },
        {
            "log_probs": (FLOAT, ("N", "S", VOCABULARY)),
            "next_attn": (FLOAT, cache),
            "next_conv": (FLOAT, conv),
        },
        {"model_type": "wenet_ctc", "head": 1, "num_blocks": 1, "output_size": 1, "cnn_module_kernel": 8}
        | {"right_context": 6, "subsampling_factor": 4, "vocab_size": VOCABULARY},
    )
    _write(folder, model=model)
    return folder / "model.onnx"


ZIPFORMER = {
    "model_type": "zipformer2",
    "encoder_dims": "4",
    "query_head_dims": "1",
    "value_head_dims": "1",
    "num_heads": "1",
    "num_encoder_layers": "1",
    "cnn_module_kernels": "3",
    "left_context_len": "2",
    "T": 45,
    "decode_chunk_len": 32,
}
ZIPFORMER_STATES: dict[str, tuple[int, Shape]] = {
    "cached_key_0": (FLOAT, (2, "N", 1)),
    "cached_nonlin_attn_0": (FLOAT, (1, "N", 2, 3)),
    "cached_val1_0": (FLOAT, (2, "N", 1)),
    "cached_val2_0": (FLOAT, (2, "N", 1)),
    "cached_conv1_0": (FLOAT, ("N", 4, 1)),
    "cached_conv2_0": (FLOAT, ("N", 4, 1)),
    "embed_states": (FLOAT, ("N", 128, 3, 19)),
    "processed_lens": (INT64, ("N",)),
}


def _zipformer(normal: bool, name: str, work: int, soft: bool = False) -> ModelProto:
    """``work``: width of a matrix product beside the scores, as costly as wanted and of no effect."""
    nodes, constants = _read("x", name if not work else "light", 32, normal)
    if soft:
        nodes = [node for node in nodes if node.op_type not in ("Hardmax", "Mul", "Add")]
        nodes.append(helper.make_node("Add", ["weighed", "bias"], [name]))
        constants = [constant for constant in constants if constant.name not in ("sure", "else")]
    if work:
        nodes += [
            helper.make_node("MatMul", ["sampled", "wide"], ["widened"]),
            helper.make_node("Relu", ["widened"], ["rectified"]),
            helper.make_node("MatMul", ["rectified", "deep"], ["deepened"]),
            helper.make_node("MatMul", ["deepened", "nothing"], ["naught"]),
            helper.make_node("Add", ["light", "naught"], [name]),
        ]
        shapes = {"wide": (BINS, work), "deep": (work, work), "nothing": (work, VOCABULARY)}
        constants += [_constant(key, np.zeros(shape, np.float32)) for key, shape in shapes.items()]
    states = {f"new_{key}": value for key, value in ZIPFORMER_STATES.items()}
    return _model(
        [*nodes, *_pass({key: f"new_{key}" for key in ZIPFORMER_STATES})],
        constants,
        {"x": (FLOAT, ("N", 45, BINS)), **ZIPFORMER_STATES},
        {name: (FLOAT, ("N", 8, VOCABULARY)), **states},
        ZIPFORMER,
    )


def zipformer2_ctc(folder: Path, work: int = 0) -> Path:
    """Streaming, batched."""
    _write(folder, model=_zipformer(True, "log_probs", work))
    return folder / "model.onnx"


def nemo_streaming_ctc(folder: Path) -> Path:
    """Streaming, batched; (N, 80, T) in, and the blank is the last token."""
    nodes, constants = _read("x", "log_probs", 32)
    cache, time = ("N", 1, 2, 3), ("N", 1, 3, 2)
    states = {"cache_last_channel": "next_channel", "cache_last_time": "next_time", "cache_last_channel_len": "next_len"}
    model = _model(
        [
            helper.make_node("Transpose", ["audio_signal"], ["x"], perm=[0, 2, 1]),
            *nodes,
            *_pass({"length": "log_probs_len", **states}),
        ],
        _blank_last(constants),
        {
            "audio_signal": (FLOAT, ("N", BINS, "T")),
            "length": (INT64, ("N",)),
            "cache_last_channel": (FLOAT, cache),
            "cache_last_time": (FLOAT, time),
            "cache_last_channel_len": (INT64, ("N",)),
        },
        {
            "log_probs": (FLOAT, ("N", "S", VOCABULARY)),
            "log_probs_len": (INT64, ("N",)),
            "next_channel": (FLOAT, cache),
            "next_time": (FLOAT, time),
            "next_len": (INT64, ("N",)),
        },
        {"model_type": "EncDecHybridRNNTCTCBPEModel", "vocab_size": VOCABULARY - 1, "subsampling_factor": 4}
        | {"window_size": 41, "chunk_shift": 32}
        | {f"cache_last_channel_dim{n}": n for n in (1, 2, 3)}
        | {"cache_last_time_dim1": 1, "cache_last_time_dim2": 3, "cache_last_time_dim3": 2},
    )
    _write(folder, (*LETTERS, "<blk>"), model=model)
    return folder / "model.onnx"


def sick_zipformer2_ctc(folder: Path) -> Path:
    """As ``zipformer2_ctc``, but a loud h is beyond it: it looks for a token there is not."""
    model = _zipformer(True, "log_probs", 0)
    graph = model.graph
    for node in graph.node:
        if node.op_type == "LogSoftmax":
            node.output[0] = "fine"
    graph.node.extend(
        [
            helper.make_node("ReduceMax", ["x"], ["loudest"], keepdims=0),
            helper.make_node("Greater", ["loudest", "pain"], ["hurts"]),
            helper.make_node("Cast", ["hurts"], ["index"], to=INT64),
            helper.make_node("Gather", ["single", "index"], ["naught"]),  # has one element: index 1 is an error
            helper.make_node("Add", ["fine", "naught"], ["log_probs"]),
        ]
    )
    graph.initializer.extend([_constant("pain", np.array(PAIN, np.float32)), _constant("single", np.zeros(1, np.float32))])
    _write(folder, model=model)
    return folder / "model.onnx"


PAIN = 4.0
"""Logarithm of energy in a band that no tone of ``say`` reaches at its usual level."""


def _prediction(once: bool = False) -> tuple[ModelProto, ModelProto]:
    """Decoder and joiner: a letter is not said twice in a row, so each tone gives one; or only ``once`` is one said."""
    letters = len(LETTERS)
    barred = np.zeros((VOCABULARY, VOCABULARY), np.float32)
    barred[1:, 1:] = -1_000 * (np.ones((letters, letters)) if once else np.eye(letters))
    decoder = _model(
        [
            helper.make_node("Slice", ["y", "from", "to", "axis"], ["last"]),
            helper.make_node("Gather", ["barred", "last"], ["one"]),
            helper.make_node("Squeeze", ["one", "axis"], ["decoder_out"]),
        ],
        [
            _constant("barred", barred),
            _constant("from", np.array([-1], np.int64)),
            _constant("to", np.array([2**31], np.int64)),
            _constant("axis", np.array([1], np.int64)),
        ],
        {"y": (INT64, ("N", 2))},
        {"decoder_out": (FLOAT, ("N", VOCABULARY))},
        {"vocab_size": VOCABULARY, "context_size": 2},
    )
    joiner = _model(
        [helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])],
        [],
        {"encoder_out": (FLOAT, ("N", VOCABULARY)), "decoder_out": (FLOAT, ("N", VOCABULARY))},
        {"logit": (FLOAT, ("N", VOCABULARY))},
        {"joiner_dim": VOCABULARY},
    )
    return decoder, joiner


def zipformer2_transducer(folder: Path, work: int = 0) -> Path:
    """Streaming, batched, with hotwords."""
    decoder, joiner = _prediction()
    _write(folder, encoder=_zipformer(False, "encoder_out", work), decoder=decoder, joiner=joiner)
    return folder / "encoder.onnx"


def soft_transducer(folder: Path) -> Path:
    """Says one letter, and weighs symbols instead of being sure of one, so that a preference can decide."""
    decoder, joiner = _prediction(once=True)
    _write(folder, encoder=_zipformer(False, "encoder_out", 0, soft=True), decoder=decoder, joiner=joiner)
    return folder / "encoder.onnx"


# --- offline


def nemo_ctc(folder: Path) -> Path:
    """Offline: (N, 80, T) in. NeMo's blank is the last token."""
    nodes, constants = _read("x", "log_probs", 2**31)
    model = _model(
        [helper.make_node("Transpose", ["audio_signal"], ["x"], perm=[0, 2, 1]), *nodes],
        _blank_last(constants),
        {"audio_signal": (FLOAT, ("N", BINS, "T")), "length": (INT64, ("N",))},
        {"log_probs": (FLOAT, ("N", "S", VOCABULARY))},
        {"model_type": "EncDecCTCModelBPE", "vocab_size": VOCABULARY - 1, "subsampling_factor": 4, "normalize_type": ""},
    )
    _write(folder, (*LETTERS, "<blk>"), model=model)
    return folder / "model.onnx"


def zipformer_ctc(folder: Path) -> Path:
    """Offline."""
    nodes, constants = _read("x", "log_probs", 2**31)
    model = _model(
        [*nodes, helper.make_node("Div", ["x_lens", "four"], ["log_probs_len"])],
        [*constants, _constant("four", np.array(4, np.int64))],
        {"x": (FLOAT, ("N", "T", BINS)), "x_lens": (INT64, ("N",))},
        {"log_probs": (FLOAT, ("N", "S", VOCABULARY)), "log_probs_len": (INT64, ("N",))},
        {"model_type": "zipformer2_ctc", "vocab_size": VOCABULARY},
    )
    _write(folder, model=model)
    return folder / "model.onnx"


def zipformer_transducer(folder: Path) -> Path:
    """Offline."""
    nodes, constants = _read("x", "encoder_out", 2**31, normal=False)
    encoder = _model(
        [*nodes, helper.make_node("Div", ["x_lens", "four"], ["encoder_out_lens"])],
        [*constants, _constant("four", np.array(4, np.int64))],
        {"x": (FLOAT, ("N", "T", BINS)), "x_lens": (INT64, ("N",))},
        {"encoder_out": (FLOAT, ("N", "S", VOCABULARY)), "encoder_out_lens": (INT64, ("N",))},
        {"model_type": "zipformer2"},
    )
    decoder, joiner = _prediction()
    _write(folder, encoder=encoder, decoder=decoder, joiner=joiner)
    return folder / "encoder.onnx"


def sense_voice(folder: Path) -> Path:
    """Offline: frames in stacks of seven, six apart; four symbols about language and the like before what was said."""
    stack = 7 * BINS
    weights, bias = _scores()
    wide = np.zeros((stack, VOCABULARY + 4), np.float32)
    wide[3 * BINS : 4 * BINS, :VOCABULARY] = weights  # the frame in the middle
    heads = np.full((1, 4, VOCABULARY + 4), -50, np.float32)
    heads[0, range(4), range(VOCABULARY, VOCABULARY + 4)] = 50
    model = _model(
        [
            helper.make_node("MatMul", ["x", "wide"], ["weighed"]),
            helper.make_node("Add", ["weighed", "bias"], ["said"]),
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("Gather", ["shape", "zero"], ["n"]),
            helper.make_node("Concat", ["n", "ones"], ["times"], axis=0),
            helper.make_node("Tile", ["heads", "times"], ["head"]),
            helper.make_node("Concat", ["head", "said"], ["logits"], axis=1),
            *_pass({"x_length": "unused_length", "language": "unused_language", "text_norm": "unused_norm"}),
        ],
        [
            _constant("wide", wide),
            _constant("bias", np.concatenate([bias, np.full(4, -50, np.float32)])),
            _constant("heads", heads),
            _constant("zero", np.array([0], np.int64)),
            _constant("ones", np.array([1, 1], np.int64)),
        ],
        {
            "x": (FLOAT, ("N", "T", stack)),
            "x_length": (TensorProto.INT32, ("N",)),
            "language": (TensorProto.INT32, ("N",)),
            "text_norm": (TensorProto.INT32, ("N",)),
        },
        {
            "logits": (FLOAT, ("N", "S", VOCABULARY + 4)),
            "unused_length": (TensorProto.INT32, ("N",)),
            "unused_language": (TensorProto.INT32, ("N",)),
            "unused_norm": (TensorProto.INT32, ("N",)),
        },
        {"model_type": "sense_voice_ctc", "vocab_size": VOCABULARY + 4, "lfr_window_size": 7, "lfr_window_shift": 6}
        | {"normalize_samples": 1, "with_itn": 14, "without_itn": 15, "neg_mean": ",".join(["0"] * stack)}
        | {"inv_stddev": ",".join(["1"] * stack)}
        | {f"lang_{tag}": i for i, tag in enumerate(("auto", "zh", "en", "yue", "ja", "ko"))},
    )
    _write(folder, (*SYMBOLS, "<|en|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>"), model=model)
    return folder / "model.onnx"


def whisper(folder: Path, codes: Sequence[str] = ()) -> Path:
    """Offline, one utterance a step: reads a letter each 0.2 s up to the first that is none. ``codes``: of languages."""
    eot, sot, transcribe, translate, no_timestamps, no_speech, size = 8, 9, 10, 11, 12, 13, 15 + len(codes)
    weights, bias = _scores()
    wide = np.zeros((BINS, size), np.float32)
    wide[:, :8], wide[:, eot] = 9.2 * weights[:, 1:], 9.2 * weights[:, 0]  # features are log10 / 4, not natural logarithms
    low = np.full(size, -50, np.float32)
    low[:8], low[eot] = bias[1:], bias[0]
    ends = {"starts": 10, "stops": 2**31, "axes": 1, "steps": 20}
    state = (1, "N", "S", size)
    encoder = _model(
        [
            helper.make_node("Transpose", ["mel"], ["frames"], perm=[0, 2, 1]),
            helper.make_node("Slice", ["frames", "starts", "stops", "axes", "steps"], ["sampled"]),
            helper.make_node("MatMul", ["sampled", "wide"], ["weighed"]),
            helper.make_node("Add", ["weighed", "low"], ["scored"]),
            helper.make_node("Unsqueeze", ["scored", "first"], ["cross_k"]),
            *_pass({"cross_k": "cross_v"}),
        ],
        [_constant(key, np.array([value], np.int64)) for key, value in ends.items()]
        + [_constant("wide", wide), _constant("low", low), _constant("first", np.array([0], np.int64))],
        {"mel": (FLOAT, ("N", BINS, "T"))},
        {"cross_k": (FLOAT, state), "cross_v": (FLOAT, state)},
        {"model_type": "whisper-tones", "n_mels": BINS, "n_text_layer": 1, "n_text_ctx": 200, "n_text_state": 1}
        | {"n_vocab": size, "sot": sot, "eot": eot, "blank_id": 14, "translate": translate, "transcribe": transcribe}
        | {"is_multilingual": int(bool(codes)), "no_timestamps": no_timestamps, "no_speech": no_speech}
        | {"sot_sequence": f"{sot},15,{transcribe}" if codes else f"{sot}"}
        | {"all_language_tokens": ",".join(str(15 + i) for i in range(len(codes))), "all_language_codes": ",".join(codes)},
    )
    prompt = 4 if codes else 2
    cache = (1, "N", "C", 1)
    decoder = _model(
        [
            helper.make_node("Shape", ["tokens"], ["shape"]),
            helper.make_node("Gather", ["shape", "one"], ["said"]),
            helper.make_node("Add", ["offset", "said"], ["behind"]),
            helper.make_node("Sub", ["behind", "prompt"], ["maybe"]),
            helper.make_node("Max", ["maybe", "none"], ["place"]),  # while the language is found out there is no place yet
            helper.make_node("Squeeze", ["cross_k", "none"], ["scored"]),
            helper.make_node("Gather", ["scored", "place"], ["logits"], axis=1),
            *_pass(
                {
                    "self_k": "next_k",
                    "self_v": "next_v",
                }
            ),
        ],
        [_constant(key, np.array([value], np.int64)) for key, value in {"one": 1, "prompt": prompt, "none": 0}.items()],
        {
            "tokens": (INT64, ("N", "L")),
            "self_k": (FLOAT, cache),
            "self_v": (FLOAT, cache),
            "cross_k": (FLOAT, state),
            "cross_v": (FLOAT, state),
            "offset": (INT64, (1,)),
        },
        {"logits": (FLOAT, ("N", 1, size)), "next_k": (FLOAT, cache), "next_v": (FLOAT, cache)},
        {},
    )
    texts = [symbol.replace("▁", " ") for symbol in LETTERS]
    _write(folder, [base64.b64encode(text.encode()).decode() for text in texts], encoder=encoder, decoder=decoder)
    return folder / "encoder.onnx"
