"""`vivavoce models`: model files, each with its licence and checksum."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, Json, load

if TYPE_CHECKING:
    from vivavoce.config.settings import Settings
    from vivavoce.services.fetching import Terms
    from vivavoce.services.model_entries import ModelEntry
    from vivavoce.services.overview import ModelView

app = typer.Typer(help="List, fetch, import and remove model files.", no_args_is_help=True, rich_markup_mode=None)

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Models; `vivavoce models list` names them.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model; `vivavoce models list` names them.")]
INTERRUPTED = 130
"""Exit status of a program that was ended with Ctrl-C."""


@app.command("list")
def list_models(
    engine: Annotated[str | None, typer.Option("--engine", help="Only models of this engine.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Only models for this language, such as en.")] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Only models that are here.")] = False,
    json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Every model there is, whether it is here, and which ones suit this machine."""
    from vivavoce.services.overview import overview
    from vivavoce.services.recommendation import this_machine

    settings, folder = _settings(config, assignments)
    machine = this_machine()
    spoken = language or settings.sessions.conversation.language
    views = [
        view
        for view in overview(folder, machine, spoken)
        if (engine is None or view.entry.engine == engine)
        and (language is None or view.entry.speaks(language))
        and (not installed or view.path is not None)
    ]
    if json:
        about = {"cores": machine.cores, "memory_mb": machine.memory}
        output.data({"directory": str(folder), "machine": about, "models": [view.plain() for view in views]})
        return
    for view in views:
        output.line(_row(view))
    right = [view.entry.name for view in views if view.recommended]
    if right:
        output.line()
        output.line(f"* recommended for this machine ({machine}), language {spoken}: {' '.join(right)}")


@app.command("info")
def info(
    name: Name,
    verify: Annotated[bool, typer.Option("--verify", help="Read its files and compare their checksums.")] = False,
    json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Everything about one model."""
    from vivavoce.services import models, records
    from vivavoce.services.overview import overview
    from vivavoce.services.recommendation import this_machine

    settings, folder = _settings(config, assignments)
    entry = models.entry(name, folder)
    views = overview(folder, this_machine(), settings.sessions.conversation.language)
    view = next(view for view in views if view.entry.name == name)
    record = records.read(folder / name)
    described = view.plain() | {"files": _files(entry, record)}
    if verify:
        described["damaged"] = models.damaged(entry, folder) if view.path is not None else []
    if json:
        output.data(described)
    else:
        for line in _described(view, described):
            output.line(line)
    if described.get("damaged"):
        raise typer.Exit(1)


@app.command("pull")
def pull(
    names: Names,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept licences that restrict use, without being asked.")
    ] = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Fetch models into the models directory, and check them. What is there already stays."""
    from vivavoce.services import models
    from vivavoce.services.fetching import Terms

    settings, folder = _settings(config, assignments)
    terms = Terms(settings.offline, accept_licence, settings.models)
    for entry in [models.entry(name) for name in names]:  # a wrong name is told before anything is fetched
        _pull(entry, folder, terms)


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, a folder or an archive.")],
    name: Annotated[str, typer.Option("--name", help="What to call it; otherwise made from its files.")] = "",
    engine: Annotated[str, typer.Option("--engine", help="For which engine; otherwise known by its files.")] = "",
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Copy a model from this machine into the models directory. Makes no connection."""
    from vivavoce.services.importing import import_model

    _, folder = _settings(config, assignments)
    entry = import_model(path, folder, name=name, engine=engine, progress=output.line)
    output.line(f"{entry.name} is ready for {entry.engine}: {folder / entry.name}")


@app.command("remove")
def remove(names: Names, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Delete models from the models directory."""
    from vivavoce.services import models

    _, folder = _settings(config, assignments)
    for entry in [models.entry(name, folder) for name in names]:
        removed = models.remove(entry, folder)
        output.line(f"{entry.name}: {'removed' if removed else 'was not there'}")


def _settings(config: Path | None, assignments: list[str] | None) -> tuple[Settings, Path]:
    from vivavoce.services.models import directory

    settings = load(config, assignments).settings
    return settings, directory(settings.models_dir)


# --- fetching


def _pull(entry: ModelEntry, folder: Path, terms: Terms) -> None:
    """Fetch one model with bars on a terminal and lines elsewhere."""
    import dataclasses

    from vivavoce.services import models
    from vivavoce.services.fetching import Received, Watch

    if entry.restricted and not terms.accept_licence and models.locate(entry, folder) is None and sys.stdin.isatty():
        output.line(f"{entry.name} ({entry.licence}): {entry.restricted}")
        terms = dataclasses.replace(terms, accept_licence=typer.confirm("Do you accept this licence?"))
    try:
        if not sys.stderr.isatty():
            models.pull(entry, folder, terms, Watch(output.line))
            return
        with _bars() as bars:
            task = bars.add_task(entry.name, total=entry.size)

            def received(so_far: Received) -> None:
                bars.update(task, completed=so_far.so_far, description=so_far.file)

            def line(text: str) -> None:
                bars.console.print(text, soft_wrap=True)

            models.pull(entry, folder, terms, Watch(line, received))
            bars.update(task, completed=entry.size)
    except KeyboardInterrupt:
        output.note(f"stopped; what has come of {entry.name} is kept, and the next pull goes on from there")
        raise typer.Exit(INTERRUPTED) from None


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True, markup=False, highlight=False), transient=True)


