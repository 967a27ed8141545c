"""Model files, checked before sherpa-onnx sees them: what it dislikes in them ends the process (2.0.1)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vivavoce.contracts.errors import ConfigurationError, EngineFailed, EngineMissing
from vivavoce.engines.sherpa.families import FAMILIES, Family, find, lacking, recognise, role

PULL = "fetch it with `vivavoce models pull NAME` (`vivavoce models list` names them)"
AGAIN = "fetch the model again: `vivavoce models remove NAME`, then `vivavoce models pull NAME`"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What tokens.txt says: symbols by number."""

    symbols: Mapping[int, str]

    @property
    def upper(self) -> bool:
        """Whether the model writes in capitals only."""
        text = "".join(symbol for symbol in self.symbols.values() if not symbol.startswith("<"))
        return text.upper() == text and text.lower() != text

    def spell(self, text: str) -> bool:
        """Whether all characters of ``text`` are tokens."""
        known = set(self.symbols.values())
        return all(letter in known for letter in text if letter != " ")


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose files are there and are what they should be."""

    family: Family
    folder: Path
    files: Mapping[str, str]
    """Parameter of the family's factory → path. Without ``tokens``."""
    tokens_file: str
    tokens: Tokens
    metadata: Mapping[str, str]
    bpe_vocabulary: str
    """Path of bpe.vocab, with which words can be cut into tokens, or empty."""


def inspect(path: Path, wanted: str = "") -> Model:
    """The model whose main file is ``path``, of the family ``wanted`` or of the one it is recognised to be.

    Raises EngineMissing for an absent file, EngineFailed for a damaged one, ConfigurationError for an unknown family.
    """
    if not path.is_file():
        raise EngineMissing(f"the model file {path} is absent: {PULL}")
    names = sorted(file.name for file in path.parent.iterdir() if file.is_file())
    # A main file given as decoder or joiner leads to its encoder, which has the metadata that tells families apart.
    path = path.parent / ((find(names, path.name, "encoder") if role(path.name) != "model" else None) or path.name)
    metadata = read_metadata(path)
    family = _family(names, path, metadata, wanted)
    lacks = lacking(family, metadata)
    if lacks:
        raise EngineFailed(
            f"{path} is no {family.name} model: its metadata lacks {', '.join(lacks)}; {AGAIN}", code="damaged_model"
        )
    files = {}
    for part, parameter in family.roles.items():
        files[parameter] = str(_need(path, names, part))
        read_metadata(Path(files[parameter]))
    tokens_file = _need(path, names, "tokens")
    tokens = read_tokens(tokens_file)
    _check_tokens(tokens_file, tokens, family, _vocabulary(family, metadata, files))
    bpe = path.parent / "bpe.vocab"
    return Model(family, path.parent, files, str(tokens_file), tokens, metadata, str(bpe) if bpe.is_file() else "")


def _family(names: list[str], path: Path, metadata: Mapping[str, str], wanted: str) -> Family:
    if wanted:
        if wanted not in FAMILIES:
            raise ConfigurationError(f"sherpa has no family {wanted!r}; there are {', '.join(FAMILIES)}")
        return FAMILIES[wanted]
    family = recognise(names, path.name, metadata)
    if family is None:
        kind = metadata.get("model_type") or "none"
        raise EngineFailed(
            f"the family of {path} (model_type: {kind}) is not recognised; set `family` to one of {', '.join(FAMILIES)}",
            code="unknown_family",
        )
    return family


def _need(path: Path, names: list[str], part: str) -> Path:
    name = find(names, path.name, part)
    if name is None:
        what = "tokens.txt" if part == "tokens" else f"the {part}"
        raise EngineMissing(f"{what} of the model {path} is absent from {path.parent}: {PULL}")
    return path.parent / name


def _vocabulary(family: Family, metadata: Mapping[str, str], files: Mapping[str, str]) -> int:
    """How many tokens the model writes, 0 if it does not say."""
    size = metadata.get("vocab_size") or (
        read_metadata(Path(files["decoder"])).get("vocab_size") if "decoder" in files else None
    )
    if not size or not size.isdigit() or family.name == "whisper":
        return 0
    return int(size) + ("nemo" in family.name)  # NeMo does not count the blank


def _check_tokens(path: Path, tokens: Tokens, family: Family, size: int) -> None:
    symbols = set(tokens.symbols.values())
    if family.blank and not symbols & set(family.blank):
        raise EngineFailed(
            f"{path} has no blank token ({' or '.join(family.blank)}): it is of another model; {AGAIN}", code="damaged_model"
        )
    if len(tokens.symbols) < size or (family.name == "nemo-transducer" and len(tokens.symbols) != size):
        raise EngineFailed(
            f"{path} has {len(tokens.symbols)} tokens, the model {size}: it is of another model; {AGAIN}",
            code="damaged_model",
        )


def read_tokens(path: Path) -> Tokens:
    """Lines of a symbol and a number; the symbol may be a space. Raises EngineFailed."""
    symbols: dict[int, str] = {}
    try:
        for line in path.read_text("utf-8").split("\n"):
            if line.strip():
                *symbol, number = line.rsplit(maxsplit=1)
                symbols[int(number)] = symbol[0].strip() if symbol else " "
    except (UnicodeDecodeError, ValueError) as error:
        raise EngineFailed(f"{path} is damaged ({error}); {AGAIN}", code="damaged_model", cause=error) from error
    if not symbols:
        raise EngineFailed(f"{path} is damaged: it is empty; {AGAIN}", code="damaged_model")
    return Tokens(symbols)


# --- ONNX files are protocol buffers: a sequence of (field number and wire type, value)

_GRAPH, _PROPERTIES = 7, 14
"""Fields of ModelProto (onnx/onnx.proto); a property has a key (1) and a value (2)."""
_MAX_PROPERTY = 1 << 20


def read_metadata(path: Path) -> dict[str, str]:
    """The properties of an ONNX file, without reading its weights. Raises EngineFailed if it is cut off or no ONNX file.

    A file in ONNX Runtime's own format (.ort) has none that could be read so.
    """
    if path.suffix == ".ort":
        return {}
    found: dict[str, str] = {}
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            graph = False
            while file.tell() < size:
                number, length = _field(file)
                if file.tell() + length > size:
                    raise ValueError("it is cut off")
                graph = graph or number == _GRAPH
                if number == _PROPERTIES and length <= _MAX_PROPERTY:
                    key, value = _property(file.read(length))
                    found[key] = value
                else:
                    file.seek(length, 1)
            if not graph:
                raise ValueError("it holds no graph")
    except (ValueError, OSError) as error:
        raise EngineFailed(
            f"{path} is damaged or no ONNX file ({error}); {AGAIN}", code="damaged_model", cause=error
        ) from error
    return found


def _field(file: BinaryIO) -> tuple[int, int]:
    """Number of the next field and how many bytes follow."""
    tag = _varint(file)
    match tag & 7:
        case 0:
            _varint(file)
            return tag >> 3, 0
        case 1:
            return tag >> 3, 8
        case 2:
            return tag >> 3, _varint(file)
        case 5:
            return tag >> 3, 4
    raise ValueError("it is no protocol buffer")


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is cut off")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("it is no protocol buffer")


def _property(data: bytes) -> tuple[str, str]:
    file = io.BytesIO(data)
    fields: dict[int, str] = {}
    while file.tell() < len(data):
        number, length = _field(file)
        fields[number] = file.read(length).decode("utf-8", "replace")
    return fields.get(1, ""), fields.get(2, "")
