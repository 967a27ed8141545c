"""Reads one YAML or TOML file into nodes with line numbers."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from vivavoce.config.nodes import Layer, Node, Origin, Scalar
from vivavoce.contracts.errors import ConfigurationError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NODES = 100_000
"""Aliases of YAML can multiply; nobody configures a voice server with more than this."""

SUFFIXES = (".yaml", ".yml", ".toml")


def read(path: Path, layer: Layer) -> Node:
    """Read a file. Raises ConfigurationError for a file that cannot be read or parsed, with the line."""
    if path.suffix not in SUFFIXES:
        raise ConfigurationError(f"{path}: a configuration file ends in {', '.join(SUFFIXES)}")
    try:
        with path.open("rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}", cause=error) from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{path}:{line}: is not UTF-8 text", cause=error) from error
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{path}: is larger than {MAX_BYTES} bytes; is it a configuration file?")
    return _toml(text, path, layer) if path.suffix == ".toml" else parse_yaml(text, layer, str(path))


def parse_yaml(text: str, layer: Layer, source: str, *, lines: bool = True) -> Node:
    """Parse YAML; an empty document is an empty mapping. ``lines`` is off for a value given in one line."""
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        reader = _YamlReader(loader, layer, source, lines)
        node = Node({}, Origin(layer, source)) if root is None else reader.read(root, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark and lines else source
        raise ConfigurationError(f"{place}: is not valid YAML: {error.problem or error.context}", cause=error) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{source}: is not valid YAML: {error}", cause=error) from error
    return node


class _YamlReader:
    """Turns composed YAML nodes into ours, bounded in depth and number."""

    def __init__(self, loader: yaml.SafeLoader, layer: Layer, source: str, lines: bool) -> None:
        self._loader = loader
        self._layer: Layer = layer
        self._source = source
        self._lines = lines
        self._count = 0

    def read(self, node: yaml.Node, depth: int) -> Node:
        origin = self._origin(node)
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_NODES:
            raise ConfigurationError(f"{origin}: is nested too deeply or too large")
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, depth), origin)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.read(child, depth + 1) for child in node.value], origin)
        return Node(_scalar(self._loader.construct_object(node), str(node.value)), origin)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in node.value:
            place = self._origin(key)
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(f"{place}: a key must be a word")
            name = str(key.value)
            if name in found:
                raise ConfigurationError(f"{place}: {name!r} is set twice, first in line {found[name].origin.line}")
            child = self.read(value, depth + 1)
            found[name] = Node(child.content, place)
        return found

    def _origin(self, node: yaml.Node) -> Origin:
        return Origin(self._layer, self._source, node.start_mark.line + 1 if self._lines and node.start_mark else None)


def _scalar(value: Any, written: str) -> Scalar:
    """Dates and the like are text to us, as they were written."""
    return value if value is None or isinstance(value, str | int | float | bool) else written


def _toml(text: str, path: Path, layer: Layer) -> Node:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = found[1] if found else len(text.splitlines())  # otherwise the document ends too early
        raise ConfigurationError(f"{path}:{line}: is not valid TOML: {error}", cause=error) from error
    return _toml_node(tree, (), _toml_lines(text), Origin(layer, str(path)))


def _toml_node(value: Any, path: tuple[str, ...], lines: dict[tuple[str, ...], int], near: Origin) -> Node:
    origin = Origin(near.layer, near.source, lines.get(path, near.line))
    if isinstance(value, dict):
        return Node({str(key): _toml_node(child, (*path, str(key)), lines, origin) for key, child in value.items()}, origin)
    if isinstance(value, list):
        return Node([_toml_node(child, path, lines, origin) for child in value], origin)
    if isinstance(value, datetime.date | datetime.time):
        return Node(value.isoformat(), origin)
    return Node(value, origin)


def _toml_lines(text: str) -> dict[tuple[str, ...], int]:
    """Best effort: the line of each bare or dotted key. Quoted keys and inline tables take the line around them."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\[?\s*([\w.\- ]+?)\s*\]\]?", line):
            table = tuple(part.strip() for part in header[1].split("."))
            found.setdefault(table, number)
        elif key := re.match(r"\s*([\w\-]+(?:\s*\.\s*[\w\-]+)*)\s*=", line):
            found.setdefault((*table, *(part.strip() for part in key[1].split("."))), number)
    return found
