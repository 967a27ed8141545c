"""Recorded human speech beside the project, cut into utterances, with the true first and last sample of each.

The recordings are not part of the project; a benchmark that needs them says so where they are absent. The truth comes from
an offline pass of the Silero model over the whole recording (32 ms frames, no gate), refined by level in steps of 5 ms:
the last step, up to two frames behind the last voiced one, that is at most 30 dB below the loud parts of the stretch and at
least 10 dB above what follows in the next 0.15 s (the first step likewise).
"""

from __future__ import annotations

import itertools
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from vivavoce.app.engines import CATALOGUE
from vivavoce.engines.silero import Silero
from vivavoce.services.models import directory, locate

RATE = 16_000
FRAME = 512
STEP = 80
FOLDER = Path(__file__).parent.parent.parent / "shared" / "speech"
ABSENT = f"no folder of recorded speech beside the project ({FOLDER.parent.name}/{FOLDER.name})"
SPLIT = 0.45
"""A pause of so many seconds divides a recording into utterances."""
LEAD, TAIL = 0.15, 0.20
"""Seconds of the recording kept around an utterance."""

Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Utterance:
    """Mono s16le at 16 kHz; ``onset`` is the first and ``end`` the sample behind the last of speech."""

    name: str
    pcm: bytes
    onset: int
    end: int
    text: str = ""
    pauses: tuple[tuple[int, int], ...] = ()
    """Silences of 0.1 s or more inside, in samples."""

    @property
    def seconds(self) -> float:
        """Of speech."""
        return (self.end - self.onset) / RATE


def present() -> bool:
    """Whether there is anything to measure with."""
    return FOLDER.is_dir() and silero_model() is not None


def silero_model() -> Path | None:
    """The voice activity model's file."""
    model = next(entry.model for entry in CATALOGUE if entry.name == "silero")
    return locate(model, directory(""))


def read(path: Path) -> Samples:
    """A WAV file (or raw 16 kHz) as 16 kHz mono."""
    if path.suffix == ".raw":
        return np.frombuffer(path.read_bytes(), "<i2")
    with wave.open(str(path)) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, channels)[:, 0]
    if rate != RATE:
        samples = np.clip(soxr.resample(samples.astype(np.float32), rate, RATE), -32_768, 32_767).astype(np.int16)
    return samples


def probabilities(samples: Samples, gate: float = -96.0) -> NDArray[np.float64]:
    """Silero's judgement of each whole frame of 512 samples, one stream from the start."""
    model = silero_model()
    assert model is not None
    engine = Silero({"model": str(model), "gate": gate})
    slot = engine.open()
    found = [
        engine.detect([(slot, samples[start : start + FRAME].tobytes())])[0][0]
        for start in range(0, len(samples) - FRAME + 1, FRAME)
    ]
    engine.close()
    return np.array(found)


