"""What can be set, read off the option dataclasses: types, defaults, bounds and the sentence under each field."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import sys
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MISSING = dataclasses.MISSING
_SECRET = ("key", "keys", "secret", "secrets", "password", "credential")
_SECRET_TEXT = ("token", "tokens")
"""Secrets where they are text; `max_tokens` and `first_token` are numbers."""
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Setting:
    """One field. ``low`` and ``high`` bound numbers; a number without a stated lower bound must not be negative."""

    path: str
    annotation: Any
    default: Any
    doc: str
    low: float | None
    high: float | None

    @property
    def section(self) -> type | None:
        """The dataclass of a nested section, or None for a value."""
        return self.annotation if is_options(self.annotation) else None


def is_options(annotation: Any) -> bool:
    """Whether an annotation is an option dataclass."""
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)


def is_secret(path: str, value: Any) -> bool:
    """Whether the last word of a name is key, secret or password, or it is token and the value is text.

    What stands in a mapping of secrets (``keys.openai``) is one.
    """
    above, _, last = path.rpartition(".")
    if above.rpartition(".")[2].lower() in _SECRET:
        return True
    word = last.lower().rpartition("_")[2]
    return word in _SECRET or (word in _SECRET_TEXT and isinstance(value, str))


def hide(path: str, value: Any) -> Any:
    """``value`` as it may be shown: secrets become ``***``, at any depth."""
    if isinstance(value, Mapping):
        return {name: hide(f"{path}.{name}", child) for name, child in value.items()}
    if isinstance(value, list | tuple):
        return [hide(path, child) for child in value]
    return HIDDEN if value not in ("", None) and is_secret(path, value) else value


@functools.cache
def settings_of(options: type, prefix: str = "") -> tuple[Setting, ...]:
    """The fields of one option dataclass, in order."""
    hints = typing.get_type_hints(options)
    docs = _docs(options)
    found = []
    for item in dataclasses.fields(options):
        default = item.default
        if default is MISSING and item.default_factory is not MISSING:
            default = item.default_factory()
        low, high = item.metadata.get("min", 0), item.metadata.get("max")
        path = f"{prefix}.{item.name}" if prefix else item.name
        found.append(Setting(path, hints[item.name], default, docs.get(item.name, ""), low, high))
    return tuple(found)


def walk(options: type, prefix: str = "") -> Iterator[Setting]:
    """Every setting of a tree, sections before what is in them."""
    for setting in settings_of(options, prefix):
        yield setting
        if setting.section:
            yield from walk(setting.section, setting.path)


def describe(annotation: Any) -> str:
    """An annotation in words: ``number``, ``one of auto, manual``, ``list of text``."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        words = [describe(choice) for choice in typing.get_args(annotation)]
        return "text, number, or true or false" if len(words) > 3 else " or ".join(words)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {describe(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping to {describe(arguments[1])}"
    if is_options(annotation):
        return "section"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def bounds(setting: Setting) -> str:
    """The range of a number in words, or empty."""
    if not _numeric(setting.annotation):
        return ""
    if setting.high is None:
        return "" if setting.low is None else f"at least {setting.low:g}"
    return f"at most {setting.high:g}" if setting.low is None else f"{setting.low:g} to {setting.high:g}"


def _numeric(annotation: Any) -> bool:
    choices = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return any(choice in (int, float) for choice in choices) and str not in choices


def _docs(options: type) -> dict[str, str]:
    """The string literals that stand under the fields of a class."""
    try:
        lines, _ = inspect.getsourcelines(options)
    except (OSError, TypeError):  # a class made without a file has no sentences
        return {}
    body = ast.parse(textwrap.dedent("".join(lines))).body[0]
    assert isinstance(body, ast.ClassDef), sys.modules[options.__module__]
    found: dict[str, str] = {}
    for item, below in zip(body.body, [*body.body[1:], None], strict=True):
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            found[item.target.id] = " ".join(below.value.value.replace("``", "`").split())
    return found
