"""The `vivavoce` command: its sub-commands, its help, and how errors become exit codes.

Everything heavy is imported inside the commands, so that `vivavoce --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from vivavoce import __version__
from vivavoce.cli import configuration, connect, doctor, keys, models, output, say, serve, talk, transcribe
from vivavoce.contracts.errors import VivavoceError


class Commands(TyperGroup):
    """Prints errors of the tree as one line each and leaves with the status that belongs to them."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # the class of the context is private to typer
        """Run the sub-command."""
        try:
            return super().invoke(ctx)
        except VivavoceError as problem:
            output.error(problem, debug=bool(ctx.params.get("debug")))
            raise typer.Exit(output.exit_code(problem)) from problem
        except BrokenPipeError:  # the reader of a pipe has gone; typer ends quietly
            raise
        except OSError as problem:
            output.error(problem, debug=bool(ctx.params.get("debug")))
            raise typer.Exit(1) from problem


app = typer.Typer(
    name="vivavoce",
    cls=Commands,
    help="A voice server you can talk to, speak and listen through, and borrow a voice from.",
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage or input, 3 configuration, 4 something is not installed, "
    "5 unavailable or overloaded.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        output.line(f"vivavoce {__version__}")
        raise typer.Exit


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """A voice server you can talk to, speak and listen through, and borrow a voice from."""


@app.command("version")
def version() -> None:
    """Print the version."""
    _version(True)


app.command("serve")(serve.serve)
app.command("talk")(talk.talk)
app.command("say")(say.say)
app.command("transcribe")(transcribe.transcribe)
app.command("connect")(connect.connect)
app.command("doctor")(doctor.doctor)
app.add_typer(configuration.app, name="config")
app.add_typer(keys.app, name="key")
app.add_typer(models.app, name="models")
