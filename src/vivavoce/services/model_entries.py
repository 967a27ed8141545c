"""What is known of a model: its files, where each comes from, what it costs, and for which machine it is right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ModelKind = Literal["stt", "tts", "llm", "vad", "turn", "wake"]


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A file that ships inside a published Python package: ``path`` is relative to where packages are installed."""

    package: str
    version: str
    path: str

    def __str__(self) -> str:
        return f"the package {self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of a repository on the model hub, at ``/REPOSITORY/resolve/REVISION/PATH``."""

    repository: str
    revision: str
    path: str

    def __str__(self) -> str:
        return f"{self.repository} at {self.revision[:12]}"


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A file at an address of its own, or ``member`` of the archive that lies there.

    ``sha256`` and ``size`` are the archive's; they are None where nobody published them.
    """

    url: str
    member: str = ""
    sha256: str | None = None
    size: int | None = None

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A file of the person's own, imported from ``path``."""

    path: str

    def __str__(self) -> str:
        return self.path


Source = PackageSource | HubSource | UrlSource | LocalSource


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model. ``size`` is in bytes, ``sha256`` in lower-case hexadecimal.

    Where no checksum was published ``sha256`` is None: the file is then checked against what the hub declares. A size
    that is not ``exact`` is only shown, and bounds what is accepted.
    """

    name: str
    sha256: str | None
    size: int
    source: Source
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model was seen to cost. ``rtf`` is seconds of one core per second of audio, ``delay`` the seconds from the
    end of speech to the final transcript (or from a text to its first audio), ``memory`` resident MB; ``origin`` says who
    measured it, on what."""

    origin: str
    rtf: float | None = None
    delay: float | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """The least machine a model is recommended for: cores, and MB of memory it may have for itself."""

    cores: int = 1
    memory: int = 200


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model by name. The first of its files is the one its engine is given; the others lie beside it.

    ``rank`` orders the models of a kind and language: among those a machine can carry the highest one is recommended, and
    is the default where several are installed; 0 is never recommended. ``restricted`` says in what its licence restricts
    use, which has to be accepted before it is fetched.
    """

    name: str
    engine: str
    files: tuple[ModelFile, ...]
    licence: str
    description: str
    kind: ModelKind = "stt"
    languages: tuple[str, ...] = ()
    restricted: str = ""
    cost: Cost | None = None
    quality: str = ""
    needs: Needs = Needs()
    rank: int = 0

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def source(self) -> str:
        """Where it comes from, in words."""
        return ", ".join(dict.fromkeys(str(file.source) for file in self.files))

    def speaks(self, language: str) -> bool:
        """Whether it is for a BCP 47 tag; a model without languages is for all."""
        wanted = primary(language)
        return not self.languages or any(primary(known) == wanted for known in self.languages)


def primary(language: str) -> str:
    """``en`` of ``en-GB`` or ``en_GB``."""
    return language.replace("_", "-").partition("-")[0].lower()


def hub_files(repository: str, revision: str, rows: Iterable[tuple[str, int, str | None]]) -> tuple[ModelFile, ...]:
    """Files of one hub repository from rows of path, exact size and checksum. A file keeps the last part of its path."""
    return tuple(
        ModelFile(path.rpartition("/")[2], checksum, size, HubSource(repository, revision, path))
        for path, size, checksum in rows
    )
