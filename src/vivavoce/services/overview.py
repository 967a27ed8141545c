"""Models as people and programs see them: what there is, what is here, what suits this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vivavoce.services.model_entries import ModelEntry
from vivavoce.services.models import entries, locate
from vivavoce.services.recommendation import Machine, recommend


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model: ``path`` is the file its engine is given, or None where it is not here."""

    entry: ModelEntry
    path: Path | None
    recommended: bool

    def plain(self) -> dict[str, Any]:
        """As mappings, lists and scalars."""
        known = self.entry
        return {
            "name": known.name,
            "kind": known.kind,
            "engine": known.engine,
            "languages": list(known.languages),
            "licence": known.licence,
            "restricted": known.restricted,
            "bytes": known.size,
            "description": known.description,
            "quality": known.quality,
            "cost": asdict(known.cost) if known.cost is not None else None,
            "needs": {"cores": known.needs.cores, "memory_mb": known.needs.memory},
            "source": known.source,
            "installed": self.path is not None,
            "path": None if self.path is None else str(self.path),
            "recommended": self.recommended,
        }


def overview(models: Path, machine: Machine, language: str) -> tuple[ModelView, ...]:
    """Every model. Looks at files, but reads none except those of installed packages."""
    known = entries(models)
    right = {entry.name for entry in recommend(machine, language, known)}
    return tuple(ModelView(entry, locate(entry, models), entry.name in right) for entry in known)
