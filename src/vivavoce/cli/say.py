"""`vivavoce say`: text to speech, into a file or onto the speaker."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from vivavoce.cli import output
from vivavoce.cli.options import Assignments, ConfigFile, load


def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input.")],
    out: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE.wav", help="Write a WAV file.")] = None,
    voice: Annotated[str, typer.Option("--voice", help="A voice of the engine.")] = "",
    speed: Annotated[float, typer.Option("--speed", min=0.25, max=4.0, help="1 is the voice's own pace.")] = 1.0,
    language: Annotated[str, typer.Option("--language", help="Language of the text.")] = "en",
    tts: Annotated[str | None, typer.Option("--tts", metavar="NAME", help="The engine that speaks.")] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Speak a text to a file, or to the speaker."""
    from vivavoce.cli import playback

    player = playback.require_player() if out is None else None
    settings = load(config, assignments, {"engines.tts": ("--tts", tts)}).settings
    words = sys.stdin.read() if text == "-" else text

    from vivavoce.app import offline

    request = offline.SayRequest(text=words, voice=voice, speed=speed, language=language)
    if out is not None:
        spoken = offline.say(settings, request, out)
        output.note(f"{out}: {spoken.seconds:.1f} s by {spoken.engine}")
        return
    assert player is not None
    with tempfile.TemporaryDirectory(prefix="vivavoce-") as folder:
        path = Path(folder) / "speech.wav"
        offline.say(settings, request, path)
        playback.play(player, path)
