"""Scripted engines that run in real worker processes: they echo, beep, crash, hang, leak and dawdle on demand.

They enter by the entry-point group ``vivavoce.engines`` as ``test/echo``, ``test/tone``, ``test/agent``, ``test/energy``,
``test/turn``, ``test/wake`` and ``test/missing`` (``test/batch`` is next door, in ``batching``). Demands are made by
settings (``load_seconds``, ``crash_on_load``) or by what a job is given: the vocabulary of a transcription, a word of a
text, a wake word.
"""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.audio import HEARING, AudioFormat
from vivavoce.contracts.errors import DeviceLost, EngineMissing, UnknownName
from vivavoce.contracts.speech import (
    Capabilities,
    Delta,
    LanguageOptions,
    Message,
    SynthesisOptions,
    Tool,
    Transcript,
    TranscriptionOptions,
    Voice,
    WakeWord,
)
from vivavoce.testing.waking import SoundIsAWord

_hoard: list[bytes] = []
_lost: list[str] = []


def obey(words: Sequence[str]) -> None:
    """Do what a word demands, if it is one of ``DEMANDS``."""
    for word in words:
        demand = DEMANDS.get(word.strip(" .,"))
        if demand is not None:
            demand()


def _hang() -> None:
    while True:
        time.sleep(60)


def _fail() -> None:
    raise ValueError("asked to fail")


def _lose_the_gpu() -> None:
    """As a runtime does on a GPU that failed: everything fails from now on, cleaning up ends the process."""
    _lost.append("gpu")
    raise DeviceLost("the scripted GPU failed; try again")


def _spill_over() -> None:
    for descriptor in range(3, 32):
        _spill(descriptor)


def _spill(descriptor: int) -> None:
    try:
        os.write(descriptor, b"this is no frame at all")
    except OSError:
        return


DEMANDS: dict[str, Callable[[], object]] = {
    "crash": lambda: os._exit(3),
    "hang": _hang,
    "fail": _fail,
    "gpu": _lose_the_gpu,
    "leak": lambda: _hoard.append(b"x" * (64 << 20)),
    "print": lambda: os.write(1, b"printed by an engine\n"),
    "garbage": _spill_over,
    "slow": lambda: time.sleep(0.05),
}


class _Engine:
    def __init__(self, settings: Mapping[str, Any]) -> None:
        time.sleep(float(settings.get("load_seconds", 0)))
        if settings.get("crash_on_load"):
            os._exit(4)

    def close(self) -> None:
        if _lost:
            os._exit(134)


class Echo(_Engine):
    """Hears one letter per 100 ms that are not silent; the letter tells the level."""

    capabilities = Capabilities("test/echo", languages=("en",), licence="Apache-2.0")

    def open(self, options: TranscriptionOptions) -> EchoStream:
        """Vocabulary words are obeyed at each slice; ``open-crash`` crashes here."""
        if "open-crash" in options.vocabulary:
            os._exit(5)
        if options.language not in ("en", "any"):
            raise UnknownName(f"no language {options.language!r}")
        return EchoStream(options.vocabulary)


