"""Models that say a whole sequence at once, made here: they hear the tones of ``models_sherpa.say``.

What they have in common is a part of a graph that goes from scores per frame to the letters one after the other. NeMo's
transducers, Paraformer and Moonshine are built of it, in the formats sherpa-onnx loads.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from tests.engines.models_sherpa import (
    BINS,
    BOOL,
    FLOAT,
    INT64,
    LETTERS,
    VOCABULARY,
    _blank_last,
    _constant,
    _model,
    _pass,
    _read,
    _scores,
    _write,
    frequency,
)

INT32 = TensorProto.INT32
HOP, WINDOW = 384, 1_536
"""Samples between frames of raw audio, and samples a frame hears."""
NODE = helper.make_node


def in_order(source: str, target: str, blank: int, size: int) -> tuple[list[NodeProto], list[TensorProto]]:
    """From ``source`` (N, T, size) to ``target`` (N, T, size), one row a letter, and ``fresh`` (N, T), ``count`` (N,).

    A letter is what differs from the frame before and is no blank; rows behind the last letter are zero.
    """
    nodes = [
        NODE("ArgMax", [source], ["best"], axis=2, keepdims=0),
        NODE("Slice", ["best", "o.zero", "o.one", "o.one"], ["first"]),
        NODE("Mul", ["first", "o.zero"], ["nought"]),
        NODE("Add", ["nought", "o.blank"], ["before"]),
        NODE("Slice", ["best", "o.zero", "o.minus", "o.one"], ["most"]),
        NODE("Concat", ["before", "most"], ["previous"], axis=1),
        NODE("Equal", ["best", "previous"], ["same"]),
        NODE("Equal", ["best", "o.blank"], ["silent"]),
        NODE("Or", ["same", "silent"], ["stale"]),
        NODE("Not", ["stale"], ["fresh"]),
        NODE("Cast", ["fresh"], ["fresh64"], to=INT64),
        NODE("ReduceSum", ["fresh64", "o.one"], ["count"], keepdims=0),
        NODE("CumSum", ["fresh64", "o.axis"], ["upto"]),
        NODE("Unsqueeze", ["upto", "o.one"], ["ordinal"]),
        NODE("Shape", ["best"], ["o.shape"]),
        NODE("Gather", ["o.shape", "o.axis"], ["frames"]),
        NODE("Range", ["o.start", "frames", "o.step"], ["numbers"]),
        NODE("Add", ["numbers", "o.one"], ["counted"]),
        NODE("Unsqueeze", ["counted", "o.one"], ["wanted"]),
        NODE("Equal", ["ordinal", "wanted"], ["there"]),
        NODE("Unsqueeze", ["fresh", "o.one"], ["freshly"]),
        NODE("And", ["there", "freshly"], ["chosen"]),
        NODE("Cast", ["chosen"], ["choice"], to=FLOAT),
        NODE("OneHot", ["best", "o.size", "o.values"], ["hot"], axis=-1),
        NODE("MatMul", ["choice", "hot"], [target]),
    ]
    vectors = {"o.zero": 0, "o.one": 1, "o.minus": -1, "o.blank": blank}
    scalars = {"o.axis": 1, "o.start": 0, "o.step": 1, "o.size": size}
    constants = [_constant(name, np.array([value], np.int64)) for name, value in vectors.items()]
    constants += [_constant(name, np.array(value, np.int64)) for name, value in scalars.items()]
    return nodes, [*constants, _constant("o.values", np.array([0, 1], np.float32))]


def from_audio(
    audio: str, target: str, size: int, *, hop: int = HOP, pad: int = HOP, deaf: str = ""
) -> tuple[list[NodeProto], list[TensorProto]]:
    """From raw ``audio`` (N, samples) to scores ``target`` (N, T, size): how loud each letter's tone is in a frame.

    Letters are 3 to 10, but those it is ``deaf`` to; blank is 0, and wins where none is loud.
    """
    time = np.arange(WINDOW) / 16_000
    waves = [
        f(2 * np.pi * frequency(letter[-1]) * time) * np.hanning(WINDOW) for letter in LETTERS for f in (np.cos, np.sin)
    ]
    together = np.zeros((size, 2 * len(LETTERS), 1), np.float32)
    for place in range(len(LETTERS)):
        if LETTERS[place][-1] not in deaf:
            together[3 + place, 2 * place : 2 * place + 2, 0] = 1
    floor = np.zeros((1, size, 1), np.float32)
    floor[0, 0, 0] = 25.0
    nodes = [
        NODE("Unsqueeze", [audio, "a.one"], ["channel"]),
        NODE("Conv", ["channel", "a.waves"], ["parts"], strides=[hop], pads=[pad, pad]),
        NODE("Mul", ["parts", "parts"], ["powers"]),
        NODE("Conv", ["powers", "a.together"], ["loudness"]),
        NODE("Add", ["loudness", "a.floor"], ["heard"]),
        NODE("Transpose", ["heard"], [target], perm=[0, 2, 1]),
    ]
    constants = [
        _constant("a.one", np.array([1], np.int64)),
        _constant("a.waves", np.array(waves, np.float32)[:, None, :]),
        _constant("a.together", together),
        _constant("a.floor", floor),
    ]
    return nodes, constants


# --- NeMo's transducers

NEMO = (*LETTERS, "<blk>")
_STATE = (1, "N", 2)


def _nemo_prediction(durations: int = 0) -> dict[str, ModelProto]:
    """Decoder with an idle LSTM and joiner; a letter is not said twice in a row. ``durations`` are those of a TDT."""
    size = VOCABULARY
    barred = np.zeros((size, size), np.float32)
    barred[:-1, :-1] = -1_000 * np.eye(size - 1)
    decoder = _model(
        [
            NODE("Gather", ["barred", "targets"], ["rows"]),
            NODE("Transpose", ["rows"], ["outputs"], perm=[0, 2, 1]),
            *_pass({"target_length": "prednet_lengths", "states.1": "states", "onnx::Slice_3": "162"}),
        ],
        [_constant("barred", barred)],
        {"targets": (INT32, ("N", "U")), "target_length": (INT32, ("N",))}
        | {"states.1": (FLOAT, _STATE), "onnx::Slice_3": (FLOAT, _STATE)},
        {"outputs": (FLOAT, ("N", size, "U")), "prednet_lengths": (INT32, ("N",))}
        | {"states": (FLOAT, _STATE), "162": (FLOAT, _STATE)},
        {},
    )
    skip = np.zeros((1, 1, 1, durations), np.float32)
    skip[..., 1:2] = 1.0  # always on to the next frame
    joined = [NODE("Concat", ["said", "skip"], ["logits"], axis=3)] if durations else _pass({"said": "logits"})
    joiner = _model(
        [
            NODE("Add", ["encoder_outputs", "decoder_outputs"], ["sum"]),
            NODE("Transpose", ["sum"], ["turned"], perm=[0, 2, 1]),
            NODE("Unsqueeze", ["turned", "one"], ["said"]),
            *joined,
        ],
        [_constant("one", np.array([1], np.int64)), *([_constant("skip", skip)] if durations else [])],
        {"encoder_outputs": (FLOAT, ("N", size, "T")), "decoder_outputs": (FLOAT, ("N", size, "U"))},
        {"logits": (FLOAT, ("N", "T", "U", size + durations))},
        {},
    )
    return {"decoder": decoder, "joiner": joiner}


def _nemo_scores(stop: int) -> tuple[list[NodeProto], list[TensorProto]]:
    nodes, constants = _read("x", "scores", stop, normal=False)
    constants = [c for c in _blank_last(constants) if c.name != "else"]
    constants.append(_constant("else", np.eye(VOCABULARY, dtype=np.float32)[-1] * 5))
    turn = [
        NODE("Transpose", ["audio_signal"], ["x"], perm=[0, 2, 1]),
        *nodes,
        NODE("Transpose", ["scores"], ["outputs"], perm=[0, 2, 1]),
        NODE("Shape", ["scores"], ["shape"]),
    ]
    return turn, constants


_NEMO_TYPE = {
    "model_type": "EncDecRNNTBPEModel",
    "vocab_size": VOCABULARY - 1,
    "subsampling_factor": 4,
    "normalize_type": "",
    "pred_rnn_layers": 1,
    "pred_hidden": 2,
}


def _nemo_offline(folder: Path, durations: int, lacking: str = "") -> Path:
    """The library takes a model for a TDT by its ``url``."""
    metadata = _NEMO_TYPE | ({"url": "parakeet-tdt"} if durations else {})
    nodes, constants = _nemo_scores(2**31)
    encoder = _model(
        [
            *nodes,
            NODE("Add", ["length", "three"], ["rounded"]),
            NODE("Div", ["rounded", "four"], ["encoded_lengths"]),
        ],
        [*constants, _constant("four", np.array(4, np.int64)), _constant("three", np.array(3, np.int64))],
        {"audio_signal": (FLOAT, ("N", BINS, "T")), "length": (INT64, ("N",))},
        {"outputs": (FLOAT, ("N", VOCABULARY, "S")), "encoded_lengths": (INT64, ("N",))},
        {key: value for key, value in metadata.items() if key != lacking},
    )
    _write(folder, NEMO, encoder=encoder, **_nemo_prediction(durations))
    return folder / "encoder.onnx"


def nemo_transducer(folder: Path) -> Path:
    """Offline."""
    return _nemo_offline(folder, 0)


def nemo_tdt(folder: Path) -> Path:
    """Offline, a token-and-duration transducer like Parakeet TDT: five durations."""
    return _nemo_offline(folder, 5)


def nemo_transducer_lacking(folder: Path, key: str) -> Path:
    """As ``nemo_transducer``, without an entry of its metadata."""
    return _nemo_offline(folder, 0, key)


def nemo_streaming_transducer(folder: Path) -> Path:
    """Streaming: chunks of 41 frames, 32 apart, and three caches."""
    nodes, constants = _nemo_scores(32)
    cache, time = ("N", 1, 2, 3), ("N", 1, 3, 2)
    states = {"cache_last_channel": "next_channel", "cache_last_time": "next_time", "cache_last_channel_len": "next_len"}
    encoder = _model(
        [*nodes, *_pass({"length": "encoded_lengths", **states})],
        constants,
        {
            "audio_signal": (FLOAT, ("N", BINS, "T")),
            "length": (INT64, ("N",)),
            "cache_last_channel": (FLOAT, cache),
            "cache_last_time": (FLOAT, time),
            "cache_last_channel_len": (INT64, ("N",)),
        },
        {
            "outputs": (FLOAT, ("N", VOCABULARY, "S")),
            "encoded_lengths": (INT64, ("N",)),
            "next_channel": (FLOAT, cache),
            "next_time": (FLOAT, time),
            "next_len": (INT64, ("N",)),
        },
        _NEMO_TYPE
        | {"window_size": 41, "chunk_shift": 32}
        | {f"cache_last_channel_dim{n}": n for n in (1, 2, 3)}
        | {"cache_last_time_dim1": 1, "cache_last_time_dim2": 3, "cache_last_time_dim3": 2},
    )
    _write(folder, NEMO, encoder=encoder, **_nemo_prediction())
    return folder / "encoder.onnx"


# --- Paraformer

PARAFORMER = ("<blank>", *(f"{s[-1]}@@" if s.startswith("▁") else s for s in LETTERS), "</s>")
"""Behind a token with @@ the word goes on."""
_STACK = 7 * BINS
_LFR: Mapping[str, object] = {
    "vocab_size": len(PARAFORMER),
    "lfr_window_size": 7,
    "lfr_window_shift": 6,
    "neg_mean": ",".join(["0"] * _STACK),
    "inv_stddev": ",".join(["1"] * _STACK),
}
WIDE = 64
"""Width of the streaming model's encoder."""


