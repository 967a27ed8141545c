"""Model files: find, fetch, check and remove them. Blocking; the server calls it in a thread.

A model's files lie in ``<models directory>/<model name>/``, with a record of what they are. A file is fetched under another
name, checked and flushed to disk; only when all lacking files of the model are whole do they get their own names. So a file
which is there is whole, and what was there before stays until then.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from vivavoce.contracts.errors import NotAllowed, UnknownName
from vivavoce.services import locks, records
from vivavoce.services.disk import check_room, checksum, flush_folder, size_of, told
from vivavoce.services.downloads import discard, partial_of
from vivavoce.services.fetching import Fetch, Terms, Watch, archive_target, in_package, room_needed
from vivavoce.services.model_catalogue import CATALOGUE
from vivavoce.services.model_entries import LocalSource, ModelEntry, ModelFile, UrlSource
from vivavoce.services.recognition import ENGINES
from vivavoce.services.records import FileRecord, ModelRecord

OWN_RANK = 30
"""Rank of a model the catalogue does not know: above nothing at all, below what is known to be good."""


def directory(configured: str) -> Path:
    """The models directory: ``configured``, or ``~/.local/share/vivavoce/models`` where that is empty."""
    return Path(configured or "~/.local/share/vivavoce/models").expanduser().absolute()


def entry(model: str, models: Path | None = None) -> ModelEntry:
    """The catalogue's entry of that name, or that of a model of the person's own in ``models``. Raises UnknownName."""
    if model in CATALOGUE:
        return CATALOGUE[model]
    own = _own(model, models) if models is not None else None
    if own is None:
        close = [name for name in CATALOGUE if model.lower() in name.lower()] or list(CATALOGUE)
        raise UnknownName(f"no model is called {model!r}; there are {', '.join(close)}", code="unknown_model")
    return own


def entries(models: Path) -> tuple[ModelEntry, ...]:
    """Every model of the catalogue, then those of the person's own."""
    return (*CATALOGUE.values(), *_owned(models))


def locate(model: ModelEntry | str, models: Path) -> Path | None:
    """The file an engine is given, absolute: in the models directory or in an installed package; None if incomplete.

    Files in the directory were checked when they were put there, so only their size is looked at; files of a package
    must have the catalogue's checksum. Raises UnknownName.
    """
    wanted = entry(model, models) if isinstance(model, str) else model
    if _complete(wanted, models):
        return (models / wanted.name / wanted.files[0].name).absolute()
    if len(wanted.files) == 1:  # several files would have to lie side by side
        return in_package(wanted.files[0])
    return None


def installed(models: Path) -> tuple[ModelEntry, ...]:
    """The models whose files are all in the models directory."""
    return tuple(known for known in entries(models) if _complete(known, models))


def damaged(model: ModelEntry | str, models: Path) -> list[str]:
    """The files of an installed model that are not what they were when they were put there. Reads all of them."""
    wanted = entry(model, models) if isinstance(model, str) else model
    folder = models / wanted.name
    record = records.read(folder)
    return [file.name for file in wanted.files if not _intact(folder / file.name, file, record)]


def remove(model: ModelEntry | str, models: Path) -> bool:
    """Delete a model's files; tells whether there were any. Raises UnknownName, Unavailable if somebody fetches it now."""
    wanted = entry(model, models) if isinstance(model, str) else model
    folder = models / wanted.name
    if not folder.is_dir():
        return False
    with told(f"cannot remove {folder}"), locks.held(lock_of(wanted.name, models), wanted.name):
        shutil.rmtree(folder)
    return True


def pull(model: ModelEntry | str, models: Path, terms: Terms | None = None, watch: Watch | None = None) -> Path:
    """Fetch a model into the models directory and return the file its engine is given.

    What is there and has the right checksum stays. Raises UnknownName for a model nobody knows, NotAllowed for one whose
    licence restricts use and was not accepted, EngineMissing without a package client, Cancelled, and Unavailable if a
    file cannot be fetched, is not the one expected or finds no room, if somebody else fetches it now, or if the terms
    are offline.
    """
    wanted = entry(model, models) if isinstance(model, str) else model
    terms, watch = terms or Terms(), watch or Watch()
    folder = models / wanted.name
    main = (folder / wanted.files[0].name).absolute()
    if not _lacking(wanted, folder):
        watch.line(f"{wanted.name} is already here: {folder}")
        return main
    check_licence(wanted, terms)
    with told(f"cannot write to {folder}; set models_dir to a folder of yours"):
        models.mkdir(parents=True, exist_ok=True)
        with locks.held(lock_of(wanted.name, models), wanted.name), _folder(folder):
            _fetch(wanted, folder, terms, watch)
    watch.line(f"{wanted.name} is ready: {folder} ({wanted.licence})")
    return main


