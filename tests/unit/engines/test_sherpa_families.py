"""Which family a folder of model files is of, and which files belong together. No library needed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import require
from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing
from vivavoce.engines.sherpa import SherpaRecogniser
from vivavoce.engines.sherpa.families import _RULES, FAMILIES, find, lacking, recognise, role
from vivavoce.engines.sherpa.files import inspect, read_metadata, read_tokens

ZIPFORMER = [
    "bpe.model",
    "decoder-epoch-99-avg-1.int8.onnx",
    "decoder-epoch-99-avg-1.onnx",
    "encoder-epoch-99-avg-1.int8.onnx",
]
ZIPFORMER += ["encoder-epoch-99-avg-1.onnx", "joiner-epoch-99-avg-1.int8.onnx", "joiner-epoch-99-avg-1.onnx", "tokens.txt"]
WHISPER = ["tiny.en-decoder.int8.onnx", "tiny.en-decoder.onnx", "tiny.en-encoder.int8.onnx", "tiny.en-encoder.onnx"]
WHISPER += ["tiny.en-tokens.txt", "base.en-decoder.onnx", "base.en-encoder.onnx", "base.en-tokens.txt"]
MOONSHINE = ["cached_decode.int8.onnx", "encode.int8.onnx", "preprocess.onnx", "tokens.txt", "uncached_decode.int8.onnx"]
TRIPLE = ["decoder.int8.onnx", "encoder.int8.onnx", "joiner.int8.onnx", "tokens.txt"]
PAIR = ["decoder.int8.onnx", "decoder.onnx", "encoder.int8.onnx", "encoder.onnx", "tokens.txt"]
MODEL = ["model.int8.onnx", "model.onnx", "tokens.txt"]
STREAMING = {"T": "45", "decode_chunk_len": "32"}
CACHE = {"cache_last_channel_dim1": "17"}

CASES = [
    (ZIPFORMER, "encoder-epoch-99-avg-1.onnx", {"model_type": "zipformer2", **STREAMING}, "streaming-transducer"),
    (TRIPLE, "encoder.int8.onnx", {"model_type": "lstm", **STREAMING}, "streaming-transducer"),
    (ZIPFORMER, "encoder-epoch-99-avg-1.int8.onnx", {"model_type": "zipformer2"}, "transducer"),
    (TRIPLE, "encoder.int8.onnx", {"model_type": "EncDecRNNTBPEModel", "vocab_size": "1024"}, "nemo-transducer"),
    (TRIPLE, "encoder.int8.onnx", {"model_type": "EncDecHybridRNNTCTCBPEModel"}, "nemo-transducer"),
    (TRIPLE, "encoder.int8.onnx", {"model_type": "EncDecHybridRNNTCTCBPEModel", **CACHE}, "streaming-nemo-transducer"),
    (WHISPER, "tiny.en-encoder.int8.onnx", {"model_type": "whisper-tiny.en"}, "whisper"),
    (MOONSHINE, "preprocess.onnx", {}, "moonshine"),
    (MOONSHINE, "encode.int8.onnx", {}, "moonshine"),
    (["decoder_model_merged.ort", "encoder_model.ort", "tokens.txt"], "encoder_model.ort", {}, "moonshine-v2"),
    (PAIR, "encoder.int8.onnx", {"model_type": "paraformer", "lfr_window_size": "7"}, "streaming-paraformer"),
    (MODEL, "model.onnx", {"model_type": "paraformer", "lfr_window_size": "7"}, "paraformer"),
    (
        MODEL,
        "model.int8.onnx",
        {"model_type": "zipformer2", "query_head_dims": "1", **STREAMING},
        "streaming-zipformer2-ctc",
    ),
    (MODEL, "model.onnx", {"model_type": "EncDecHybridRNNTCTCBPEModel", **CACHE}, "streaming-nemo-ctc"),
    (MODEL, "model.onnx", {"model_type": "EncDecCTCModelBPE"}, "nemo-ctc"),
    (MODEL, "model.onnx", {"model_type": "EncDecCTCModel"}, "nemo-ctc"),
    (MODEL, "model.onnx", {"model_type": "wenet_ctc", "cnn_module_kernel": "8"}, "streaming-wenet-ctc"),
    (MODEL, "model.onnx", {"model_type": "wenet_ctc", "vocab_size": "8"}, "wenet-ctc"),
    (MODEL, "model.onnx", {"model_type": "zipformer2_ctc"}, "zipformer-ctc"),
    (MODEL, "model.int8.onnx", {"model_type": "sense_voice_ctc", "lang_auto": "0"}, "sense-voice"),
    (MODEL, "model.onnx", {}, None),
    (MODEL, "model.onnx", {"model_type": "something else"}, None),
]


@pytest.mark.parametrize(("names", "main", "metadata", "family"), CASES, ids=[f"{c[3]}-{i}" for i, c in enumerate(CASES)])
def test_the_family_is_recognised(names: list[str], main: str, metadata: dict[str, str], family: str | None) -> None:
    found = recognise(names, main, metadata)
    assert (found.name if found else None) == family


def test_each_family_is_recognised_by_a_rule_and_by_a_case() -> None:
    assert {name for name, _ in _RULES} == set(FAMILIES) == {case[3] for case in CASES} - {None}


@pytest.mark.parametrize(
    ("names", "main", "parts"),
    [
        (
            ZIPFORMER,
            "encoder-epoch-99-avg-1.int8.onnx",
            {
                "decoder": "decoder-epoch-99-avg-1.int8.onnx",
                "joiner": "joiner-epoch-99-avg-1.int8.onnx",
                "tokens": "tokens.txt",
            },
        ),
        (ZIPFORMER, "encoder-epoch-99-avg-1.onnx", {"decoder": "decoder-epoch-99-avg-1.onnx"}),
        (
            ["decoder-epoch-99-avg-1.onnx", "encoder-epoch-99-avg-1.int8.onnx", "tokens.txt"],
            "encoder-epoch-99-avg-1.int8.onnx",
            {"decoder": "decoder-epoch-99-avg-1.onnx", "joiner": None},
        ),
        (WHISPER, "tiny.en-encoder.onnx", {"decoder": "tiny.en-decoder.onnx", "tokens": "tiny.en-tokens.txt"}),
        (WHISPER, "base.en-encoder.onnx", {"decoder": "base.en-decoder.onnx", "tokens": "base.en-tokens.txt"}),
        (MOONSHINE, "preprocess.onnx", {"cached_decoder": "cached_decode.int8.onnx", "encoder": "encode.int8.onnx"}),
        (MOONSHINE, "preprocess.onnx", {"uncached_decoder": "uncached_decode.int8.onnx", "preprocessor": "preprocess.onnx"}),
        (MODEL, "model.int8.onnx", {"model": "model.int8.onnx", "tokens": "tokens.txt"}),
        (["model.onnx"], "model.onnx", {"tokens": None}),
    ],
)
def test_files_of_one_model_are_found(names: list[str], main: str, parts: dict[str, str | None]) -> None:
    assert {part: find(names, main, part) for part in parts} == parts


def test_a_single_file_is_not_confused_by_its_neighbours() -> None:
    names = [*MODEL, *TRIPLE]
    found = recognise(names, "model.onnx", {"model_type": "EncDecCTCModelBPE"})
    assert found is FAMILIES["nemo-ctc"]


def test_what_a_family_demands_of_its_metadata_is_told() -> None:
    assert lacking(FAMILIES["nemo-ctc"], {"vocab_size": "8"}) == ["subsampling_factor"]
    assert lacking(FAMILIES["zipformer-ctc"], {}) == []


@given(st.text(max_size=30))
def test_every_name_has_a_role(name: str) -> None:
    assert role(name) in {"encoder", "decoder", "joiner", "preprocessor", "cached_decoder", "uncached_decoder", "model"}


# --- files


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def part(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(metadata: dict[str, str], graph: bytes = b"a graph") -> bytes:
    """The outer layer of an ONNX file."""
    properties = b"".join(part(14, part(1, key.encode()) + part(2, value.encode())) for key, value in metadata.items())
    return varint(1 << 3) + varint(8) + part(7, graph) + properties


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=300), max_size=8), st.binary(max_size=400))
def test_metadata_is_read_past_any_graph(
    tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, str], graph: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "some.onnx"
    file.write_bytes(onnx(metadata, graph))
    assert read_metadata(file) == metadata


@given(st.binary(max_size=300))
def test_any_bytes_are_metadata_or_an_error_of_the_tree(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.onnx"
    file.write_bytes(data)
    try:
        read_metadata(file)
    except EngineFailed as error:
        assert "any.onnx" in error.message
        assert "vivavoce models pull" in error.message


def test_a_file_that_is_cut_off_anywhere_in_its_graph_is_noticed(tmp_path: Path) -> None:
    whole = onnx({}, bytes(200))
    for length in range(3, len(whole)):
        (tmp_path / "cut.onnx").write_bytes(whole[:length])
        with pytest.raises(EngineFailed, match=r"cut\.onnx is damaged"):
            read_metadata(tmp_path / "cut.onnx")


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("<blk> 0\n▁a 1\nb 2\n", ["<blk>", "▁a", "b"]),
        ("<blk> 0\n  1\nb 2", ["<blk>", " ", "b"]),
        ("<blk> 0\n\u00a0 1\n", ["<blk>", " "]),
        ("a\t0\nb\t1\n", ["a", "b"]),
        ("a\nb\n", None),
        ("", None),
        ("a 0\nb x\n", None),
    ],
)
def test_tokens(tmp_path: Path, text: str, symbols: list[str] | None) -> None:
    file = tmp_path / "tokens.txt"
    file.write_text(text, "utf-8")
    if symbols is None:
        with pytest.raises(EngineFailed, match=r"tokens\.txt is damaged"):
            read_tokens(file)
    else:
        assert list(read_tokens(file).symbols.values()) == symbols


def test_tokens_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "tokens.txt"
    file.write_bytes(bytes(range(256)))
    with pytest.raises(EngineFailed, match="damaged"):
        read_tokens(file)


NEMO = {"model_type": "EncDecCTCModelBPE", "vocab_size": "2", "subsampling_factor": "4"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(onnx(NEMO))
    (tmp_path / "tokens.txt").write_text("a 0\nb 1\n<blk> 2\n", "utf-8")
    return tmp_path


def test_a_model_that_is_whole(folder: Path) -> None:
    model = inspect(folder / "model.onnx")
    assert model.family.name == "nemo-ctc"
    assert model.files == {"model": str(folder / "model.onnx")}
    assert model.tokens_file == str(folder / "tokens.txt")
    assert not model.tokens.upper


def test_the_family_may_be_told(folder: Path) -> None:
    assert inspect(folder / "model.onnx", "zipformer-ctc").family.name == "zipformer-ctc"
    with pytest.raises(ConfigurationError, match="zipformer-ctc"):
        inspect(folder / "model.onnx", "zipformer")


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("model.onnx", None, EngineMissing, r"model\.onnx is absent: fetch it with `vivavoce models pull"),
        ("tokens.txt", None, EngineMissing, r"tokens\.txt of the model .* is absent"),
        ("model.onnx", onnx({}), EngineFailed, "not recognised; set `family`"),
        ("model.onnx", onnx({"model_type": "EncDecCTCModel"}), EngineFailed, "lacks vocab_size, subsampling_factor"),
        ("model.onnx", b"garbage", EngineFailed, "damaged or no ONNX file"),
        ("tokens.txt", b"a 0\nb 1\nc 2\n", EngineFailed, "no blank token"),
        ("tokens.txt", b"a 0\n<blk> 1\n", EngineFailed, "2 tokens, the model 3"),
    ],
)
def test_a_model_that_is_not(folder: Path, name: str, content: bytes | None, error: type[Exception], says: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(error, match=says):
        inspect(folder / "model.onnx")


def test_a_missing_package_is_told_with_the_command_that_mends_it() -> None:
    require(importlib.util.find_spec("sherpa_onnx") is None, "sherpa-onnx is installed here")
    with pytest.raises(EngineMissing, match=r"pip install 'vivavoce\[sherpa\]'"):
        SherpaRecogniser({"model": "x"})