def stretches(judged: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Voiced stretches in frames: from 0.5 on, until two frames below 0.35 (the product's own defaults)."""
    found: list[tuple[int, int]] = []
    start = last = -1
    for number, probability in enumerate(judged):
        if start < 0:
            if probability >= 0.5:
                start = last = number
        elif probability >= 0.35:
            last = number
        elif number - last >= 2:
            found.append((start, last + 1))
            start = -1
    if start >= 0:
        found.append((start, last + 1))
    return found


def levels(samples: Samples) -> NDArray[np.float64]:
    """dBFS of each step of 5 ms."""
    whole = samples[: len(samples) // STEP * STEP].astype(np.float64).reshape(-1, STEP)
    return 10 * np.log10(np.mean(whole**2, axis=1) / 32_768**2 + 1e-10)


def refine(loudness: NDArray[np.float64], start: int, end: int) -> tuple[int, int]:
    """First and last sample of speech around the stretch ``start`` to ``end`` (samples)."""
    low, high = max(0, (start - 2 * FRAME) // STEP), min(len(loudness), (end + 2 * FRAME) // STEP)
    loud = float(np.percentile(loudness[low:high], 95)) - 30.0
    before, behind = loudness[max(0, low - 30) : low], loudness[high : high + 30]
    first = np.nonzero(loudness[low:high] >= max(loud, _floor(before) + 10.0))[0]
    last = np.nonzero(loudness[low:high] >= max(loud, _floor(behind) + 10.0))[0]
    onset = low + int(first[0]) if len(first) else start // STEP
    ending = low + int(last[-1]) + 1 if len(last) else end // STEP
    return onset * STEP, ending * STEP


def _floor(quiet: NDArray[np.float64]) -> float:
    return float(np.median(quiet)) if len(quiet) else -96.0


def cut(name: str, samples: Samples, text: str = "", split: float = SPLIT) -> list[Utterance]:
    """A recording as utterances."""
    voiced = [(a * FRAME, b * FRAME) for a, b in stretches(probabilities(samples)) if b - a >= 3]
    loudness = levels(samples)
    groups: list[list[tuple[int, int]]] = []
    for stretch in voiced:
        if groups and stretch[0] - groups[-1][-1][1] < split * RATE:
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    found = []
    for number, group in enumerate(groups):
        exact = [refine(loudness, a, b) for a, b in group]
        onset, end = exact[0][0], exact[-1][1]
        first, last = max(0, onset - round(LEAD * RATE)), min(len(samples), end + round(TAIL * RATE))
        pauses = tuple((a[1] - first, b[0] - first) for a, b in itertools.pairwise(exact) if b[0] - a[1] >= 0.1 * RATE)
        part = faded(samples[first:last])
        label = name if len(groups) == 1 else f"{name}#{number + 1}"
        words = text if len(groups) == 1 else ""
        found.append(Utterance(label, part.tobytes(), onset - first, end - first, words, pauses))
    return found


def faded(samples: Samples, seconds: float = 0.02) -> Samples:
    """Faded in and out, so that the cut itself is no click."""
    ramp = np.linspace(0, 1, round(seconds * RATE))
    shaped = samples.astype(np.float64)
    shaped[: len(ramp)] *= ramp
    shaped[-len(ramp) :] *= ramp[::-1]
    return shaped.astype(np.int16)


@cache
def transcripts() -> dict[str, str]:
    """Text by path inside the folder, as the manifest has it."""
    found = {}
    for line in (FOLDER / "MANIFEST.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 5 and "/" in cells[0]:
            found[cells[0]] = cells[4]
    return found


@cache
def sentences() -> tuple[Utterance, ...]:
    """Every utterance of 0.6 to 8 s in the English recordings, by 8 and more people."""
    found: list[Utterance] = []
    for path in sorted((FOLDER / "en").glob("*.wav")) + sorted((FOLDER / "en").glob("*.raw")):
        found += cut(path.stem, read(path), transcripts().get(f"en/{path.name}", ""))
    return tuple(u for u in found if 0.6 <= u.seconds <= 8.0)


@cache
def words() -> tuple[Utterance, ...]:
    """Single spoken words and wake words: short utterances with a clear onset."""
    found: list[Utterance] = []
    for folder in ("wakeword", "alphanumeric"):
        for path in sorted((FOLDER / folder).glob("*.wav")):
            text = transcripts().get(f"{folder}/{path.name}", "")
            found += [u for u in cut(path.stem, read(path), text) if u.name == path.stem]
    return tuple(found)


@cache
def spoken(text: str, voice: str = "slt") -> Utterance:
    """A text spoken by flite: synthetic, for commands nobody has recorded."""
    result = subprocess.run(["flite", "-voice", voice, "-t", text, "-o", "/dev/stdout"], capture_output=True, check=True)
    start = result.stdout.find(b"data") + 8
    samples = np.frombuffer(result.stdout[start : start + (len(result.stdout) - start) // 2 * 2], "<i2")
    rate = int.from_bytes(result.stdout[24:28], "little")
    if rate != RATE:
        samples = np.clip(soxr.resample(samples.astype(np.float32), rate, RATE), -32_768, 32_767).astype(np.int16)
    padded = np.concatenate([np.zeros(RATE // 5, np.int16), samples, np.zeros(RATE // 5, np.int16)])
    (only,) = cut(f"flite {voice}: {text}", padded, text, split=2.0)
    return only


def ambient(seconds: float, level: float = -65.0, seed: int = 7) -> Samples:
    """White noise: what a microphone hears when nobody speaks."""
    wave_ = np.random.default_rng(seed).normal(0.0, 32_768 * 10 ** (level / 20), round(seconds * RATE))
    return np.clip(np.round(wave_), -32_768, 32_767).astype(np.int16)


def frames(samples: Samples, size: int = 320) -> Iterator[bytes]:
    """Pieces of 20 ms, the last one filled up with silence."""
    for start in range(0, len(samples), size):
        piece = samples[start : start + size]
        yield np.pad(piece, (0, size - len(piece))).tobytes()
