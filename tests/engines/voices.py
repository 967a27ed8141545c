"""What the tests of the speaking engines have in common."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.conftest import ROOT
from vivavoce.audio.spoken import SpokenPiece

SILENT_TEXTS = ["", " ", "\n\t", "...", "\0", "你好", "😀", "😀" * 600, "?!" * 500]
ODD_TEXTS = [
    "Hello there, my dear friend. How are you?",
    "Größe über Öl 😀 schön, 25 Äpfel.",
    "  leading and trailing   ",
    "Ends in silence ... …",
    "你好 only this is read",
    "It’s “quoted” – with dashes — and more; see: yes!",
    "nothing\0stops\x01it",
    "[[ h@loU ]] <speak> {x}",
]


class CountingSession:
    """A session of onnxruntime that counts its calls."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.calls: list[dict[str, Any]] = []

    def run(self, outputs: Any, feeds: dict[str, Any]) -> Any:
        self.calls.append(feeds)
        return self._session.run(outputs, feeds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


STARVED = """
import resource
from vivavoce.contracts.errors import EngineFailed
from vivavoce.contracts.speech import SynthesisOptions
{engine}

def starve(megabytes):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20), resource.RLIM_INFINITY))

def attempt(text, speed, megabytes):
    starve(megabytes)
    try:
        said = sum(len(piece.pcm) for piece in engine.open(SynthesisOptions(speed=speed)).speak(text))
    except EngineFailed as error:
        said = "refused" if error.retryable else f"broken: {{error}}"
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(said)

attempt("hello", 1.0, 10)
attempt("hello", 1.0, 4_000)
attempt("many words " * 7, 0.5, 3)
attempt("hello", 1.0, 4_000)
"""
"""A process in which memory runs out while a voice is loaded, then while it speaks. Says what came of four attempts."""


def with_ballast(model: Path, megabytes: int = 40) -> Path:
    """The model with weights nobody uses, so that loading it takes memory."""
    loaded = onnx.load(model)
    noise = np.random.default_rng(1).random(megabytes << 18).astype(np.float32)
    loaded.graph.initializer.append(onnx.numpy_helper.from_array(noise, "ballast"))
    onnx.save(loaded, model)
    return model


def starved(engine: str) -> list[str]:
    """What came of the attempts of an engine made by the statements ``engine``."""
    script = STARVED.format(engine=engine)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def samples(pieces: Sequence[SpokenPiece]) -> NDArray[np.float64]:
    return np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").astype(np.float64)


def assert_tiles(pieces: Sequence[SpokenPiece], text: str) -> None:
    at = 0
    for piece in pieces:
        assert piece.text_start == at
        assert piece.text_end >= at
        assert piece.pcm
        assert len(piece.pcm) % 2 == 0
        at = piece.text_end
    assert at == len(text)
