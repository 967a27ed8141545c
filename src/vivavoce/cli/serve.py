"""`vivavoce serve`: the server."""

from __future__ import annotations

from typing import Annotated

import typer

from vivavoce.cli.options import Assignments, ConfigFile, load


def serve(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on.")] = None,
    dev: Annotated[
        bool | None, typer.Option("--dev", help="Scripted engines, and a reload when a source file changes.")
    ] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Start the server and say where to talk to it."""
    flags = {"server.host": ("--host", host), "server.port": ("--port", port), "dev": ("--dev", dev)}
    loaded = load(config, assignments, flags)

    from vivavoce.app import serving

    raise typer.Exit(serving.serve(loaded))
