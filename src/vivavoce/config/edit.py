"""Adds a provider to a YAML file and leaves every other line as it is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vivavoce.contracts.errors import ConfigurationError

SECTION = "providers"


def with_provider(text: str, entry: Mapping[str, Any]) -> str:
    """``text`` with ``entry`` in its list of providers, in place of the one of the same name. Comments stay.

    Raises ConfigurationError where the text is no mapping, or cannot be edited without being written anew.
    """
    before = _parsed(text)
    there = before.get(SECTION) or []
    if not isinstance(there, list):
        raise ConfigurationError(f"{SECTION} is not a list; correct it first")
    edited = _edited(text, entry)
    names = [item.get("name") if isinstance(item, dict) else None for item in there]
    expected = list(there)
    if entry["name"] in names:
        expected[names.index(entry["name"])] = dict(entry)
    else:
        expected.append(dict(entry))
    if _parsed(edited) != {**before, SECTION: expected}:
        raise ConfigurationError(
            "the file is written in a way that cannot be edited here; add this to it by hand:\n" + _item(entry, 2)
        )
    return edited


def provider_named(text: str, name: str) -> dict[str, Any]:
    """The entry of that name as it stands in ``text``, or nothing. Raises ConfigurationError."""
    there = _parsed(text).get(SECTION) or []
    items = there if isinstance(there, list) else []
    return next((dict(item) for item in items if isinstance(item, dict) and item.get("name") == name), {})


def save(path: Path, text: str) -> Path | None:
    """Write the file, whole or not at all; the copy of what was there before, if there was something. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    backup = None
    if path.exists():
        backup = path.with_name(path.name + ".bak")
        shutil.copy2(path, backup)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(text, encoding="utf-8")
    if path.exists():
        shutil.copymode(path, unfinished)
    unfinished.replace(path)
    return backup


def _parsed(text: str) -> dict[str, Any]:
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the file is not valid YAML; correct it first: {error}", cause=error) from error
    if parsed is not None and not isinstance(parsed, dict):
        raise ConfigurationError("the file is no mapping of settings; correct it first")
    return parsed or {}


def _edited(text: str, entry: Mapping[str, Any]) -> str:
    lines = text.splitlines()
    section = _section(text)
    if section is None:
        gap = [""] if lines and lines[-1].strip() else []
        return "\n".join([*lines, *gap, f"{SECTION}:", _item(entry, 2)]) + "\n"
    key, value = section
    if not isinstance(value, yaml.SequenceNode) or value.flow_style or not value.value:
        head = lines[: key.start_mark.line]
        tail = lines[_last_line(value) + 1 :]
        items = yaml.safe_load(text)[SECTION] or []
        kept = [item for item in items if item.get("name") != entry["name"]]
        return "\n".join([*head, f"{SECTION}:", *(_item(item, 2) for item in (*kept, entry)), *tail]) + "\n"
    indent = value.start_mark.column
    named = next((node for node in value.value if _name(node) == entry["name"]), None)
    first, last = _last_line(value) + 1, _last_line(value)
    if named is not None:
        first, last = named.start_mark.line, _last_line(named)
    return "\n".join([*lines[:first], _item(entry, indent), *lines[last + 1 :]]) + "\n"


def _section(text: str) -> tuple[yaml.Node, yaml.Node] | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    return next(((key, value) for key, value in pairs if key.value == SECTION), None)


def _name(node: yaml.Node) -> str | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value.value for key, value in pairs if key.value == "name"), None)


def _last_line(node: yaml.Node) -> int:
    """The line a node ends in. The end mark of a block stands at whatever follows it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(_last_line(child) for pair in node.value for child in pair)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return max(_last_line(child) for child in node.value)
    end: int = node.end_mark.line
    return end - 1 if node.end_mark.column == 0 and end > node.start_mark.line else end


def _item(entry: Mapping[str, Any], indent: int) -> str:
    written: str = yaml.safe_dump(dict(entry), allow_unicode=True, sort_keys=False, width=1_000)
    first, *rest = written.rstrip("\n").split("\n")
    space = " " * indent
    return "\n".join([f"{space}- {first}", *(f"{space}  {line}" for line in rest)])
