"""Synthetic speech-like PCM for tests, and a speaker who says it at real-time pace on the clock."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.ports import Clock


def silence(seconds: float, rate: int = 16_000) -> bytes:
    """Digital silence, mono s16le."""
    return bytes(2 * round(seconds * rate))


def tone(seconds: float, rate: int = 16_000, level: float = -20.0, frequency: float = 440.0) -> bytes:
    """A sine of ``level`` dBFS (RMS), mono s16le."""
    moments = np.arange(round(seconds * rate)) / rate
    return _at_level(np.sin(2 * np.pi * frequency * moments), level, math.sqrt(0.5))


def speech_like(seconds: float, rate: int = 16_000, level: float = -20.0, seed: int = 1) -> bytes:
    """A voice without words: a gliding buzz through three wandering formants, in syllables of 0.25 s.

    Loud enough for a detector by energy in every 32 ms; the same ``seed`` gives the same samples. It resembles speech in
    spectrum and rhythm, not to a neural detector: use recordings for those.
    """
    count = round(seconds * rate)
    if not count:
        return b""
    random = np.random.default_rng(seed)
    moments = np.arange(count) / rate
    syllable = np.minimum((moments / 0.25).astype(int), int(seconds / 0.25) + 1)
    pitch = 120.0 + 25.0 * np.sin(2 * np.pi * 0.7 * moments)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    formants = [random.uniform(low, high, syllable[-1] + 1) for low, high in ((300, 800), (900, 2_200), (2_300, 3_000))]
    wave = np.zeros(count)
    for harmonic in range(1, min(30, int(rate / 2 / 150))):
        gain = sum(np.exp(-(((harmonic * pitch - formant[syllable]) / 150.0) ** 2)) for formant in formants)
        wave += (gain + 0.05) * np.sin(harmonic * phase)
    wave *= 0.6 - 0.4 * np.cos(2 * np.pi * moments / 0.25)
    return _at_level(wave, level, float(np.sqrt(np.mean(wave**2))))


def _at_level(wave: np.ndarray[tuple[int], np.dtype[np.float64]], level: float, rms: float) -> bytes:
    scaled = wave * (32_768 * 10 ** (level / 20) / rms)
    return np.clip(np.round(scaled), -32_768, 32_767).astype("<i2").tobytes()


async def speak(hear: Callable[[bytes], None], pcm: bytes, clock: Clock, frame: float = 0.02, rate: int = 16_000) -> None:
    """Feed ``pcm`` (mono s16le) to ``hear`` as a microphone does: each frame comes when its last sample is spoken."""
    begin = clock.now()
    form = AudioFormat(rate)
    width = form.samples(frame) * form.frame_width
    for start in range(0, len(pcm), width):
        piece = pcm[start : start + width]
        spoken = form.seconds((start + len(piece)) // form.frame_width)
        await clock.sleep(max(0.0, begin + spoken - clock.now()))
        hear(piece)
