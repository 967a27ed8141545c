"""Model files: find, fetch, check and remove them. Blocking; for the command line and for setting up.

A model's files lie in ``<models directory>/<model name>/``. A file is fetched under another name, checked, flushed to disk
and only then renamed to its own, so that a file which is there is whole.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vivavoce.contracts.errors import EngineMissing, Unavailable, UnknownName
from vivavoce.services.model_catalogue import CATALOGUE, ModelEntry, ModelFile, PackageSource

Progress = Callable[[str], None]
"""Told what is being done, one line at a time."""

_PARTIAL = ".partial"
_STALE = 86_400.0
"""Seconds after which an unfinished file belongs to nobody."""
_CLIENT_TIMEOUT = 900.0
_BLOCK = 1 << 20


def directory(configured: str) -> Path:
    """The models directory: ``configured``, or ``~/.local/share/vivavoce/models`` where that is empty."""
    return Path(configured or "~/.local/share/vivavoce/models").expanduser().absolute()


def entry(model: str) -> ModelEntry:
    """The catalogue's entry of that name. Raises UnknownName."""
    if model not in CATALOGUE:
        raise UnknownName(f"no model is called {model!r}; there are {', '.join(CATALOGUE)}")
    return CATALOGUE[model]


def locate(model: ModelEntry | str, models: Path) -> Path | None:
    """The file an engine is given, absolute: in the models directory or in an installed package; None if incomplete.

    Files in the directory were checked when they were put there, so only their size is looked at; files of a package
    must have the catalogue's checksum. Raises UnknownName.
    """
    wanted = entry(model) if isinstance(model, str) else model
    if _complete(wanted, models):
        return (models / wanted.name / wanted.files[0].name).absolute()
    if len(wanted.files) == 1:  # several files would have to lie side by side
        return _in_package(wanted.files[0])
    return None


def installed(models: Path) -> tuple[ModelEntry, ...]:
    """The models whose files are all in the models directory."""
    return tuple(known for known in CATALOGUE.values() if _complete(known, models))


def remove(model: ModelEntry | str, models: Path) -> bool:
    """Delete a model's files; tells whether there were any. Raises UnknownName."""
    wanted = entry(model) if isinstance(model, str) else model
    folder = models / wanted.name
    if not folder.is_dir():
        return False
    with _told(f"cannot remove {folder}"):
        shutil.rmtree(folder)
    return True


def pull(model: ModelEntry | str, models: Path, *, progress: Progress = lambda line: None) -> Path:
    """Fetch a model into the models directory and return the file its engine is given.

    What is there and has the right checksum stays. Raises UnknownName for a model nobody knows, EngineMissing without a
    package client, Unavailable if the file cannot be fetched, is not the one expected or finds no room.
    """
    wanted = entry(model) if isinstance(model, str) else model
    folder = models / wanted.name
    lacking = [file for file in wanted.files if not _intact(folder / file.name, file)]
    if not lacking:
        progress(f"{wanted.name} is already here: {folder}")
        return (folder / wanted.files[0].name).absolute()
    with _told(f"cannot write to {folder}; set models_dir to a folder of yours"):
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(folder, lacking)
        _fetch(lacking, folder, progress)
    progress(f"{wanted.name} is ready: {folder} ({wanted.licence})")
    return (folder / wanted.files[0].name).absolute()


def _complete(wanted: ModelEntry, models: Path) -> bool:
    return all(_size(models / wanted.name / file.name) == file.size for file in wanted.files)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # absent or not to be read: either way it is not here
        return None


def _intact(path: Path, file: ModelFile) -> bool:
    return _size(path) == file.size and _checksum(path) == file.sha256


