"""A value with the place it came from: what every layer is read into before anything is typed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Layer = Literal["default", "system", "user", "project", "file", "environment", "flag"]
"""Weakest first. ``file`` is a file named on the command line."""

Scalar: TypeAlias = str | int | float | bool | None
Content: TypeAlias = "Scalar | list[Node] | dict[str, Node]"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: the layer, the file, variable or flag, and the line where there is one."""

    layer: Layer
    source: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if not self.source:
            return self.layer
        return self.source if self.line is None else f"{self.source}:{self.line}"


DEFAULT = Origin("default")


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping, a list or a scalar. ``text`` marks a string of the environment or a flag, whose type is still open."""

    content: Content
    origin: Origin
    text: bool = False


def merge(weak: Node, strong: Node) -> Node:
    """Mappings are merged key by key; anything else gives way to the stronger layer as a whole."""
    if not isinstance(weak.content, dict) or not isinstance(strong.content, dict):
        return strong
    merged = dict(weak.content)
    for key, node in strong.content.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return Node(merged, strong.origin)


def nest(path: tuple[str, ...], leaf: Node) -> Node:
    """``("server", "port"), 9000`` as a mapping of mappings."""
    for name in reversed(path):
        leaf = Node({name: leaf}, leaf.origin)
    return leaf


def leaves(node: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Every node that is not a mapping, with its dotted path. A list counts as one."""
    if isinstance(node.content, dict):
        for name, child in node.content.items():
            yield from leaves(child, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix, node
