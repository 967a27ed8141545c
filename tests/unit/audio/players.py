"""Players that are not our own: the ffmpeg command decodes what was encoded, and encodes what is to be decoded."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import numpy.typing as npt

from tests.conftest import require

Floats = npt.NDArray[np.float64]

CONTAINERS = {"wav": "wav", "mp3": "mp3", "opus": "ogg", "webm": "matroska", "aac": "aac", "flac": "flac"}
"""FFmpeg's name of each container."""
RAW = {"pcm": "s16le", "pcmu": "mulaw", "pcma": "alaw"}


def require_ffmpeg() -> None:
    require(shutil.which("ffmpeg"), "ffmpeg is not installed: apt-get install ffmpeg")


def ffmpeg(arguments: list[str], data: bytes, *, check: bool = True) -> bytes:
    require_ffmpeg()
    command = ["ffmpeg", "-v", "error", "-threads", "1", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    assert not check or done.returncode == 0, done.stderr.decode(errors="replace")[-500:]
    return done.stdout


def play(name: str, data: bytes, rate: int, *, check: bool = True) -> Floats:
    """Decode with ffmpeg at the stream's own rate: samples on the scale of 16 bits."""
    how = ["-f", RAW[name], "-ar", str(rate)] if name in RAW else ["-f", CONTAINERS[name]]
    pcm = ffmpeg([*how, "-i", "pipe:0", "-f", "s16le", "-ac", "1", "pipe:1"], data, check=check)
    return samples(pcm)


def samples(pcm: bytes) -> Floats:
    return np.frombuffer(pcm[: len(pcm) // 2 * 2], "<i2").astype(np.float64)


def likeness(one: Floats, other: Floats) -> float:
    """Correlation of two sounds over their common length."""
    count = min(len(one), len(other))
    a, b = one[:count] - one[:count].mean(), other[:count] - other[:count].mean()
    return float(a.dot(b) / np.sqrt(a.dot(a) * b.dot(b)))


def best_shift(sound: Floats, expected: Floats, most: int) -> int:
    """By how many samples ``sound`` lags behind ``expected``."""
    count = min(len(expected), len(sound), 8_000 + most) - most
    return max(range(most), key=lambda shift: likeness(sound[shift : shift + count], expected[:count]))