def _stacked(scale: float = 1.0) -> tuple[list[NodeProto], list[TensorProto]]:
    """From ``speech`` (N, T, 560) to ``scores``: of a stack the frame in the middle counts."""
    weights, bias = _scores()
    wide = np.zeros((_STACK, len(PARAFORMER)), np.float32)
    wide[3 * BINS : 4 * BINS, :VOCABULARY] = weights / scale
    low = np.full(len(PARAFORMER), -50, np.float32)
    low[:VOCABULARY] = bias
    nodes = [NODE("MatMul", ["speech", "wide"], ["weighed"]), NODE("Add", ["weighed", "low"], ["scores"])]
    return nodes, [_constant("wide", wide), _constant("low", low)]


def paraformer(folder: Path) -> Path:
    """Offline. Behind the last letter of an utterance comes ``</s>``, by which those of a batch end apart."""
    size = len(PARAFORMER)
    stacked, constants = _stacked()
    ordered, more = in_order("scores", "rows", 0, size)
    over = np.zeros(size, np.float32)
    over[-1] = 0.5
    model = _model(
        [
            *stacked,
            *ordered,
            NODE("Add", ["rows", "over"], ["logits"]),
            NODE("Cast", ["count"], ["token_num"], to=INT32),
        ],
        [*constants, *more, _constant("over", over)],
        {"speech": (FLOAT, ("N", "T", _STACK)), "speech_lengths": (INT32, ("N",))},
        {"logits": (FLOAT, ("N", "U", size)), "token_num": (INT32, ("N",))},
        {"model_type": "paraformer", **_LFR},
    )
    _write(folder, PARAFORMER, model=model)
    return folder / "model.onnx"