class EchoStream:
    """One utterance."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._demands = vocabulary
        self._pcm = b""
        self._text = ""

    def send(self, pcm: bytes) -> Transcript | None:
        """A partial when a letter was added."""
        obey(self._demands)
        self._pcm += pcm
        before = self._text
        while len(self._pcm) >= 3_200:
            self._hear(self._pcm[:3_200])
            self._pcm = self._pcm[3_200:]
        return Transcript(self._text, stable=len(self._text)) if self._text != before else None

    def _hear(self, pcm: bytes) -> None:
        level = peak(pcm)
        if level:
            self._text += "abcdefghijklmnopqrstuvwxyz"[min(25, level * 26 // 32768)]

    def finish(self) -> Transcript:
        """What was heard."""
        if self._pcm:
            self._hear(self._pcm)
        return Transcript(self._text, final=True, stable=len(self._text), language="en")

    def close(self) -> None:
        """Nothing is held."""


def peak(pcm: bytes) -> int:
    """Largest absolute sample."""
    return max((abs(sample) for (sample,) in struct.iter_unpack("<h", pcm)), default=0)


@dataclass(frozen=True, slots=True)
class Beep:
    """A word as audio."""

    pcm: bytes
    text_start: int
    text_end: int
    exact: bool = True


class Tone(_Engine):
    """Says each word as 10 ms per character of a 22.05 kHz tone. ``long`` takes ten seconds in pieces of 100 ms."""

    capabilities = Capabilities(
        "test/tone", sample_rate=22_050, word_times=True, voices=(Voice("beep", "Beep", "en"),), licence="Apache-2.0"
    )

    def open(self, options: SynthesisOptions) -> ToneStream:
        """Knows the voice ``beep`` only."""
        if options.voice not in ("", "beep"):
            raise UnknownName(f"no voice {options.voice!r}; there is beep")
        return ToneStream()


class ToneStream:
    """One job."""

    format = AudioFormat(22_050)

    def speak(self, text: str) -> Iterator[Beep]:
        """A beep per word; words are obeyed as they come."""
        at = 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            obey([word])
            for _ in range(100 if word == "long" else 1):
                yield Beep(_tone(0.1 if word == "long" else 0.01 * len(word)), start, at)

    def close(self) -> None:
        """Nothing is held."""


def _tone(seconds: float) -> bytes:
    count = round(22_050 * seconds)
    return struct.pack(f"<{count}h", *(round(9_000 * math.sin(0.06 * i)) for i in range(count)))


class Agent(_Engine):
    """Answers by saying the last message again, word by word; words are obeyed, ``endless`` never ends."""

    capabilities = Capabilities("test/agent", licence="Apache-2.0")

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> Iterator[Delta]:
        """The last message, a word a delta."""
        for word in messages[-1].text.split():
            obey([word])
            yield Delta(word + " ")
            while word == "endless":
                yield Delta("and on ")


class Energy(_Engine):
    """Voice activity by peak level; slots are numbers. A peak of 31337 crashes, of 31338 fails, of 31339 loses the GPU."""

    FRAME_SAMPLES = 512
    capabilities = Capabilities("test/energy", licence="Apache-2.0")

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._slots: set[int] = set()
        self._last = 0

    def open(self) -> int:
        """A fresh slot."""
        self._last += 1
        self._slots.add(self._last)
        return self._last

    def detect(self, frames: Sequence[tuple[int, bytes]]) -> list[tuple[float, float]]:
        """Refuses a slot twice in a batch, and one it does not know."""
        slots = [slot for slot, _ in frames]
        if len(set(slots)) != len(slots) or not set(slots) <= self._slots:
            raise ValueError(f"bad batch {slots}")
        return [self._judge(pcm) for _, pcm in frames]

    def _judge(self, pcm: bytes) -> tuple[float, float]:
        samples = struct.unpack_from("<4h", pcm)
        if 31_337 in samples:
            os._exit(6)
        if 31_338 in samples:
            raise ValueError("asked to fail")
        if 31_339 in samples:
            _lose_the_gpu()
        level = peak(pcm) / 32_768
        return min(1.0, level * 4), 20 * math.log10(max(level, 1e-5))

    def reset(self, slot: int) -> None:
        """Nothing to forget."""
        self._slots.add(slot)

    def release(self, slot: int) -> None:
        """Forget a slot."""
        self._slots.remove(slot)


class Turn(_Engine):
    """Louder is more surely done; a peak of 31337 crashes."""

    capabilities = Capabilities("test/turn", licence="Apache-2.0")

    def score(self, pcm: bytes) -> float:
        """Up to 8 s."""
        if len(pcm) > HEARING.samples(8) * 2:
            raise ValueError("too long")
        level = peak(pcm)
        if level == 31_337:
            os._exit(7)
        return level / 32_768


class Wake(_Engine):
    """Takes any sound of 0.3 s for the first of its words; the words ``crash``, ``fail`` and ``hang`` are obeyed, too."""

    capabilities = Capabilities("test/wake", licence="Apache-2.0", words=("computer", "hey_you", "crash", "fail", "hang"))

    def open(self, words: Sequence[str]) -> WakeStream:
        """Knows its words only."""
        for word in words:
            if word not in self.capabilities.words:
                raise UnknownName(f"no wake word {word!r}", code="unknown_wake_word")
        return WakeStream(words[0] if words else self.capabilities.words[0])


class WakeStream:
    """One stream."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._ear = SoundIsAWord()

    def send(self, pcm: bytes) -> list[WakeWord]:
        """The word, where it ended."""
        found = self._ear.send(pcm)
        if found:
            obey([self._word])
        return [WakeWord(self._word, at) for at in found]

    def reset(self) -> None:
        """Begin again."""
        self._ear = SoundIsAWord()

    def close(self) -> None:
        """Nothing is held."""


class Missing(_Engine):
    """An engine whose model is absent."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        raise EngineMissing("the test model is absent; there is no command that mends it")
