"""Ask an ONNX file for one more output, on its bytes.

Piper voices compute how many frames each phoneme takes but keep it to themselves. In the ONNX format an output is named
in the graph; two serialised messages behind each other are their union, so that naming one more output means appending a
few bytes. The tensor is the only one in the graph that an operator ``Ceil`` makes (VITS: ``w_ceil``).

Field numbers are those of onnx.proto: ModelProto.graph 7; GraphProto.node 1, output 12; NodeProto.output 2, op_type 4;
ValueInfoProto.name 1.
"""

from __future__ import annotations

from collections.abc import Iterator

_GRAPH, _NODE, _GRAPH_OUTPUT = 7, 1, 12
_NODE_OUTPUT, _OPERATOR, _NAME = 2, 4, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def with_durations(model: bytes) -> bytes:
    """The model with the phoneme durations as its last output; as it was where it has them or nothing can be found.

    What is not an ONNX file comes back as it is: the runtime knows best what to say about it.
    """
    try:
        view = memoryview(model)
        made: list[bytes] = []
        offered: set[bytes] = set()
        for field, graph in _fields(view):
            if field == _GRAPH:
                for number, part in _fields(graph):
                    if number == _NODE:
                        made += _ceilings(part)
                    elif number == _GRAPH_OUTPUT:
                        offered.update(bytes(name) for kind, name in _fields(part) if kind == _NAME)
    except (IndexError, ValueError):
        return model
    if len(made) != 1 or made[0] in offered:
        return model
    return model + _message(_GRAPH, _message(_GRAPH_OUTPUT, _message(_NAME, made[0])))


def _ceilings(node: memoryview) -> list[bytes]:
    fields = list(_fields(node))
    if not any(field == _OPERATOR and bytes(value) == b"Ceil" for field, value in fields):
        return []
    return [bytes(value) for field, value in fields if field == _NODE_OUTPUT]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each length-delimited field. Raises IndexError or ValueError for what is no message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("a field is longer than its message")
            yield tag >> 3, message[at : at + size]
            at += size
        elif kind in (_FIXED32, _FIXED64):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number without an end")


def _message(field: int, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes((field << 3 | _BYTES,)) + bytes(length) + content
