"""Whisper models made in the test: the true architecture, tiny, with weights that say something known.

The decoder is a chain: behind the prompt it says the words of ``SAYS``, then it ends. The first word depends on what is
heard: `` low`` where the sound has its energy below 1 kHz, `` high`` where it lies above. Everything else is zero.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np

MELS, WIDTH, HEADS = 80, 32, 2
SAYS = (" low", " tide", " today")
HIGH = " high"
LANGUAGES = ("en", "de", "fr")
PLACES = 8
_BLOCKS, _PLACES = 8, 18
_STATE, _LOW, _HIGH = 10.0, WIDTH - 1, WIDTH - 2
"""Strength of a link of the chain, and the dimensions that hear."""


@dataclass(frozen=True)
class Shape:
    """Layers of encoder and decoder, width, heads and mels of a Whisper model."""

    encoder: int
    decoder: int
    width: int
    heads: int
    mels: int = 80


SHAPES = {
    "base": Shape(6, 6, 512, 8),
    "small": Shape(12, 12, 768, 12),
    "large-v3-turbo": Shape(32, 4, 1_280, 20, 128),
}
"""As published with the models (Radford et al. 2022, table 1; OpenAI's configuration of large-v3-turbo)."""


def _vocabulary(multilingual: bool, fillers: int = 0) -> list[str]:
    """Tokens as real models have them: the empty one tells that there are several languages.

    The alphabet of bytes (GPT-2's: those that print as they are, the others from U+0100 on) and words first, then
    special tokens in the order of real models.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(code) for code in printable] + [chr(256 + place) for place in range(256 - len(printable))]
    words = [word.replace(" ", "Ġ") for word in (*SAYS, HIGH)] + [f"Ġfiller{number}" for number in range(fillers)]
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
    return letters + words + ([""] if multilingual else []) + special + times


def _tokenizer(tokens: list[str]) -> dict[str, object]:
    special = [
        {"id": number, "content": token, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False}
        for number, token in enumerate(tokens) if token.startswith("<|") and token.endswith("|>")
    ]  # fmt: skip
    vocabulary = {token: number for number, token in enumerate(tokens)}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
        "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False, "vocab": vocabulary, "merges": []},
    }  # fmt: skip


def _zero_layer(layer: object, inputs: int, outputs: int) -> None:
    layer.weight = np.zeros((outputs, inputs), np.float32)  # type: ignore[attr-defined]
    layer.bias = np.zeros(outputs, np.float32)  # type: ignore[attr-defined]


def _norm(layer: object) -> None:
    layer.gamma = np.ones(WIDTH, np.float32)  # type: ignore[attr-defined]
    layer.beta = np.zeros(WIDTH, np.float32)  # type: ignore[attr-defined]


def _self_attention(attention: object) -> None:
    _norm(attention.layer_norm)  # type: ignore[attr-defined]
    _zero_layer(attention.linear[0], WIDTH, 3 * WIDTH)  # type: ignore[attr-defined]
    _zero_layer(attention.linear[1], WIDTH, WIDTH)  # type: ignore[attr-defined]


def _feed_forward(block: object) -> None:
    _norm(block.layer_norm)  # type: ignore[attr-defined]
    _zero_layer(block.linear_0, WIDTH, 4 * WIDTH)  # type: ignore[attr-defined]
    _zero_layer(block.linear_1, 4 * WIDTH, WIDTH)  # type: ignore[attr-defined]


def _encoder(encoder: object) -> None:
    """Channel 0 hears the lower mels, channel 1 the upper ones; layers pass everything on."""
    conv1 = np.zeros((WIDTH, MELS, 3), np.float32)
    third = MELS // 3
    conv1[0, :third, 1], conv1[1, third:, 1] = 2.0 / third, 2.0 / (MELS - third)
    conv2 = np.zeros((WIDTH, WIDTH, 3), np.float32)
    conv2[0, 0, 1] = conv2[1, 1, 1] = 1.0
    for conv, weight in ((encoder.conv1, conv1), (encoder.conv2, conv2)):  # type: ignore[attr-defined]
        bias = np.zeros(WIDTH, np.float32)
        bias[:2] = 3.0  # so that what is behind the activation is in proportion to what is before it
        conv.weight, conv.bias = weight, bias
    positions = np.zeros((1500, WIDTH), np.float32)
    positions[np.arange(1500), _BLOCKS + np.minimum(np.arange(1500) // 25, PLACES - 1)] = 1.0
    encoder.position_encodings.encodings = positions  # type: ignore[attr-defined]
    _norm(encoder.layer_norm)  # type: ignore[attr-defined]
    for layer in encoder.layer:  # type: ignore[attr-defined]
        _self_attention(layer.self_attention)
        _feed_forward(layer.ffn)


def _decoder(decoder: object, tokens: list[str], chain: list[int]) -> None:
    """Layer 0 goes from a link of the chain to the next; layer 1 looks at what is heard, everywhere alike."""
    embeddings = np.zeros((len(tokens), WIDTH), np.float32)
    for link, token in enumerate(chain):
        embeddings[token, link] = _STATE
    low, high = chain[1], tokens.index(HIGH.replace(" ", "Ġ"))
    embeddings[high, 1] = _STATE
    embeddings[low, _LOW] = embeddings[high, _HIGH] = 3.0
    decoder.embeddings.weight = embeddings  # type: ignore[attr-defined]
    positions = np.zeros((448, WIDTH), np.float32)
    positions[np.arange(448), _PLACES + np.minimum(np.arange(448), PLACES - 1)] = 5.0
    decoder.position_encodings.encodings = positions  # type: ignore[attr-defined]
    _norm(decoder.layer_norm)  # type: ignore[attr-defined]
    decoder.projection.weight = embeddings  # type: ignore[attr-defined]
    for layer in decoder.layer:  # type: ignore[attr-defined]
        _self_attention(layer.self_attention)
        _norm(layer.attention.layer_norm)
        _zero_layer(layer.attention.linear[0], WIDTH, WIDTH)
        _zero_layer(layer.attention.linear[1], WIDTH, 2 * WIDTH)
        _zero_layer(layer.attention.linear[2], WIDTH, WIDTH)
        _feed_forward(layer.ffn)
    first, second = decoder.layer[0], decoder.layer[1]  # type: ignore[attr-defined]
    for link in range(len(chain) - 1):
        first.ffn.linear_0.weight[link, link] = 1.0
        first.ffn.linear_1.weight[link + 1, link] = 3 * _STATE
    for place in range(PLACES):  # the first head looks at the half second of its own number: that is what times words
        second.attention.linear[0].weight[place, _PLACES + place] = 40.0
        second.attention.linear[1].weight[place, _BLOCKS + place] = 1.0
    values = second.attention.linear[1].weight
    for heard, other, dimension in ((0, 1, _LOW), (1, 0, _HIGH)):
        values[WIDTH + dimension, heard], values[WIDTH + dimension, other] = 1.0, -1.0
        second.attention.linear[2].weight[dimension, dimension] = 40.0


def make_whisper(folder: Path, *, multilingual: bool = False) -> Path:
    """A model in ``folder``; returns its model.bin, 1 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = _vocabulary(multilingual)
    spec = ctranslate2.specs.WhisperSpec(1, HEADS, 2, HEADS)
    number = {token: place for place, token in enumerate(tokens)}
    chain = [number["<|notimestamps|>"], *(number[word.replace(" ", "Ġ")] for word in SAYS), number["<|endoftext|>"]]
    _encoder(spec.encoder)
    _decoder(spec.decoder, tokens, chain)
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [number[f"<|{code}|>"] for code in LANGUAGES]
    spec.config.alignment_heads = [(1, 0)]
    spec.validate()
    spec.save(str(folder))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(tokens)))
    return folder / "model.bin"


