"""Which family a folder of model files is of, by their names and the metadata of the main file. Pure.

What a family demands of its metadata is listed because sherpa-onnx ends the process where a key is missing (2.0.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

Metadata = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """How a family is loaded and what it can do."""

    name: str
    streaming: bool
    factory: str
    """Name of the class method that loads it, of OnlineRecognizer if ``streaming``, else of OfflineRecognizer."""
    roles: Mapping[str, str]
    """Parts (see ``role``) and the parameters of ``factory`` that take their paths; the first is the main file."""
    demands: tuple[str, ...] = ()
    """Metadata keys the main file must have."""
    batch: int = 1
    """Most utterances in a step: above 1 only where the library computes them together, else a step is just longer."""
    arguments: Mapping[str, str | int] = field(default_factory=dict)
    """Further arguments of ``factory``."""
    blank: tuple[str, ...] = ("<blk>", "<eps>", "<blank>")
    """Names of the blank token, of which the library wants one; empty where it wants none."""
    hotwords: bool = False
    """Whether words can be preferred (with beam search)."""
    times: bool = True
    """Whether the library tells when a token was said."""
    seconds: float = 30.0
    """Longest audio it reads at once, if not streaming."""
    speaks: tuple[str, ...] = ()
    """Languages it reads, if all models of the family read the same."""


_TRANSDUCER = {"encoder": "encoder", "decoder": "decoder", "joiner": "joiner"}
_MODEL = {"model": "model"}
_PAIR = {"encoder": "encoder", "decoder": "decoder"}
_NEMO_CACHE = (
    *("window_size", "chunk_shift", "subsampling_factor", "vocab_size"),
    *(f"cache_last_{what}_dim{n}" for what in ("channel", "time") for n in (1, 2, 3)),
)
_NEMO_PREDICTION = ("subsampling_factor", "vocab_size", "pred_rnn_layers", "pred_hidden")
_ZIPFORMER2 = (
    *("encoder_dims", "query_head_dims", "value_head_dims", "num_heads", "num_encoder_layers", "cnn_module_kernels"),
    *("left_context_len", "T", "decode_chunk_len"),
)
_LFR = ("vocab_size", "lfr_window_size", "lfr_window_shift", "neg_mean", "inv_stddev")
_WENET = ("head", "num_blocks", "output_size", "cnn_module_kernel", "right_context", "subsampling_factor", "vocab_size")
_WHISPER = (
    *("n_mels", "n_text_layer", "n_text_ctx", "n_text_state", "n_vocab", "sot", "eot", "blank_id", "translate"),
    *("transcribe", "is_multilingual", "no_timestamps", "no_speech", "sot_sequence"),
)
_SENSE = (
    *_LFR,
    "normalize_samples",
    "with_itn",
    "without_itn",
    *(f"lang_{tag}" for tag in ("auto", "zh", "en", "ja", "ko", "yue")),
)
_MOONSHINE = {
    "preprocessor": "preprocessor",
    "encoder": "encoder",
    "uncached_decoder": "uncached_decoder",
    "cached_decoder": "cached_decoder",
}
BATCH = 8
"""Utterances in a step of the families that compute them together."""

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "streaming-transducer", True, "from_transducer", _TRANSDUCER, ("T", "decode_chunk_len"), BATCH, blank=(),
            hotwords=True,
        ),
        Family(
            "streaming-nemo-transducer", True, "from_transducer", _TRANSDUCER, (*_NEMO_CACHE, *_NEMO_PREDICTION[2:]),
            blank=("<blk>",),
        ),
        Family("streaming-zipformer2-ctc", True, "from_zipformer2_ctc", _MODEL, _ZIPFORMER2, BATCH),
        Family("streaming-nemo-ctc", True, "from_nemo_ctc", _MODEL, _NEMO_CACHE, BATCH),
        Family("streaming-wenet-ctc", True, "from_wenet_ctc", _MODEL, _WENET),
        Family(
            "streaming-paraformer", True, "from_paraformer", _PAIR,
            (*_LFR, "encoder_output_size", "decoder_num_blocks", "decoder_kernel_size"), blank=(), times=False,
        ),
        Family(
            "transducer", False, "from_transducer", _TRANSDUCER, (), BATCH, {"model_type": "transducer"}, (), hotwords=True,
        ),
        Family(
            "nemo-transducer", False, "from_transducer", _TRANSDUCER, _NEMO_PREDICTION, BATCH,
            {"model_type": "nemo_transducer"}, ("<blk>",),
        ),
        Family("nemo-ctc", False, "from_nemo_ctc", _MODEL, ("vocab_size", "subsampling_factor"), BATCH),
        Family("zipformer-ctc", False, "from_zipformer_ctc", _MODEL, (), BATCH),
        Family("wenet-ctc", False, "from_wenet_ctc", _MODEL, ("vocab_size", "subsampling_factor")),
        Family("paraformer", False, "from_paraformer", {"model": "paraformer"}, _LFR, BATCH, blank=(), times=False),
        Family(
            "sense-voice", False, "from_sense_voice", _MODEL, _SENSE, BATCH, {"use_itn": 1}, (),
            speaks=("zh", "en", "ja", "ko", "yue"),
        ),
        # what is behind 29.5 s it drops
        Family("whisper", False, "from_whisper", _PAIR, _WHISPER, blank=(), times=False, seconds=28.0),
        Family("moonshine", False, "from_moonshine", _MOONSHINE, blank=(), times=False, speaks=("en",)),
        Family("moonshine-v2", False, "from_moonshine_v2", _PAIR, blank=(), times=False),
    )
}  # fmt: skip


# --- files

_ROLES = (
    ("uncached_decoder", r"uncached_decode"),
    ("cached_decoder", r"cached_decode"),
    ("preprocessor", r"preprocess"),
    ("encoder", r"encode"),
    ("decoder", r"decode"),
    ("joiner", r"joiner"),
)
_SUFFIXES = (".onnx", ".ort")


def role(name: str) -> str:
    """What a model file is by its name: one of the parts, or ``model``."""
    return next((part for part, pattern in _ROLES if re.search(pattern, name.lower())), "model")


def find(names: Sequence[str], main: str, wanted: str) -> str | None:
    """The file of ``names`` that is the ``wanted`` part of the model that ``main`` belongs to.

    Where there are several, the one whose name is most like that of ``main``: same precision, same epoch, same size.
    """
    if role(main) == wanted:
        return main
    if wanted == "tokens":
        fitting = [name for name in names if name.endswith("tokens.txt")]
    else:
        fitting = [name for name in names if PurePath(name).suffix in _SUFFIXES and role(name) == wanted]
    words = set(_words(main))
    return max(sorted(fitting), key=lambda name: _likeness(words, set(_words(name))), default=None)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[-_.]", name.lower()) if word]


def _likeness(wanted: set[str], offered: set[str]) -> int:
    return len(wanted & offered) - len(offered - wanted)


# --- families

_NEMO = re.compile(r"EncDec(Hybrid)?(RNNT|CTC|RNNTCTC)\w*Model(BPE)?")

Rule = tuple[str, Callable[[set[str], Metadata], bool]]


def _typed(metadata: Metadata, *prefixes: str) -> bool:
    return metadata.get("model_type", "").startswith(prefixes)


_RULES: tuple[Rule, ...] = (
    # transducers
    ("streaming-nemo-transducer", lambda parts, meta: "joiner" in parts and "cache_last_channel_dim1" in meta),
    ("nemo-transducer", lambda parts, meta: "joiner" in parts and bool(_NEMO.match(meta.get("model_type", "")))),
    ("streaming-transducer", lambda parts, meta: "joiner" in parts and "decode_chunk_len" in meta),
    ("transducer", lambda parts, meta: "joiner" in parts),
    # encoder and decoder
    ("moonshine", lambda parts, meta: {"preprocessor", "encoder", "cached_decoder"} <= parts),
    ("whisper", lambda parts, meta: "encoder" in parts and _typed(meta, "whisper")),
    ("streaming-paraformer", lambda parts, meta: "encoder" in parts and "lfr_window_size" in meta),
    ("moonshine-v2", lambda parts, meta: {"encoder", "decoder"} <= parts and not meta.get("model_type")),
    # one file
    ("streaming-zipformer2-ctc", lambda parts, meta: "decode_chunk_len" in meta and "query_head_dims" in meta),
    ("streaming-nemo-ctc", lambda parts, meta: "cache_last_channel_dim1" in meta),
    ("streaming-wenet-ctc", lambda parts, meta: _typed(meta, "wenet_ctc") and "cnn_module_kernel" in meta),
    ("nemo-ctc", lambda parts, meta: bool(_NEMO.match(meta.get("model_type", "")))),
    ("zipformer-ctc", lambda parts, meta: _typed(meta, "zipformer2_ctc")),
    ("wenet-ctc", lambda parts, meta: _typed(meta, "wenet_ctc")),
    ("sense-voice", lambda parts, meta: _typed(meta, "sense_voice") or "lang_auto" in meta),
    ("paraformer", lambda parts, meta: _typed(meta, "paraformer")),
)


def recognise(names: Sequence[str], main: str, metadata: Metadata) -> Family | None:
    """The family of the model that ``main`` belongs to, None if it is of no known one.

    Its other files count only beside an encoder or a decoder: a single file may lie among those of other models.
    """
    parts = {role(main)}
    if role(main) != "model":
        parts |= {part for part, _ in _ROLES if find(names, main, part) is not None}
    return next((FAMILIES[name] for name, fits in _RULES if fits(parts, metadata)), None)


def lacking(family: Family, metadata: Metadata) -> list[str]:
    """Metadata keys that the family demands and the main file has not."""
    return [key for key in family.demands if not metadata.get(key)]
