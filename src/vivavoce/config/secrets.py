"""The user's secrets: a file only its owner can read, weaker than every other layer."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import yaml

from vivavoce.config import files
from vivavoce.config.nodes import Node, Origin
from vivavoce.contracts.errors import ConfigurationError

NAME = "secrets.yaml"
HEAD = "# Keys of providers, by name. Written by `vivavoce connect`; nobody but you may read it.\n"


def read(directory: Path) -> Node:
    """The keys as a layer; empty where there is no file. Raises ConfigurationError, also where others can read it."""
    path = directory / NAME
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Node({}, Origin("user", str(path)))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}", cause=error) from error
    if os.name == "posix" and stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigurationError(f"{path}: others can read it (mode {stat.S_IMODE(found.st_mode):o}); chmod 600 {path}")
    node = files.read(path, "user")
    if not isinstance(node.content, dict) or set(node.content) - {"keys"}:
        raise ConfigurationError(f"{path}: may hold nothing but keys, by the name of the provider")
    return node


def write_key(directory: Path, name: str, key: str) -> Path:
    """Keep one key, beside those there are. Raises ConfigurationError, OSError."""
    node = read(directory)
    content = node.content if isinstance(node.content, dict) else {}
    there = content["keys"].content if "keys" in content else {}
    keys = {one: str(child.content) for one, child in there.items()} if isinstance(there, dict) else {}
    text = HEAD + yaml.safe_dump({"keys": {**keys, name: key}}, allow_unicode=True, sort_keys=False)
    path = directory / NAME
    write_private(path, text)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
