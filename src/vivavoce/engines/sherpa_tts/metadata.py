"""The metadata of an ONNX file, read without loading the model.

sherpa-onnx ends its process where a model lacks what it wants to know, so that is looked up first. Field numbers are those
of onnx.proto: ModelProto.graph 7, metadata_props 14; StringStringEntryProto.key 1, value 2.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from vivavoce.contracts.errors import EngineFailed

_GRAPH, _METADATA = 7, 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def metadata(path: Path, mending: str) -> dict[str, str]:
    """Keys and values. Raises EngineFailed for a file that is no ONNX model or not a whole one; it says ``mending``."""
    found: dict[str, str] = {}
    graph = False
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for field, begin, end in _fields(data, 0, len(data)):
                graph = graph or field == _GRAPH
                if field == _METADATA:
                    entry = {number: data[first:last] for number, first, last in _fields(data, begin, end)}
                    found[entry.get(_KEY, b"").decode()] = entry.get(_VALUE, b"").decode()
    except (OSError, ValueError, IndexError) as error:
        raise EngineFailed(
            f"{path} is damaged or no ONNX model ({error}); fetch it again: {mending}", cause=error
        ) from error
    if not graph:
        raise EngineFailed(f"{path} is damaged or no ONNX model; fetch it again: {mending}")
    return found


def _fields(data: mmap.mmap, at: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each length-delimited field. Raises IndexError or ValueError for what is no message."""
    while at < stop:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > stop:
                raise ValueError("it ends too early")
            yield tag >> 3, at, at + size
            at += size
        elif kind in (_FIXED32, _FIXED64):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number without an end")
