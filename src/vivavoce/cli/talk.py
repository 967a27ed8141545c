"""`vivavoce talk`: a whole conversation from recordings, without a sound card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, Denoise, Json, load


def talk(
    files: Annotated[list[Path], typer.Argument(help="WAV files; each is one turn.", exists=True, dir_okay=False)],
    out: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.wav", help="Write the replies into one WAV file.")
    ] = None,
    json: Json = False,
    stt: Annotated[str | None, typer.Option("--stt", metavar="NAME", help="The engine that listens.")] = None,
    tts: Annotated[str | None, typer.Option("--tts", metavar="NAME", help="The engine that speaks.")] = None,
    llm: Annotated[str | None, typer.Option("--llm", metavar="NAME", help="What answers.")] = None,
    denoise: Denoise = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Hold a conversation from recordings: prints transcript, reply and where the time went, at the pace of speech."""
    flags = {"engines.stt": ("--stt", stt), "engines.tts": ("--tts", tts), "engines.llm": ("--llm", llm)}
    settings = load(config, assignments, flags).settings

    from vivavoce.app import offline
    from vivavoce.cli.exchange import Exchanges, as_data

    exchanges = Exchanges(output.note if json else output.line)
    offline.talk(settings, offline.TalkRequest(files=tuple(files), output=out, denoise=denoise), exchanges.take)
    if json:
        output.data(as_data(exchanges.finished))
    elif out is not None and exchanges.finished:
        output.line(f"replies: {out}")
    if exchanges.failures or not exchanges.finished:
        output.note(f"error: {len(exchanges.finished)} of {len(files)} turns were answered")
        raise typer.Exit(1)
