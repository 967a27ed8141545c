"""`vivavoce transcribe`: speech to text, as plain text, JSON or subtitles."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, Denoise, Json, load


def transcribe(
    file: Annotated[Path, typer.Argument(help="A WAV file.", exists=True, dir_okay=False, readable=True)],
    json: Json = False,
    srt: Annotated[bool, typer.Option("--srt", help="Print subtitles (SubRip).")] = False,
    language: Annotated[str, typer.Option("--language", help="Language spoken.")] = "en",
    stt: Annotated[str | None, typer.Option("--stt", metavar="NAME", help="The engine that listens.")] = None,
    denoise: Denoise = False,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Print what is said in a recording."""
    if json and srt:
        raise typer.BadParameter("choose --json or --srt")
    settings = load(config, assignments, {"engines.stt": ("--stt", stt)}).settings

    from vivavoce.app import offline
    from vivavoce.text.subtitles import captions_of, subrip

    transcript = offline.transcribe(settings, file, language, denoise)
    if json:
        output.data(dataclasses.asdict(transcript))
    elif srt:
        output.line(subrip(captions_of(transcript)).rstrip("\n"))
    else:
        output.line(transcript.text)
