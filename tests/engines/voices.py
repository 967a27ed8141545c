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
from vivavoce.contracts.errors import DeviceLost, EngineFailed

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


class FailingSession:
    """A session of onnxruntime whose calls fail with ``error`` until that is None."""

    def __init__(self, session: Any, error: Exception) -> None:
        self._session = session
        self.error: Exception | None = error

    def run(self, outputs: Any, feeds: dict[str, Any]) -> Any:
        if self.error is not None:
            raise self.error
        return self._session.run(outputs, feeds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


GPU_ERRORS = [
    (
        "CUDA failure 700: an illegal memory access was encountered",
        DeviceLost,
        "gpu_failed",
    ),
    ("CUBLAS failure 14: CUBLAS_STATUS_INTERNAL_ERROR ; GPU=0", DeviceLost, "gpu_failed"),
    ("CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; GPU=0", DeviceLost, "gpu_failed"),
    ("CUDNN failure 2000: CUDNN_STATUS_BAD_PARAM ; GPU=0", EngineFailed, "engine_failed"),
    ("CUDA failure 2: out of memory ; GPU=0", EngineFailed, "out_of_memory"),
    ("bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 1572864", EngineFailed, "out_of_memory"),
    ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0", EngineFailed, "out_of_memory"),
]
"""What onnxruntime 1.31 says of a GPU while it computes, what it means, and its code."""

WITHOUT_CUDA = """
import sys
import onnxruntime
CUDA = "CUDAExecutionProvider"

class Session(onnxruntime.InferenceSession):
    def __init__(self, model, options, providers, enable_fallback):
        assert not enable_fallback
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        print("asked for", *names)
        super().__init__(model, options, providers=[name for name in names if name != CUDA])

onnxruntime.cuda_version = "13.0"
onnxruntime.get_available_providers = lambda: [CUDA, "CPUExecutionProvider"]
onnxruntime.InferenceSession = Session

from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.speech import SynthesisOptions
{engine}
for device in ("cuda", "cpu"):
    try:
        spoken = len(list(make(device).open(SynthesisOptions()).speak("Hello.")))
        print(device, "spoke" if spoken else "said nothing")
    except VivavoceError as error:
        print(type(error).__name__, error.code, error.message)
"""
"""A process in which onnxruntime behaves as onnxruntime-gpu 1.31.1 does where CUDA's libraries are missing: it offers CUDA,
and computes on the CPU. (Seen so with the real one, which is too large to be installed for a test.)"""


def assert_no_silent_fallback(engine: str) -> None:
    """``engine`` are statements that define ``make(device)``."""
    script = WITHOUT_CUDA.format(engine=engine)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    asked, refused, *on_the_cpu = done.stdout.splitlines()
    assert asked == "asked for CUDAExecutionProvider CPUExecutionProvider"
    assert "EngineMissing cuda_libraries_missing" in refused
    assert "pip install 'onnxruntime-gpu[cuda,cudnn]'" in refused
    assert "device to cpu" in refused
    assert on_the_cpu == ["asked for CPUExecutionProvider", "cpu spoke"]