# --- showing


def _row(view: ModelView) -> str:
    entry = view.entry
    mark = "*" if view.recommended else " "
    state = "here" if view.path else "-"
    size = f"{entry.size / 1e6:7.1f} MB"
    return (
        f"{mark} {entry.name:<26} {state:<4} {size}  {entry.kind:<4} {_spoken(entry):<10} {entry.licence:<20}"
        f"{' (restricts use)' if entry.restricted else ''} {entry.description}"
    )


def _spoken(entry: ModelEntry) -> str:
    if not entry.languages:
        return "any"
    return ",".join(entry.languages) if len(entry.languages) < 3 else f"{len(entry.languages)} languages"


def _files(entry: ModelEntry, record: Any) -> list[dict[str, Any]]:
    """Each file with its size and checksum, and whose checksum that is."""
    known = record.files if record is not None else {}
    return [
        {
            "name": file.name,
            "bytes": known[file.name].size if file.name in known else file.size,
            "exact": file.exact or file.name in known,
            "sha256": known[file.name].sha256 if file.name in known else file.sha256,
            "checked": known[file.name].checked if file.name in known else None,
            "source": str(file.source),
        }
        for file in entry.files
    ]


def _described(view: ModelView, described: dict[str, Any]) -> list[str]:
    entry, cost = view.entry, view.entry.cost
    rows = [
        ("", entry.description),
        ("engine", f"{entry.engine} ({entry.kind})"),
        ("languages", ", ".join(entry.languages) or "any"),
        ("licence", entry.licence),
        ("restricts use", entry.restricted),
        ("size", f"{entry.size / 1e6:.1f} MB"),
        ("source", entry.source),
        ("quality", entry.quality),
        ("real-time factor", f"{cost.rtf:g} of a core" if cost is not None and cost.rtf is not None else ""),
        ("delay", f"{cost.delay * 1000:.0f} ms" if cost is not None and cost.delay is not None else ""),
        ("memory", f"{cost.memory} MB" if cost is not None and cost.memory is not None else ""),
        ("figures", cost.origin if cost is not None else ""),
        ("recommended from", f"{entry.needs.cores} cores and {entry.needs.memory} MB for itself" if entry.rank else ""),
        ("here", str(view.path) if view.path else f"no: vivavoce models pull {entry.name}"),
    ]
    lines = [entry.name, *(f"  {name:<17}{value}" for name, value in rows if value)]
    for file in described["files"]:
        size = f"{file['bytes']} bytes" if file["exact"] else f"about {file['bytes']} bytes"
        lines.append(f"  {'file':<17}{file['name']}, {size}, sha256 {file['sha256'] or 'as the hub declares'}")
    if "damaged" in described:
        lines.append(
            f"  {'checksums':<17}{'damaged: ' + ', '.join(described['damaged']) if described['damaged'] else 'right'}"
        )
    return lines
