"""`vivavoce doctor`: what works here, what does not, and the command that mends it."""

from __future__ import annotations

import dataclasses

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, Json


def doctor(json: Json = False, config: ConfigFile = None, assignments: Assignments = None) -> None:
    """Check this machine and say how to mend what is wrong. Exit status 1 if something needed is missing."""
    from vivavoce.cli import checks

    found = checks.everything(config, assignments)
    failed = any(check.status == "fail" for check in found)
    if json:
        output.data({"ok": not failed, "checks": [dataclasses.asdict(check) for check in found]})
    else:
        for check in found:
            output.line(f"{output.styled(f'{check.status:<5}', check.status)} {check.name:<18} {check.detail}")
            if check.mend:
                output.line(f"{'':<24} mend: {check.mend}")
    if failed:
        raise typer.Exit(1)