def streaming_paraformer(folder: Path) -> Path:
    """Streaming: a letter fires where it begins, with weight 1, and its embedding says which it is."""
    size = len(PARAFORMER)
    stacked, constants = _stacked(WIDE**0.5)
    ordered, more = in_order("scores", "unordered", 0, size)
    widen = np.eye(size, WIDE, dtype=np.float32)
    encoder = _model(
        [
            *stacked,
            *ordered,
            NODE("Cast", ["fresh"], ["alpha"], to=FLOAT),
            NODE("MatMul", ["hot", "widen"], ["enc"]),
            *_pass({"speech_lengths": "enc_len"}),
        ],
        [*constants, *more, _constant("widen", widen)],
        {"speech": (FLOAT, ("N", "T", _STACK)), "speech_lengths": (INT32, ("N",))},
        {"enc": (FLOAT, ("N", "T", WIDE)), "enc_len": (INT32, ("N",)), "alpha": (FLOAT, ("N", "T"))},
        {**_LFR, "encoder_output_size": WIDE, "decoder_num_blocks": 1, "decoder_kernel_size": 3},
    )
    cache = ("N", WIDE, 2)
    decoder = _model(
        [
            NODE("MatMul", ["acoustic_embeds", "narrow"], ["logits"]),
            NODE("ArgMax", ["logits"], ["sample_ids"], axis=2, keepdims=0),
            *_pass({"in_cache_0": "out_cache_0"}),
        ],
        [_constant("narrow", widen.T.copy())],
        {"enc": (FLOAT, ("N", "T", WIDE)), "enc_len": (INT32, ("N",))}
        | {"acoustic_embeds": (FLOAT, ("N", "U", WIDE)), "acoustic_embeds_len": (INT32, ("N",))}
        | {"in_cache_0": (FLOAT, cache)},
        {"logits": (FLOAT, ("N", "U", size)), "sample_ids": (INT64, ("N", "U")), "out_cache_0": (FLOAT, cache)},
        {},
    )
    _write(folder, PARAFORMER, encoder=encoder, decoder=decoder)
    return folder / "encoder.onnx"


