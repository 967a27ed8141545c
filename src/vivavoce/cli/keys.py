"""`vivavoce key`: API keys, kept as hashes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, Json, load

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True, rich_markup_mode=None)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, for example `kitchen`.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="speak, listen, converse or admin; may be repeated. Default: converse."),
    ] = None,
    json: Json = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Make a key and print it, once: only its hash is kept. From the first key on the server asks everybody for one."""
    from vivavoce.flow.clock import MonotonicClock
    from vivavoce.services import keys

    stored, key = keys.create(_file(config, assignments), name, scope or ["converse"], MonotonicClock().wall())
    if json:
        output.data({"id": stored.id, "name": stored.name, "scopes": list(stored.scopes), "key": key})
    else:
        output.line(key)


@app.command("list")
def list_keys(json: Json = False, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """The keys there are, by id and name."""
    from vivavoce.services import keys

    kept = keys.load(_file(config, assignments))
    if json:
        output.data([{"id": key.id, "name": key.name, "scopes": list(key.scopes), "created": key.created} for key in kept])
        return
    for key in kept:
        made = datetime.fromtimestamp(key.created, UTC).strftime("%Y-%m-%d")
        output.line(f"{key.id}  {made}  {', '.join(key.scopes):<24} {key.name}")


@app.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(help="Id or name; `vivavoce key list` shows them.")],
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Forget a key. A running server refuses it within two seconds; connections that are open stay open.

    When the last key is gone nobody is let in; delete the key file and start again to serve without keys.
    """
    from vivavoce.services import keys

    gone = keys.revoke(_file(config, assignments), id)
    output.line(f"{gone.id} ({gone.name}) is revoked")


def _file(config: Path | None, assignments: list[str] | None) -> Path:
    return load(config, assignments).keys_file
