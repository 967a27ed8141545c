"""`vivavoce models`: model files, each with its licence and checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, Json, load

app = typer.Typer(help="List, fetch and remove model files.", no_args_is_help=True, rich_markup_mode=None)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Models; `vivavoce models list` names them.")]


@app.command("list")
def list_models(json: Json = False, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Every model there is, and whether it is here."""
    from vivavoce.services.model_catalogue import CATALOGUE
    from vivavoce.services.models import locate

    folder = _directory(config, assignments)
    found = [(entry, locate(entry, folder)) for entry in CATALOGUE.values()]
    if json:
        rows = [
            {
                "name": entry.name,
                "engine": entry.engine,
                "licence": entry.licence,
                "bytes": entry.size,
                "description": entry.description,
                "path": None if path is None else str(path),
            }
            for entry, path in found
        ]
        output.data({"directory": str(folder), "models": rows})
        return
    for entry, path in found:
        state = "here" if path else "-"
        output.line(f"{entry.name:<14} {state:<5} {entry.size / 1e6:6.1f} MB  {entry.licence:<14} {entry.description}")


@app.command("pull")
def pull(names: Names, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Fetch models into the models directory, and check them. What is there already stays."""
    from vivavoce.services import models

    folder = _directory(config, assignments)
    for entry in [models.entry(name) for name in names]:  # a wrong name is told before anything is fetched
        models.pull(entry, folder, progress=output.line)


@app.command("remove")
def remove(names: Names, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Delete models from the models directory."""
    from vivavoce.services import models

    folder = _directory(config, assignments)
    for entry in [models.entry(name) for name in names]:
        removed = models.remove(entry, folder)
        output.line(f"{entry.name}: {'removed' if removed else 'was not there'}")


def _directory(config: Path | None, assignments: list[str] | None) -> Path:
    from vivavoce.services.models import directory

    return directory(load(config, assignments).settings.models_dir)