# --- Moonshine as sherpa-onnx has it

MOONSHINE = ("<unk>", "<s>", "</s>", *LETTERS)


def _said_or_over(states: Mapping[str, str], inputs: Mapping[str, tuple[int, tuple[int | str, ...]]]) -> ModelProto:
    """A decoder that says row ``seq_len`` - 1 of what the encoder wrote, and ``</s>`` behind the last."""
    size = len(MOONSHINE)
    over = np.zeros(size, np.float32)
    over[2] = 0.5
    return _model(
        [
            NODE("Cast", ["seq_len"], ["length"], to=INT64),
            NODE("Sub", ["length", "one"], ["place"]),
            NODE("Gather", ["encoder_out", "place"], ["row"], axis=1),
            NODE("Add", ["row", "over"], ["logits"]),
            *_pass(states),
        ],
        [_constant("one", np.array([1], np.int64)), _constant("over", over)],
        {"token": (INT32, ("N", "L")), "encoder_out": (FLOAT, ("N", "T", size)), "seq_len": (INT32, (1,)), **inputs},
        {"logits": (FLOAT, ("N", "L", size)), **dict.fromkeys(states.values(), (FLOAT, ("N", "T", size)))},
        {},
    )


def moonshine(folder: Path) -> Path:
    """Offline, in four files."""
    size = len(MOONSHINE)
    heard, filters = from_audio("audio", "scores", size)
    preprocessor = _model(heard, filters, {"audio": (FLOAT, ("N", "samples"))}, {"scores": (FLOAT, ("N", "T", size))}, {})
    ordered, constants = in_order("features", "encoder_out", 0, size)
    encoder = _model(
        [*ordered, *_pass({"features_len": "unused"})],
        constants,
        {"features": (FLOAT, ("N", "T", size)), "features_len": (INT32, (1,))},
        {"encoder_out": (FLOAT, ("N", "U", size)), "unused": (INT32, (1,))},
        {},
    )
    state = (FLOAT, ("N", "T", size))
    _write(
        folder,
        MOONSHINE,
        preprocess=preprocessor,
        encode=encoder,
        uncached_decode=_said_or_over({"encoder_out": "state"}, {}),
        cached_decode=_said_or_over({"past": "state"}, {"past": state}),
    )
    return folder / "encode.onnx"


