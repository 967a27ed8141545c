"""`vivavoce config`: what is set, by whom, and what could be."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, Json, load
from vivavoce.contracts.errors import UnknownName

app = typer.Typer(help="Show, explain and check the configuration.", no_args_is_help=True, rich_markup_mode=None)


@app.command("show")
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say of each value where it was set.")] = False,
    json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Print every setting as it is in force. Secrets are hidden."""
    from vivavoce.config.show import as_data, as_yaml

    loaded = load(config, assignments)
    if json:
        output.data(as_data(loaded))
    else:
        output.line(as_yaml(loaded, origin=origin).rstrip())


@app.command("path")
def path(json: Json = False) -> None:
    """List the files that are looked for, weakest first."""
    from vivavoce.config.load import Surroundings

    places = [(place, place.path.exists()) for place in Surroundings.real().places()]
    if json:
        output.data([{"layer": place.layer, "path": str(place.path), "exists": exists} for place, exists in places])
        return
    for place, exists in places:
        output.line(f"{place.layer:<8} {'read' if exists else '-':<5} {place.path}")


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="A YAML or TOML file.")]) -> None:
    """Check one file without using it."""
    from vivavoce.config.load import check as check_file

    check_file(file)
    output.line(f"{file}: ok")


@app.command("explain")
def explain(
    key: Annotated[str, typer.Argument(help="A setting or section, for example server.port; nothing for all.")] = "",
    json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Say what a setting means, what it may be, and what it is."""
    from vivavoce.config.show import explain as explain_setting
    from vivavoce.config.show import find

    found = find(key)
    if not found:
        close = difflib.get_close_matches(key, [setting.path for setting in find("")], 3, 0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else "`vivavoce config explain` lists all"
        raise UnknownName(f"no setting is called {key!r}; {hint}")
    loaded = load(config, assignments)
    values = [explain_setting(setting, loaded) for setting in found if not setting.section]
    if json:
        output.data(values)
    elif len(values) == 1:
        _explain_one(values[0])
    else:
        for value in values:
            output.line(f"{value['key']:<46} {value['type']}")


def _explain_one(value: dict[str, Any]) -> None:
    if value["help"]:
        output.line(value["help"])
        output.line()
    for name in ("key", "type", "range", "default", "value", "origin", "environment"):
        if value[name] != "":
            shown = "null" if value[name] is None else value[name]
            output.line(f"{name:<12} {str(shown).lower() if isinstance(shown, bool) else shown}")


@app.command("reference")
def reference() -> None:
    """Print the reference of all settings in Markdown."""
    from vivavoce.config.show import reference as make_reference

    output.line(make_reference().rstrip())
