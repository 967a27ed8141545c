"""Brings the files of one model to disk under their unfinished names, each checked; the caller then names them all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vivavoce.contracts.errors import Unavailable
from vivavoce.services import archives, packages
from vivavoce.services.cancellation import Cancellation
from vivavoce.services.disk import checksum, copy, size_of
from vivavoce.services.downloads import Asked, Downloader, discard, partial_of
from vivavoce.services.hubs import address
from vivavoce.services.model_entries import HubSource, LocalSource, ModelEntry, ModelFile, PackageSource, UrlSource
from vivavoce.services.options import ModelOptions
from vivavoce.services.records import FileRecord


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms models are fetched: whether a connection may be made, and whether restricting licences are accepted."""

    offline: bool = False
    accept_licence: bool = False
    options: ModelOptions = field(default_factory=ModelOptions)


@dataclass(frozen=True, slots=True)
class Received:
    """How far a model has come: the file that comes now, and bytes of all its files."""

    file: str
    so_far: int
    size: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told what: lines for people, bytes for progress bars. ``cancellation`` stops it."""

    line: Callable[[str], None] = lambda line: None
    received: Callable[[Received], None] = lambda received: None
    cancellation: Cancellation = field(default_factory=Cancellation)


def offline_error(name: str) -> Unavailable:
    """Nothing may be fetched."""
    return Unavailable(
        f"{name} is not fetched: `offline` is set, so no connection is made. Set offline to false, or fetch its files on "
        "another machine and use `vivavoce models import`",
        code="offline",
        retryable=False,
    )


def archive_target(source: UrlSource, folder: Path) -> Path:
    """Where an archive lies while its files are taken out."""
    return folder / source.url.rpartition("/")[2]


class Fetch:
    """The files of one model that are lacking, on their way into its folder."""

    def __init__(self, entry: ModelEntry, folder: Path, terms: Terms, watch: Watch) -> None:
        self._entry = entry
        self._folder = folder
        self._terms = terms
        self._watch = watch
        self._done = 0
        self._current = ("", 0)

    def stage(self, lacking: list[ModelFile]) -> dict[str, FileRecord]:
        """Fetch each file under its unfinished name and return what they are. Raises errors of the tree and OSError."""
        staged: dict[str, FileRecord] = {}
        self._from_packages([file for file in lacking if isinstance(file.source, PackageSource)], staged)
        own = next((file for file in lacking if isinstance(file.source, LocalSource)), None)
        if own is not None:
            again = f"`vivavoce models remove {self._entry.name}`, then import it again"
            raise Unavailable(f"{own.name} is damaged, and it came from {own.source}: {again}", retryable=False)
        remote = [file for file in lacking if isinstance(file.source, HubSource | UrlSource)]
        if remote and self._terms.offline:
            raise offline_error(self._entry.name)
        with Downloader(self._terms.options, self._watch.cancellation, self._told) as downloader:
            for file in remote:
                if isinstance(file.source, UrlSource) and file.source.member:
                    if file.name not in staged:
                        self._from_archive(file.source, remote, downloader, staged)
                else:
                    staged[file.name] = self._download(file, downloader)
        return staged

    def _told(self, so_far: int) -> None:
        name, size = self._current
        self._watch.received(Received(name, self._done + min(so_far, size), self._entry.size))

    def _finished(self, size: int) -> None:
        self._done += size
        self._current = ("", 0)

    # --- from the network

    def _download(self, file: ModelFile, downloader: Downloader) -> FileRecord:
        source = file.source
        assert isinstance(source, HubSource | UrlSource)
        self._current = (file.name, file.size)
        self._watch.line(f"fetching {file.name} ({file.size / 1e6:.1f} MB) from {source}")
        asked = Asked(
            url=address(source, self._terms.options.mirror),
            target=self._folder / file.name,
            size=file.size,
            exact=file.exact,
            sha256=file.sha256,
            hub=isinstance(source, HubSource),
        )
        fetched = downloader.fetch(asked)
        if fetched.by_hub:
            self._watch.line(f"{file.name}: checked against the hub's own checksum; it is kept for later checks")
        self._finished(file.size)
        return FileRecord(fetched.size, fetched.sha256, "hub" if fetched.by_hub else "catalogue")

    def _from_archive(
        self, source: UrlSource, files: list[ModelFile], downloader: Downloader, staged: dict[str, FileRecord]
    ) -> None:
        """Fetch an archive once and take out of it every file of the model that lies in it."""
        wanted = {f.source.member: f for f in files if isinstance(f.source, UrlSource) and f.source.url == source.url}
        target = archive_target(source, self._folder)
        self._current = (target.name, sum(file.size for file in wanted.values()))
        self._watch.line(f"fetching {target.name} from {source}")
        asked = Asked(source.url, target, source.size, source.sha256 is not None and source.size is not None, source.sha256)
        fetched = downloader.fetch(asked)
        for file in wanted.values():
            discard(self._folder / file.name)
        places = {path: partial_of(self._folder / file.name) for path, file in wanted.items()}
        limits = archives.Limits(bytes=sum(_most(file) for file in wanted.values()))

        def place(member: str) -> Path | None:
            self._watch.cancellation.check()
            return places.get(member)

        try:
            archives.unpack(fetched.partial, place, limits)
            for path, file in wanted.items():
                staged[file.name] = _staged(file, partial_of(self._folder / file.name), f"{path} in {source}")
        except BaseException:
            for file in wanted.values():
                discard(self._folder / file.name)
            discard(target)
            raise
        discard(target)
        self._finished(self._current[1])

    # --- from packages

    def _from_packages(self, files: list[ModelFile], staged: dict[str, FileRecord]) -> None:
        """Each package is unpacked once, and only where no installed one has the file."""
        unpacked: set[tuple[str, str]] = set()
        with tempfile.TemporaryDirectory(prefix="vivavoce-") as place:
            for file in files:
                source = file.source
                assert isinstance(source, PackageSource)
                found = in_package(file)
                if found is None:
                    if self._terms.offline:
                        raise offline_error(self._entry.name)
                    if (source.package, source.version) not in unpacked:
                        packages.unpack(source, Path(place), self._watch.line, self._watch.cancellation)
                        unpacked.add((source.package, source.version))
                    found = Path(place, source.path)
                if not found.is_file():
                    message = f"the package {source.package} {source.version} has no {source.path}"
                    raise Unavailable(message, retryable=False)
                partial = partial_of(self._folder / file.name)
                copy(found, partial)
                staged[file.name] = _staged(file, partial, f"{source.package} {source.version}")
                self._finished(file.size)


def in_package(file: ModelFile) -> Path | None:
    """The file in an installed package, if it is the very one of the catalogue."""
    if not isinstance(file.source, PackageSource):
        return None
    path = packages.find(file.source)
    same = path is not None and size_of(path) == file.size and checksum(path) == file.sha256
    return path if same else None


def room_needed(lacking: list[ModelFile], folder: Path) -> int:
    """Bytes that are still to come, archives and what comes out of them together."""
    archives_size = {
        file.source.url: file.source.size or 0
        for file in lacking
        if isinstance(file.source, UrlSource) and file.source.member
    }
    here = sum(size_of(partial_of(folder / file.name)) or 0 for file in lacking)
    return max(0, sum(file.size for file in lacking) - here) + sum(archives_size.values())


def _staged(file: ModelFile, partial: Path, origin: str) -> FileRecord:
    """What a file taken out of something is. Raises Unavailable, and removes it, if it is not the one expected."""
    found = FileRecord(size_of(partial) or 0, checksum(partial) if partial.is_file() else "", "catalogue")
    wrong_size = file.exact and found.size != file.size
    if not found.sha256 or wrong_size or (file.sha256 is not None and found.sha256 != file.sha256):
        partial.unlink(missing_ok=True)
        raise Unavailable(f"{file.name} from {origin} is not the file expected (checksum)", retryable=False)
    return found


def _most(file: ModelFile) -> int:
    return file.size if file.exact else 2 * file.size + (1 << 20)