def check_licence(wanted: ModelEntry, terms: Terms) -> None:
    """Raises NotAllowed for a restricting licence that was not accepted."""
    if wanted.restricted and not terms.accept_licence:
        raise NotAllowed(
            f"{wanted.name} comes under a licence that restricts use ({wanted.licence}): {wanted.restricted} "
            "Accept it with --accept-licence",
            code="licence_not_accepted",
        )


def lock_of(name: str, models: Path) -> Path:
    """The file that is held while a model is being changed."""
    return models / f".{name}.lock"


def record_of(wanted: ModelEntry, files: dict[str, FileRecord]) -> ModelRecord:
    """What is written beside the files."""
    return ModelRecord(
        engine=wanted.engine,
        kind=wanted.kind,
        licence=wanted.licence,
        source=wanted.source,
        files=files,
        languages=wanted.languages,
        description=wanted.description,
    )


def _fetch(wanted: ModelEntry, folder: Path, terms: Terms, watch: Watch) -> None:
    lacking = _lacking(wanted, folder)  # again: somebody may just have finished it
    if not lacking:
        return
    _sweep(wanted, folder)
    check_room(folder, room_needed(lacking, folder))
    staged = Fetch(wanted, folder, terms, watch).stage(lacking)
    for file in reversed(lacking):  # the file that engines are given comes last
        partial = partial_of(folder / file.name)
        partial.chmod(0o644)
        partial.replace(folder / file.name)
        discard(folder / file.name)
    before = records.read(folder)
    kept = before.files if before is not None else {}
    whole = {file.name: staged.get(file.name) or kept.get(file.name) or _recorded(folder, file) for file in wanted.files}
    records.write(folder, record_of(wanted, whole))
    flush_folder(folder)


def _recorded(folder: Path, file: ModelFile) -> FileRecord:
    """A file that is here and has the catalogue's checksum, from before there were records."""
    return FileRecord(file.size, file.sha256 or checksum(folder / file.name), "catalogue")


def _lacking(wanted: ModelEntry, folder: Path) -> list[ModelFile]:
    record = records.read(folder)
    return [file for file in wanted.files if not _intact(folder / file.name, file, record)]


def _complete(wanted: ModelEntry, models: Path) -> bool:
    folder = models / wanted.name
    record = records.read(folder)
    return all(size_of(folder / file.name) == _size_of_record(file, record) for file in wanted.files)


def _size_of_record(file: ModelFile, record: ModelRecord | None) -> int:
    """Bytes the file has when it is whole; -1 where nobody knows."""
    known = record.files.get(file.name) if record is not None else None
    return known.size if known is not None else file.size if file.exact else -1


def _intact(path: Path, file: ModelFile, record: ModelRecord | None) -> bool:
    known = record.files.get(file.name) if record is not None else None
    expected = file.sha256 or (known.sha256 if known is not None else "")
    return bool(expected) and size_of(path) == _size_of_record(file, record) and checksum(path) == expected


def _sweep(wanted: ModelEntry, folder: Path) -> None:
    """Remove what was begun and can never be finished: the lock is ours, so nobody is at work on it."""
    ours = {file.name for file in wanted.files}
    ours |= {archive_target(file.source, folder).name for file in wanted.files if isinstance(file.source, UrlSource)}
    keep = {partial_of(folder / name).name for name in ours}
    for left in (*folder.glob(".*.partial"), *folder.glob(".*.partial.json"), *folder.glob(".*.new")):
        if left.name.removesuffix(".json") not in keep:
            left.unlink()


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """The folder of a model; one that stays empty is removed again."""
    folder.mkdir(exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty: something can be resumed, or was here before
            folder.rmdir()
        raise


def _owned(models: Path) -> Iterator[ModelEntry]:
    folders = sorted(models.iterdir()) if models.is_dir() else []
    for folder in folders:
        if folder.name not in CATALOGUE and not folder.name.startswith("."):
            own = _own(folder.name, models)
            if own is not None:
                yield own


def _own(name: str, models: Path) -> ModelEntry | None:
    """An imported model by the record beside its files."""
    if "/" in name or name.startswith("."):
        return None
    record = records.read(models / name)
    if record is None or record.engine not in ENGINES:
        return None
    files = tuple(ModelFile(file, k.sha256, k.size, LocalSource(record.source)) for file, k in record.files.items())
    return ModelEntry(
        name=name,
        engine=record.engine,
        files=files,
        licence=record.licence,
        description=record.description,
        kind=ENGINES[record.engine],
        languages=record.languages,
        rank=OWN_RANK,
    )
