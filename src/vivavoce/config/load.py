"""Reads the layers in order and builds the settings: defaults < system < user < project < file < environment < flags."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vivavoce.config import files, secrets
from vivavoce.config.build import Builder
from vivavoce.config.nodes import DEFAULT, Layer, Node, Origin, merge, nest
from vivavoce.config.schema import walk
from vivavoce.config.settings import Settings
from vivavoce.contracts.errors import ConfigurationError

PREFIX = "VIVAVOCE_"
KEYS = f"{PREFIX}KEYS__"
"""Environment variables that hold a key; the rest of the name is the provider's."""
SYSTEM_DIRECTORY = Path("/etc/vivavoce")


@dataclass(frozen=True, slots=True)
class Place:
    """A file that may hold configuration."""

    layer: Layer
    path: Path


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What loading sees of the world; the tests give their own."""

    environ: Mapping[str, str]
    directory: Path
    home: Path
    system: Path = SYSTEM_DIRECTORY

    @classmethod
    def real(cls) -> Surroundings:
        """This process's environment and directories."""
        return cls(dict(os.environ), Path.cwd(), Path.home())

    @property
    def user(self) -> Path:
        """The user's directory of configuration."""
        xdg = self.environ.get("XDG_CONFIG_HOME", "")
        return (Path(xdg) if xdg.startswith("/") else self.home / ".config") / "vivavoce"

    def places(self) -> list[Place]:
        """Where configuration is looked for, weakest first."""
        return [
            *(Place("system", self.system / f"config{suffix}") for suffix in files.SUFFIXES),
            *(Place("user", self.user / f"config{suffix}") for suffix in files.SUFFIXES),
            *(Place("project", self.directory / f"{dot}vivavoce{suffix}") for dot in ("", ".") for suffix in files.SUFFIXES),
        ]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, where each value that is not a default was set, and the files that were read."""

    settings: Settings
    origins: Mapping[str, Origin]
    files: tuple[Place, ...]
    user: Path = Path("~/.config/vivavoce")
    """The user's directory of configuration."""

    @property
    def keys_file(self) -> Path:
        """Where the hashes of API keys are kept."""
        configured = self.settings.server.keys_file
        return (Path(configured) if configured else self.user / "keys.json").expanduser().absolute()

    def origin(self, path: str) -> Origin:
        """Where the value at a dotted path comes from."""
        return self.origins.get(path, DEFAULT)


def load(
    *,
    file: Path | None = None,
    flags: Sequence[tuple[str, str, str]] = (),
    surroundings: Surroundings | None = None,
) -> Loaded:
    """Merge all layers.

    ``file`` is read behind the project's file and must exist. ``flags`` are (dotted path, text, how the flag is called),
    the later one wins. Raises ConfigurationError that names every wrong value with its place.
    """
    around = surroundings or Surroundings.real()
    found = _existing(around.places())
    if file is not None:
        found.append(Place("file", file))
    nodes = [secrets.read(around.user), *(files.read(place.path, place.layer) for place in found)]
    nodes += [_environment(around.environ), *(_flag(*flag) for flag in flags)]
    settings, origins = _build(nodes)
    return Loaded(settings, origins, tuple(found), around.user)


def check(file: Path) -> Settings:
    """Build the settings of one file alone. Raises ConfigurationError."""
    return _build([files.read(file, "file")])[0]


def parse_flag(text: str) -> tuple[str, str, str]:
    """``server.port=9000`` as given to ``--set``. Raises ConfigurationError."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise ConfigurationError(f"--set {text}: write it as KEY=VALUE, for example --set server.port=9000")
    return path.strip(), value, f"--set {path.strip()}"


def _build(nodes: Iterable[Node]) -> tuple[Settings, dict[str, Origin]]:
    merged = Node({}, DEFAULT)
    for node in nodes:
        if not isinstance(node.content, dict):
            raise ConfigurationError(f"{node.origin}: a configuration is a mapping of sections; see `vivavoce config show`")
        merged = merge(merged, node)
    builder = Builder(Settings)
    settings: Settings = builder.build(merged)
    return settings, builder.origins


def _existing(places: Iterable[Place]) -> list[Place]:
    """The files that are there. Raises ConfigurationError where one layer has two: nobody could say which one counts."""
    found: dict[Layer, Place] = {}
    for place in places:
        try:
            there = place.path.stat() is not None
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigurationError(f"{place.path}: cannot be read: {error.strerror}", cause=error) from error
        if there and place.layer in found:
            raise ConfigurationError(f"{found[place.layer].path} and {place.path} both exist; keep one of them")
        found[place.layer] = place
    return list(found.values())


def _environment(environ: Mapping[str, str]) -> Node:
    """``VIVAVOCE_SERVER__PORT`` is ``server.port``."""
    known = {variable(setting.path): setting.path for setting in walk(Settings) if not setting.section}
    merged = Node({}, Origin("environment"))
    problems = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        if name.startswith(KEYS):
            origin = Origin("environment", name)
            merged = merge(merged, nest(("keys", _key_name(name)), Node(environ[name], origin)))
            continue
        if name not in known:
            close = difflib.get_close_matches(name, known, 1, 0.6)
            hint = f"did you mean {close[0]}?" if close else "`vivavoce config explain` lists the settings"
            problems.append(f"{name}: no setting has this environment variable; {hint}")
            continue
        origin = Origin("environment", name)
        merged = merge(merged, nest(tuple(known[name].split(".")), Node(environ[name], origin, text=True)))
    if problems:
        raise ConfigurationError("\n".join(problems))
    return merged


def _key_name(variable_name: str) -> str:
    """``VIVAVOCE_KEYS__MY_SERVER`` is the key of ``my_server``, and of ``my-server``, which no variable could name."""
    return variable_name.removeprefix(KEYS).lower()


def variable(path: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + path.upper().replace(".", "__")


def _flag(path: str, value: str, name: str) -> Node:
    return nest(tuple(path.split(".")), Node(value, Origin("flag", name), text=True))
