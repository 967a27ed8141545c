"""The configuration for people and machines: as YAML with origins, as plain data, and as the generated reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from vivavoce.config.load import Loaded, variable
from vivavoce.config.schema import MISSING, Setting, bounds, describe, hide, is_options, settings_of, walk
from vivavoce.config.settings import Settings


def plain(value: Any, path: str = "") -> Any:
    """Options as mappings, lists and scalars; secrets hidden."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name: plain(getattr(value, item.name), f"{path}.{item.name}" if path else item.name)
            for item in dataclasses.fields(value)
        }
    if isinstance(value, list | tuple):
        return [plain(child, path) for child in value]
    if isinstance(value, Mapping):
        return {str(name): plain(child, f"{path}.{name}") for name, child in value.items()}
    shown = hide(path, value)
    return shown if shown is None or isinstance(shown, str | int | float | bool) else str(shown)


def as_yaml(loaded: Loaded, *, origin: bool) -> str:
    """All settings as YAML that could be written to a file; with ``origin`` each line says where its value was set."""
    return "\n".join(_lines(plain(loaded.settings), loaded, "", 0, origin)) + "\n"


def _lines(tree: dict[str, Any], loaded: Loaded, prefix: str, depth: int, origin: bool) -> Iterator[str]:
    indent = "  " * depth
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, loaded, f"{path}.", depth + 1, origin)
        else:
            text = f"{indent}{name}: {_flow(value)}"
            yield f"{text:<48}  # {loaded.origin(path)}" if origin else text


def as_data(loaded: Loaded) -> dict[str, Any]:
    """Settings, the origin of every value that is not a default, and the files read."""
    origins = {
        path: {"layer": origin.layer, "source": origin.source, "line": origin.line}
        for path, origin in loaded.origins.items()
    }
    files = [{"layer": place.layer, "path": str(place.path)} for place in loaded.files]
    return {"settings": plain(loaded.settings), "origins": origins, "files": files}


def find(path: str) -> tuple[Setting, ...]:
    """The setting at a dotted path, or every setting under a section; all of them for an empty path."""
    everything = tuple(walk(Settings))
    return tuple(item for item in everything if not path or item.path == path or item.path.startswith(f"{path}."))


def explain(setting: Setting, loaded: Loaded) -> dict[str, Any]:
    """Everything there is to say about one setting."""
    value: Any = loaded.settings
    for name in setting.path.split("."):
        value = getattr(value, name)
    return {
        "key": setting.path,
        "type": describe(setting.annotation),
        "range": bounds(setting),
        "default": plain(setting.default, setting.path),
        "value": plain(value, setting.path),
        "origin": str(loaded.origin(setting.path)),
        "environment": variable(setting.path),
        "help": setting.doc,
    }


def reference() -> str:
    """The configuration reference in Markdown, from the option dataclasses."""
    lines = [
        "# Configuration reference",
        "",
        "Every setting with its type, default and range. This page is generated from the option dataclasses by",
        "`vivavoce config reference`; edit those, not this. How the layers work is in the",
        "[configuration guide](../guides/configure.md).",
        "",
        "Durations are seconds unless the text says otherwise. Each setting has an environment variable:",
        "`VIVAVOCE_` and its key in capitals, `__` for each dot (`server.port` is `VIVAVOCE_SERVER__PORT`).",
        "",
        *_section("Top level", "", Settings),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _section(title: str, prefix: str, options: type, doc: str = "") -> Iterator[str]:
    settings = settings_of(options, prefix)
    yield from (f"## {title}", "")
    if doc:
        yield from (doc, "")
    values = [setting for setting in settings if not setting.section]
    if values:
        yield from ("| key | type | default | meaning |", "| --- | --- | --- | --- |")
        yield from (_row(setting) for setting in values)
        yield ""
    for setting in settings:
        if setting.section:
            yield from _section(
                f"`{setting.path}`", setting.path, setting.section, setting.doc or _sentence(setting.section)
            )
        elif item := _item_options(setting.annotation):
            yield from _section(f"`{setting.path}[]`", f"{setting.path}[]", item, _sentence(item))


def _row(setting: Setting) -> str:
    kind = ", ".join(filter(None, (describe(setting.annotation), bounds(setting))))
    default = "required" if setting.default is MISSING else f"`{_default(setting)}`"
    return f"| `{setting.path}` | {kind} | {default} | {setting.doc.replace('|', '/')} |".replace("  |", " |")


def _default(setting: Setting) -> str:
    return _flow(plain(setting.default, setting.path))


def _flow(value: Any) -> str:
    """A value as YAML in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip()


def _item_options(annotation: Any) -> type | None:
    arguments = getattr(annotation, "__args__", ())
    return arguments[0] if arguments and is_options(arguments[0]) else None


def _sentence(options: type) -> str:
    return " ".join((options.__doc__ or "").split("\n\n")[0].replace("``", "`").split())
