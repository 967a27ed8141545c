"""From nodes to frozen options: every value is typed and bounded, every unknown key refused with a suggestion."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from vivavoce.config.files import parse_yaml
from vivavoce.config.nodes import Node, Origin
from vivavoce.config.schema import MISSING, Setting, bounds, describe, hide, is_options, settings_of, walk
from vivavoce.contracts.errors import ConfigurationError, VivavoceError

T = TypeVar("T")
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class _Wrong(Exception):  # noqa: N818 - never leaves this file; carries what is wrong without the place
    """A value that does not fit."""


class Builder:
    """Builds option dataclasses and remembers every problem and the origin of every value that was set."""

    def __init__(self, root: type) -> None:
        self._root = root
        self.problems: list[str] = []
        self.origins: dict[str, Origin] = {}

    def build(self, node: Node) -> Any:
        """The options of ``node``. Raises ConfigurationError naming every problem, one a line."""
        built = self._options(self._root, node, "")
        if self.problems:
            raise ConfigurationError("\n".join(self.problems))
        return built

    def _options(self, options: type, node: Node, path: str) -> Any:
        if node.content is None or node.content == "":
            node = Node({}, node.origin)
        if not isinstance(node.content, dict):
            return self._problem(node, path, f"is a section, not {_shown(path, node.content)}; write its settings below it")
        settings = {setting.path.rpartition(".")[2]: setting for setting in settings_of(options, path)}
        for name, child in node.content.items():
            if name not in settings:
                self._unknown(name, child, path, tuple(settings))
        values = {
            name: self._value(node.content[name], setting) for name, setting in settings.items() if name in node.content
        }
        missing = [name for name, setting in settings.items() if setting.default is MISSING and name not in values]
        if missing:
            return self._problem(node, path, f"needs {', '.join(missing)}")
        if any(value is _INVALID for value in values.values()):
            return _INVALID
        try:
            return options(**values)
        except VivavoceError as error:  # options check what one field alone cannot say
            return self._problem(node, path, error.message)
        except ValueError as error:
            return self._problem(node, path, str(error))

    def _value(self, node: Node, setting: Setting) -> Any:
        if is_options(setting.annotation):
            return self._options(setting.annotation, node, setting.path)
        try:
            value = self._convert(node, setting.annotation, setting)
        except _Wrong as wrong:
            return self._problem(node, setting.path, str(wrong))
        self.origins[setting.path] = node.origin
        return value

    def _convert(self, node: Node, annotation: Any, setting: Setting) -> Any:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if isinstance(annotation, types.UnionType) or origin is typing.Union:
            return self._union(node, arguments, setting)
        if origin is tuple:
            items = self._items(node, annotation, setting)
            return tuple(self._item(item, arguments[0], setting, index) for index, item in enumerate(items))
        if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
            opened = _opened(node, setting)
            if not isinstance(opened.content, dict):
                raise _Wrong(f"must be a mapping, not {_shown(setting.path, opened.content)}")
            return {
                name: self._convert(child, arguments[1], _below(setting, name)) for name, child in opened.content.items()
            }
        return _scalar(node, annotation, setting)

    def _items(self, node: Node, annotation: Any, setting: Setting) -> list[Node]:
        """Text is split at commas, unless it is written as a YAML list."""
        if node.text and isinstance(node.content, str) and not node.content.lstrip().startswith(("[", "{")):
            return [Node(part.strip(), node.origin, text=True) for part in node.content.split(",") if part.strip()]
        opened = _opened(node, setting)
        if not isinstance(opened.content, list):
            raise _Wrong(f"must be {_a(annotation)}, not {_shown(setting.path, opened.content)}")
        return opened.content

    def _item(self, node: Node, annotation: Any, setting: Setting, index: int) -> Any:
        if is_options(annotation):
            return self._options(annotation, _opened(node, setting), f"{setting.path}[{index}]")
        return self._convert(node, annotation, setting)

    def _union(self, node: Node, choices: tuple[Any, ...], setting: Setting) -> Any:
        absent = node.content is None or (node.text and str(node.content).lower() in ("", "none", "null"))
        if types.NoneType in choices:
            if absent:
                return None
            choices = tuple(choice for choice in choices if choice is not types.NoneType)
        if len(choices) == 1:
            return self._convert(node, choices[0], setting)
        plain = _opened(node, setting) if node.text else node
        if type(plain.content) in choices:
            return plain.content
        if str in choices and node.text:
            return node.content
        expected = " or ".join(_a(choice) for choice in choices)
        raise _Wrong(f"must be {expected}, not {_shown(setting.path, node.content)}")

    def _unknown(self, name: str, node: Node, path: str, known: tuple[str, ...]) -> None:
        close = difflib.get_close_matches(name, known, 1, 0.6)
        elsewhere = [setting.path for setting in walk(self._root) if setting.path.endswith(f".{name}")]
        if close:
            hint = f"did you mean {close[0]!r}?"
        elif elsewhere:
            hint = f"did you mean {' or '.join(elsewhere[:3])}?"
        else:
            hint = f"there is {', '.join(known)}"
        where = f" in {path!r}" if path else ""
        self.problems.append(f"{node.origin}: unknown key {name!r}{where}; {hint}")

    def _problem(self, node: Node, path: str, text: str) -> Any:
        self.problems.append(f"{node.origin}: {path or 'the configuration'} {text}")
        return _INVALID


_INVALID: Any = object()


def _opened(node: Node, setting: Setting) -> Node:
    """Text of the environment or a flag, read as YAML, so that lists and mappings can be given there."""
    if not node.text or not isinstance(node.content, str):
        return node
    try:
        parsed = parse_yaml(node.content, node.origin.layer, node.origin.source, lines=False)
    except ConfigurationError as error:
        raise _Wrong(f"cannot be read: {_shown(setting.path, node.content)} is not YAML") from error
    return parsed


def _scalar(node: Node, annotation: Any, setting: Setting) -> Any:
    value = _from_text(str(node.content), annotation) if node.text else node.content
    shown = _shown(setting.path, node.content)
    if typing.get_origin(annotation) is typing.Literal:
        return _literal(value, annotation, shown)
    if annotation is float and type(value) is int:
        value = float(value)
    if annotation is Path and isinstance(value, str):
        return Path(value).expanduser()
    if type(value) is not annotation:
        quote = "; put it in quotes" if annotation is str and isinstance(value, int | float | bool) else ""
        limits = f" ({bounds(setting)})" if annotation in (int, float) and bounds(setting) else ""
        raise _Wrong(f"must be {_a(annotation)}{limits}, not {shown}{quote}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        _within(value, setting, shown)
    return value


def _from_text(text: str, annotation: Any) -> Any:
    """A value of the environment or a flag; what cannot be read stays text and is refused by its type."""
    if annotation is bool:
        word = text.strip().lower()
        return word in TRUE if word in TRUE + FALSE else text
    if annotation in (int, float):
        try:
            return annotation(text.strip())
        except ValueError:
            return text
    if typing.get_origin(annotation) is typing.Literal:
        return next((choice for choice in typing.get_args(annotation) if str(choice) == text.strip()), text)
    return text


def _literal(value: Any, annotation: Any, shown: str) -> Any:
    allowed = typing.get_args(annotation)
    if value in allowed and type(value) in {type(choice) for choice in allowed}:
        return value
    close = difflib.get_close_matches(str(value), [str(choice) for choice in allowed], 1, 0.6)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise _Wrong(f"must be {describe(annotation)}, not {shown}{hint}")


def _within(value: float, setting: Setting, shown: str) -> None:
    too_low = setting.low is not None and value < setting.low
    too_high = setting.high is not None and value > setting.high
    if not math.isfinite(value) or too_low or too_high:
        raise _Wrong(f"must be {bounds(setting) or 'finite'}, not {shown}")


def _a(annotation: Any) -> str:
    """An annotation in a sentence."""
    words = describe(annotation)
    return f"a {words}" if words.startswith(("whole", "number", "list", "mapping", "section")) else words


def _below(setting: Setting, name: str) -> Setting:
    return dataclasses.replace(setting, path=f"{setting.path}.{name}", low=None, high=None)


def _shown(path: str, content: Any) -> str:
    """A bad value for a message: short, and never a secret."""
    if content is None:
        return "nothing"
    if isinstance(content, list):
        return "a list"
    if isinstance(content, dict):
        return "a mapping"
    text = repr(hide(path, content))
    return text if len(text) <= 60 else text[:57] + "…'"
