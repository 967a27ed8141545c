"""A worker process: ``python -m vivavoce.workers.child FD``. The only module that imports engines.

Engines are imported when they are asked for, so a process holds only what it needs. Third-party engines enter by the
entry-point group ``vivavoce.engines`` (name → a class or function that takes the settings).
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from vivavoce.contracts.errors import UnknownName
from vivavoce.workers.child_jobs import Resampler
from vivavoce.workers.child_loop import ChildLoop

_PR_SET_PDEATHSIG = 1

MakeEngine = Callable[[Mapping[str, Any]], Any]


def main(arguments: list[str]) -> None:
    """Serve the socket with descriptor ``arguments[0]`` until its other end is closed."""
    _belong_to_the_parent()
    descriptor = int(arguments[0])
    os.set_inheritable(descriptor, False)
    with socket.socket(fileno=descriptor) as connection:
        ChildLoop(connection, load_engine, make_resampler, os.getpid()).run()


def _belong_to_the_parent() -> None:
    """Signals to the group (Ctrl-C, systemd's SIGTERM) are the parent's affair; it ends its workers when it has drained.

    The socket tells when the parent is gone, but only between two steps: a long step is ended by the kernel (Linux).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def load_engine(kind: str, name: str, settings: Mapping[str, Any]) -> Any:
    """Make an engine. Raises UnknownName for one nobody has, and whatever its constructor raises."""
    make = _built_in(kind, name)
    if make is None:
        from importlib.metadata import entry_points

        for entry in entry_points(group="vivavoce.engines", name=name):
            make = entry.load()
    if make is None:
        raise UnknownName(f"there is no {kind} engine called {name!r}; `vivavoce doctor` lists them", code="unknown_engine")
    if kind == "tts":
        make_resampler(22_050, 24_000).process(bytes(2_000))  # imports 0.1 s of libraries now, not in the first job
    return make(settings)


def _built_in(kind: str, name: str) -> MakeEngine | None:
    match kind:
        case "stt":
            return _speech_to_text(name)
        case "tts":
            return _text_to_speech(name)
    return _other(kind, name)


def _speech_to_text(name: str) -> MakeEngine | None:
    match name:
        case "pocketsphinx":
            from vivavoce.engines.pocketsphinx import PocketSphinx

            return PocketSphinx
        case "sherpa":
            from vivavoce.engines.sherpa import SherpaRecogniser

            return SherpaRecogniser
        case "whisper":
            from vivavoce.engines.whisper import Whisper

            return Whisper
        case "moonshine":
            from vivavoce.engines.moonshine import Moonshine

            return Moonshine
        case "spelling":
            from vivavoce.engines.spelling import Spelling

            return Spelling
    return None


def _text_to_speech(name: str) -> MakeEngine | None:
    match name:
        case "espeak":
            from vivavoce.engines.espeak import Espeak

            return Espeak
        case "flite":
            from vivavoce.engines.flite import Flite

            return Flite
        case "piper":
            from vivavoce.engines.piper import Piper

            return Piper
        case "kokoro":
            from vivavoce.engines.kokoro import Kokoro

            return Kokoro
        case "sherpa-tts":
            from vivavoce.engines.sherpa_tts import SherpaTts

            return SherpaTts
    return None


def _other(kind: str, name: str) -> MakeEngine | None:
    match kind, name:
        case "vad", "silero":
            from vivavoce.engines.silero import Silero

            return Silero
        case "vad", "pysilero":
            from vivavoce.engines.pysilero import PySilero

            return PySilero
        case "turn", "smart_turn":
            from vivavoce.engines.smart_turn import SmartTurn

            return SmartTurn
        case "wake", "micro_wakeword":
            from vivavoce.engines.micro_wakeword import MicroWakeWords

            return MicroWakeWords
        case "llm", "commands":
            from vivavoce.engines.commands import CommandAgent

            return CommandAgent
    return None


def make_resampler(source: int, target: int) -> Resampler:
    """A streaming resampler for one piece of speech; engines are faster than real time, so its delay costs nothing."""
    from vivavoce.audio.resample import Resampler as Streaming

    return Streaming(source, target, lag="any")


if __name__ == "__main__":
    main(sys.argv[1:])
