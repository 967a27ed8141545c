"""The record that lies beside a model's files: what each is, and against what it was checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from vivavoce.services.disk import write_whole

NAME = ".vivavoce.json"
Check = Literal["catalogue", "hub", "import"]
"""Whose checksum a file has: the catalogue's, the hub's own, or the one taken when it was imported."""
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as it was put in place."""

    size: int
    sha256: str
    checked: Check


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model as it was put in place. The first of its files is the one its engine is given."""

    engine: str
    kind: str
    licence: str
    source: str
    files: Mapping[str, FileRecord]
    languages: tuple[str, ...] = ()
    description: str = ""


def read(folder: Path) -> ModelRecord | None:
    """The record in a model's folder; None where there is none, or none that can be read."""
    try:
        with (folder / NAME).open("rb") as stream:
            tree = json.loads(stream.read(MAX_BYTES))
        files = {str(name): FileRecord(**known) for name, known in tree.pop("files").items()}
        record = ModelRecord(**{**tree, "languages": tuple(tree["languages"])}, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # absent, or not ours: the files speak for themselves
        return None
    sound = all(Path(name).name == name and isinstance(known.size, int) for name, known in record.files.items())
    return record if sound and record.files else None


def write(folder: Path, record: ModelRecord) -> None:
    """Put a record beside the files, whole or not at all. Raises OSError."""
    write_whole(folder / NAME, (json.dumps(asdict(record), indent=2) + "\n").encode())