def _checksum(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _in_package(file: ModelFile) -> Path | None:
    try:
        path = Path(str(importlib.metadata.distribution(file.source.package).locate_file(file.source.path)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path.absolute() if _intact(path, file) else None


def _check_room(folder: Path, files: list[ModelFile]) -> None:
    needed, free = sum(file.size for file in files), shutil.disk_usage(folder).free
    if free < needed + _BLOCK:
        message = f"{folder} has room for {free / 1e6:.1f} MB and {needed / 1e6:.1f} are needed: make room or set models_dir"
        raise Unavailable(message, retryable=False)


def _fetch(files: list[ModelFile], folder: Path, progress: Progress) -> None:
    """Put the files in place, each package unpacked once; the file that engines are given comes last."""
    unpacked: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory(prefix="vivavoce-") as target:
        for file in reversed(files):
            found = _in_package(file)
            package = (file.source.package, file.source.version)
            if found is None and package not in unpacked:
                _install(file.source, Path(target), progress)
                unpacked.add(package)
            _place(found or Path(target, file.source.path), folder, file)


def _install(source: PackageSource, target: Path, progress: Progress) -> None:
    """Let the first package client that manages it unpack the package into ``target``, without its dependencies."""
    wanted = f"{source.package}=={source.version}"
    faults: list[str] = []
    for name, command in _clients(target):
        progress(f"fetching {wanted} with {name}")
        fault = _attempt([*command, wanted])
        if not fault:
            return
        faults.append(f"{name}: {fault}")
    if not faults:
        raise EngineMissing("no package client is here: install uv, or pip for this Python (apt-get install python3-pip)")
    raise Unavailable(f"cannot fetch {wanted}. Tried {'; '.join(faults)}")


def _clients(target: Path) -> Iterator[tuple[str, list[str]]]:
    """Package clients by name. Only wheels are taken: building a package would run its code."""
    options = ["install", "--no-deps", "--only-binary", ":all:", "--target", str(target)]
    uv = shutil.which("uv")
    if uv:
        yield "uv", [uv, "pip", *options, "--python", sys.executable]
    base = str(getattr(sys, "_base_executable", sys.executable))  # an environment made by uv has no pip of its own
    for python in dict.fromkeys((sys.executable, base)):
        if _attempt([python, "-m", "pip", "--version"]) == "":
            yield f"{python} -m pip", [python, "-m", "pip", *options, "--no-input", "--disable-pip-version-check"]


def _attempt(command: list[str]) -> str:
    """Run a client; returns what went wrong in a line, empty if nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_CLIENT_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return f"no end after {_CLIENT_TIMEOUT:.0f} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return " ".join((done.stderr or done.stdout).split())[-400:] or f"exit status {done.returncode}"


def _place(source: Path, folder: Path, file: ModelFile) -> None:
    """Copy, check, flush, rename. Whatever happens, no half file keeps the name."""
    if not source.is_file():
        raise Unavailable(
            f"the package {file.source.package} {file.source.version} has no {file.source.path}", retryable=False
        )
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{file.name}.", suffix=_PARTIAL, delete=False) as stream:
        partial = Path(stream.name)
        try:
            _sweep(folder, partial)
            with source.open("rb") as original:
                shutil.copyfileobj(original, stream, _BLOCK)
            stream.flush()
            os.fsync(stream.fileno())
            if not _intact(partial, file):
                message = f"{file.name} from {file.source.package} {file.source.version} is not the file expected (checksum)"
                raise Unavailable(message, retryable=False)
            partial.chmod(0o644)
            partial.replace(folder / file.name)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    _flush_folder(folder)


def _sweep(folder: Path, fresh: Path) -> None:
    """Remove what fetches that were killed left behind."""
    now = fresh.stat().st_mtime
    for left in folder.glob(f".*{_PARTIAL}"):
        with suppress(FileNotFoundError):  # another fetch has just finished it
            if now - left.stat().st_mtime > _STALE:
                left.unlink()


def _flush_folder(folder: Path) -> None:
    """Make a rename durable, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(meaning: str) -> Iterator[None]:
    """Say what an error of the file system means."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"{meaning} ({error})", retryable=False, cause=error) from error
