"""Brings in a model from this machine: a file, a folder or an archive, recognised by its files."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from vivavoce.contracts.errors import InvalidRequest, UnknownName
from vivavoce.services import archives, locks, records
from vivavoce.services.disk import check_room, checksum, copy, flush_folder, size_of, told
from vivavoce.services.model_catalogue import CATALOGUE
from vivavoce.services.model_entries import ModelEntry
from vivavoce.services.models import entry, locate, lock_of
from vivavoce.services.recognition import ENGINES, Recognised, recognise
from vivavoce.services.records import FileRecord, ModelRecord

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
MAX_FILES = 10_000
"""Files looked at in a folder."""

Progress = Callable[[str], None]


def import_model(
    path: Path, models: Path, *, name: str = "", engine: str = "", progress: Progress = lambda line: None
) -> ModelEntry:
    """Copy a model into the models directory, whole or not at all, and return its entry.

    A model of the catalogue is known by its files and gets its name; any other gets ``name``, or one made from its files.
    Raises InvalidRequest for what is not recognised, for a name that is taken or cannot be a folder, and for files that are
    not those of the catalogue's model ``name``; Unavailable where there is no room or it cannot be written.
    """
    if engine and engine not in ENGINES:
        raise UnknownName(f"no engine {engine!r} takes model files; there are {', '.join(ENGINES)}")
    if name and (not NAME.fullmatch(name) or archives.is_archive(name)):
        raise InvalidRequest(f"{name!r} cannot be the name of a model: letters, digits and . _ - + only")
    if not path.exists():
        raise InvalidRequest(f"there is nothing at {path}")
    with told(f"cannot import {path}"):
        models.mkdir(parents=True, exist_ok=True)
        with _unpacked(path, models) as folder:
            found = _found(folder, path, engine)
            return _place(folder, found, models, name or _name(folder, found, path), (path, progress))


def _place(folder: Path, found: Recognised, models: Path, name: str, where: tuple[Path, Progress]) -> ModelEntry:
    source, progress = where
    sums = {file: FileRecord(size_of(folder / file) or 0, checksum(folder / file), "import") for file in found.files}
    record = _record(name, found, sums, source)
    with locks.held(lock_of(name, models), name):
        if _is_here(name, models):
            raise InvalidRequest(f"{name} is here already; `vivavoce models remove {name}` first, or choose another --name")
        check_room(models, sum(known.size for known in sums.values()))
        with tempfile.TemporaryDirectory(prefix=".import-", dir=models) as place:
            fresh = Path(place, name)
            fresh.mkdir()
            for file, known in record.files.items():
                progress(f"copying {file} ({known.size / 1e6:.1f} MB)")
                copy(folder / file, fresh / file)
                if checksum(fresh / file) != known.sha256:
                    raise InvalidRequest(f"{file} changed while it was copied; try again")
            records.write(fresh, record)
            target = models / name
            if target.is_dir():  # incomplete: the rest of a download that was never finished
                shutil.rmtree(target)
            fresh.replace(target)
        flush_folder(models)
    return entry(name, models)


def _is_here(name: str, models: Path) -> bool:
    try:
        known = entry(name, models)
    except UnknownName:
        return (models / name).exists()
    return locate(known, models) is not None and (models / name).is_dir()


def _record(name: str, found: Recognised, sums: dict[str, FileRecord], source: Path) -> ModelRecord:
    """What is written beside the files. Raises InvalidRequest where the name is one of the catalogue's and they are not."""
    known = CATALOGUE.get(name)
    if known is not None:
        wrong = _differing(known, sums)
        if wrong:
            raise InvalidRequest(
                f"{', '.join(wrong)}: not as in the model {name} of the catalogue; choose another --name, or another file"
            )
        files = {file.name: sums[file.name] for file in known.files}
        return ModelRecord(known.engine, known.kind, known.licence, str(source), files, known.languages, known.description)
    return ModelRecord(
        engine=found.engine,
        kind=ENGINES[found.engine],
        licence="as you have it",
        source=str(source),
        files=sums,
        languages=_languages(found),
        description=f"Imported from {source}.",
    )


def _differing(known: ModelEntry, sums: dict[str, FileRecord]) -> list[str]:
    """Files of the catalogue's model that are missing or others."""
    wrong = []
    for file in known.files:
        have = sums.get(file.name)
        same = have is not None and (have.size == file.size or not file.exact) and file.sha256 in (None, have.sha256)
        if not same:
            wrong.append(file.name)
    return wrong


def _name(folder: Path, found: Recognised, path: Path) -> str:
    """The catalogue's model these files are, or a name made from the engine and the file, folder or archive."""
    sums = {file: FileRecord(size_of(folder / file) or 0, "", "import") for file in found.files}
    for known in CATALOGUE.values():
        names = [file for file in known.files if file.name in sums]
        likely = known.engine == found.engine and len(names) == len(known.files)
        if likely and all(sums[f.name].size == f.size or not f.exact for f in names):
            sums = {name: FileRecord(k.size, k.sha256 or checksum(folder / name), "import") for name, k in sums.items()}
            if not _differing(known, sums):
                return known.name
    stem = path.name
    for suffix in (*archives.SUFFIXES, ".onnx.json", ".onnx"):
        stem = stem.removesuffix(suffix)
    made = re.sub(r"[^A-Za-z0-9._+-]+", "-", stem if stem.startswith(found.engine) else f"{found.engine}-{stem}")[:100]
    if made in CATALOGUE:
        made = f"{made[:95]}-own"
    return made


def _languages(found: Recognised) -> tuple[str, ...]:
    """From the name of a Piper voice (``en_US-…``); unknown for the rest."""
    tag = re.match(r"([a-z]{2,3})_([A-Z]{2})-", found.files[0])
    return (f"{tag[1]}-{tag[2]}",) if tag else ()


def _found(folder: Path, path: Path, engine: str) -> Recognised:
    names = [item.name for item in folder.iterdir() if item.is_file() and not item.name.startswith(".")]
    found = recognise(names, engine)
    if path.is_file() and not archives.is_archive(path):
        alone = recognise([name for name in names if name in (path.name, f"{path.name}.json")], engine)
        found = alone or (found if found is not None and path.name in found.files else None)
    if found is None:
        for_engine = f" for {engine}" if engine else ""
        raise InvalidRequest(
            f"{path} is not recognised as a model{for_engine}: its files are {', '.join(sorted(names)[:20]) or 'none'}. "
            f"Name the engine with --engine ({', '.join(ENGINES)}), or see docs/guides/models.md for what each needs"
        )
    return found


@contextlib.contextmanager
def _unpacked(path: Path, models: Path) -> Iterator[Path]:
    """The folder the files lie in: the path itself, the file's own folder, or a fresh one for an archive."""
    if path.is_dir():
        yield _innermost(path)
    elif archives.is_archive(path):
        check_room(models, size_of(path) or 0)
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=models) as place:
            free = shutil.disk_usage(models).free
            archives.unpack(path, lambda member: Path(place, member), archives.Limits(MAX_FILES, free))
            yield _innermost(Path(place))
    else:
        yield path.parent


def _innermost(folder: Path) -> Path:
    """Archives have their files in a folder of their own: go down while a folder holds nothing but one folder."""
    for _ in range(8):
        items = [item for item in folder.iterdir() if not item.name.startswith(".")]
        if len(items) != 1 or not items[0].is_dir():
            break
        folder = items[0]
    return folder
