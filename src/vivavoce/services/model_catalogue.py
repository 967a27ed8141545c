"""Which models there are, by name. The entries lie in the modules beside this one."""

from __future__ import annotations

from vivavoce.services.catalogue_detectors import DETECTORS
from vivavoce.services.catalogue_moonshine import MOONSHINE
from vivavoce.services.catalogue_sherpa import SHERPA
from vivavoce.services.catalogue_voices import VOICES
from vivavoce.services.catalogue_whisper import WHISPER
from vivavoce.services.model_entries import (
    Cost,
    HubSource,
    ModelEntry,
    ModelFile,
    ModelKind,
    Needs,
    PackageSource,
    UrlSource,
)

__all__ = [
    "CATALOGUE",
    "Cost",
    "HubSource",
    "ModelEntry",
    "ModelFile",
    "ModelKind",
    "Needs",
    "PackageSource",
    "UrlSource",
]

CATALOGUE = {entry.name: entry for entry in (*DETECTORS, *SHERPA, *MOONSHINE, *WHISPER, *VOICES)}