def make_whisper_shape(folder: Path, shape: Shape) -> Path:
    """A model of a true shape with random weights, in half precision: it costs what such a model costs and says nothing.

    Needs as much disk as a real one (large-v3-turbo: 1.6 GB). Returns its model.bin.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens = _vocabulary(multilingual=True, fillers=50_000)
    spec = ctranslate2.specs.WhisperSpec(shape.encoder, shape.heads, shape.decoder, shape.heads)
    _randomise(spec, shape, len(tokens))
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in LANGUAGES]
    spec.config.alignment_heads = [(shape.decoder - 1, 0)]
    spec.validate()
    spec.optimize(quantization="float16")
    spec.save(str(folder))
    (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(tokens)))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": shape.mels}))
    return folder / "model.bin"


def _randomise(spec: ctranslate2.specs.WhisperSpec, shape: Shape, vocabulary: int) -> None:
    generator, width = np.random.default_rng(0), shape.width

    def noise(*size: int) -> np.ndarray:
        return generator.standard_normal(size, np.float32) * np.float32(0.02)

    def fill(layer: object, inputs: int, outputs: int) -> None:
        layer.weight, layer.bias = noise(outputs, inputs), noise(outputs)  # type: ignore[attr-defined]

    def norm(layer: object) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)  # type: ignore[attr-defined]

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = noise(width, shape.mels, 3), noise(width)
    encoder.conv2.weight, encoder.conv2.bias = noise(width, width, 3), noise(width)
    encoder.position_encodings.encodings = noise(1_500, width)
    decoder.position_encodings.encodings = noise(448, width)
    decoder.embeddings.weight = decoder.projection.weight = noise(vocabulary, width)
    for layer in (encoder.layer_norm, decoder.layer_norm):
        norm(layer)
    for layer in (*encoder.layer, *decoder.layer):
        norm(layer.self_attention.layer_norm)
        norm(layer.ffn.layer_norm)
        fill(layer.self_attention.linear[0], width, 3 * width)
        fill(layer.self_attention.linear[1], width, width)
        fill(layer.ffn.linear_0, width, 4 * width)
        fill(layer.ffn.linear_1, 4 * width, width)
    for layer in decoder.layer:
        norm(layer.attention.layer_norm)
        for place, times in enumerate((1, 2, 1)):
            fill(layer.attention.linear[place], width, times * width)


__all__ = ["HIGH", "LANGUAGES", "SAYS", "SHAPES", "Shape", "make_whisper", "make_whisper_shape"]