def moonshine_v2(folder: Path, *, mask: bool = False) -> Path:
    """Offline, encoder and merged decoder: how many tokens were said shows in the length of the decoder's keys."""
    size = len(MOONSHINE)
    heard, filters = from_audio("input_values", "scores", size)
    ordered, constants = in_order("scores", "last_hidden_state", 0, size)
    audio = {"input_values": (FLOAT, ("N", "samples"))}
    masked = {"attention_mask": (INT64, ("N", "samples"))} if mask else {}
    encoder = _model(
        [*heard, *ordered],
        [*filters, *constants],
        {**audio, **masked},
        {"last_hidden_state": (FLOAT, ("N", "T", size))},
        {},
    )
    over = np.zeros(size, np.float32)
    over[2] = 0.5
    parts = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
    cache = (FLOAT, (1, 1, "S", 2))
    decoder = _model(
        [
            NODE("Shape", ["past_key_values.0.decoder.key"], ["past"]),
            NODE("Gather", ["past", "two"], ["place"]),
            NODE("Gather", ["encoder_hidden_states", "place"], ["row"], axis=1),
            NODE("Add", ["row", "over"], ["logits"]),
            *(NODE("Concat", [f"past_key_values.0.{part}", "more"], [f"present.0.{part}"], axis=2) for part in parts[:2]),
            *_pass({"memory": f"present.0.{parts[2]}"}),
            *(NODE("Identity", ["memory"], [f"present.0.{part}"]) for part in parts[3:]),
        ],
        [
            _constant("two", np.array([2], np.int64)),
            _constant("over", over),
            _constant("more", np.zeros((1, 1, 1, 2), np.float32)),
            _constant("memory", np.zeros((1, 1, 2, 2), np.float32)),
        ],
        ({"encoder_attention_mask": (INT64, (1, "samples"))} if mask else {})
        | {"input_ids": (INT64, ("N", "L")), "encoder_hidden_states": (FLOAT, ("N", "T", size))}
        | {f"past_key_values.0.{part}": cache for part in parts}
        | {"use_cache_branch": (BOOL, (1,))},
        {"logits": (FLOAT, ("N", "L", size)), **{f"present.0.{part}": cache for part in parts}},
        {},
    )
    symbols = [base64.b64encode(symbol.encode()).decode() for symbol in MOONSHINE]
    _write(folder, symbols, encoder_model=encoder, decoder_model_merged=decoder)
    return folder / "encoder_model.onnx"
