"""Ports that make losses visible, plugged in as any others are: a voice no two frames of which sound alike, and a language
model that recites what it remembers.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import ROOT
from vivavoce.contracts.audio import AudioChunk
from vivavoce.contracts.ports import Synthesis
from vivavoce.contracts.speech import Capabilities, Message, SpokenAudio, SynthesisOptions
from vivavoce.testing.ports import open_port as scripted
from vivavoce.testing.speaking import ScriptedLanguageModel, ScriptedTextToSpeech

RATE = 24_000
SECONDS = 120
SECONDS_PER_CHARACTER = 0.06
RECITE = "recite"
"""What to type to be told what the conversation holds."""

AT_LENGTH = "at length"

SETTINGS = ("--set", "engines.tts=reciter", "--set", "engines.llm=reciter")
SCRIPTED = (*SETTINGS, *(part for kind in ("stt", "vad", "turn") for part in ("--set", f"engines.{kind}=scripted")))
"""No engine is real: the server is up at once."""


def noise() -> np.ndarray[Any, np.dtype[np.int16]]:
    """What the voice says in two minutes: never zero, and nowhere like itself."""
    random = np.random.default_rng(20_240)
    loud = random.integers(200, 2_000, SECONDS * RATE)
    return (loud * random.choice([-1, 1], SECONDS * RATE)).astype(np.int16)


def environment(folder: Path) -> dict[str, str]:
    """In which a server finds these ports by their entry point."""
    info = folder / "reciter-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: reciter\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[vivavoce.ports]\nreciter = tests.browser.reciter:open_port\n")
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def open_port(kind: str, name: str, settings: dict[str, Any]) -> Any:
    """The entry point."""
    if kind == "llm":
        return ScriptedLanguageModel(answer, tokens_per_second=1_000.0, name=name)
    if kind == "tts":
        return NoiseVoice(name)
    return scripted(kind, name, settings)


def answer(messages: Sequence[Message]) -> str:
    """Something; or each thing that was said and answered, in a few words."""
    talk = [message for message in messages if message.role in ("user", "assistant")]
    asked = talk[-1].text
    if asked == RECITE:
        return "; ".join(f"{message.role} {' '.join(message.text.split()[:3])}" for message in talk[:-1]) or "nothing"
    return about(asked)


def about(asked: str) -> str:
    """The reply to whatever else is asked: some seven seconds of speech where it is asked at length."""
    if not asked.endswith(AT_LENGTH):
        return f"About {asked}: it ends."
    return f"About {asked}: " + "and so it goes on and on for a good while longer, " * 2 + "until it ends."


class NoiseVoice:
    """The scripted voice in time and place, with other samples."""

    def __init__(self, name: str) -> None:
        self._inner = ScriptedTextToSpeech(name=name, seconds_per_character=SECONDS_PER_CHARACTER)
        self._samples = noise()

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def open(self, options: SynthesisOptions) -> Synthesis:
        return _Noise(self._inner.open(options), self._samples)


class _Noise:
    def __init__(self, inner: Synthesis, samples: np.ndarray[Any, np.dtype[np.int16]]) -> None:
        self._inner = inner
        self._samples = samples

    def send(self, text: str) -> None:
        self._inner.send(text)

    def flush(self) -> None:
        self._inner.flush()

    def finish(self) -> None:
        self._inner.finish()

    def cancel(self) -> None:
        self._inner.cancel()

    def __aiter__(self) -> AsyncIterator[SpokenAudio]:
        return self

    async def __anext__(self) -> SpokenAudio:
        audio = await anext(aiter(self._inner))
        chunk = audio.chunk
        pcm = self._samples[chunk.offset : chunk.end].astype("<i2").tobytes()
        return dataclasses.replace(audio, chunk=AudioChunk(pcm, chunk.format, chunk.offset))
