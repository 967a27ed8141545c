"""Flags that several commands share, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from vivavoce.config.load import Loaded

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="A configuration file, read behind ./vivavoce.yaml.")
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, for example server.port=9000. May be repeated."),
]
Denoise = Annotated[
    bool, typer.Option("--denoise", help="Suppress steady noise in the recording first (needs vivavoce[audio]).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def load(
    config: Path | None, assignments: list[str] | None, flags: Mapping[str, tuple[str, object]] | None = None
) -> Loaded:
    """Load the configuration. ``flags`` are named flags by the key they set: (name, value), None where not given.

    Raises ConfigurationError.
    """
    from vivavoce.config.load import load as load_layers
    from vivavoce.config.load import parse_flag

    given = [parse_flag(text) for text in assignments or ()]
    given += [(key, str(value), name) for key, (name, value) in (flags or {}).items() if value is not None]
    return load_layers(file=config, flags=given)
