"""Scenes in which the server only has to wait for the end of a turn: a development set, and one that was held out.

Development: the recordings read aloud and the dictated digits that the constants of endpointing were once chosen by, and
synthetic turns. Held out: recordings that were in no scene before (60 s of a discussion, in which the speaker may change;
a sentence of Common Voice; two recordings of digits; names spelled with single recorded letters), and synthetic turns with
other words, other voices and other pauses. The synthetic turns are flite's, one breath at a time: its voice falls at every
full stop, so that only pauses and words tell the end. Pauses are drawn from a log-normal distribution around 0.55 s
(0.25 to 1.4 s).
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import speech
from bench.aligned import align
from bench.speech import RATE, Samples
from bench.spoken_turns import DEVELOPMENT, HELD_OUT, SHORT_DEVELOPMENT, SHORT_HELD_OUT, Turns
from bench.stage import TimedWord
from vivavoce.sessions.options import Hint

BEHIND = 3.0
"""Seconds of silence behind everything."""
MEDIAN_PAUSE, SPREAD, SHORTEST, LONGEST = 0.55, 0.45, 0.25, 1.4
SHORT = "one breath"
"""Group of the short questions and commands."""

Expect = Literal["answer", "go on", "stop"]


@dataclass(frozen=True, slots=True)
class Scene:
    """A track for the microphone, the words in it, and what ought to happen."""

    name: str
    group: str
    track: Samples
    words: tuple[TimedWord, ...]
    expect: Expect
    end: int
    pauses: int = 0
    hint: Hint = "none"


def development() -> Iterator[Scene]:
    """What constants may be chosen by."""
    yield from (scene for scene, _ in read_aloud())
    for utterance in speech.sentences():
        if "#" in utterance.name and utterance.pauses:
            yield _listen(utterance.name, "read aloud, excerpt", np.frombuffer(utterance.pcm, "<i2"), "")
    digits = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    for number in range(12):
        dice = np.random.default_rng(number)
        group = [digits[int(d)] for d in dice.integers(0, 10, 10)]
        hint: Hint = "digits" if number % 2 else "none"
        yield _one_by_one(f"digits {number + 1}", f"digits, hint {hint}", group, dice, hint)
    yield from _synthetic(DEVELOPMENT, SHORT_DEVELOPMENT, ("slt", "rms"), 300)


def read_aloud() -> Iterator[tuple[Scene, str]]:
    """The recordings of people with a transcript, and that."""
    for path in sorted((speech.FOLDER / "en").glob("*.wav")):
        text = speech.transcripts().get(f"en/{path.name}", "")
        if text and not path.stem.startswith("vosk"):
            (whole,) = speech.cut(path.stem, speech.read(path), text, split=30.0)
            yield _listen(whole.name, "read aloud", np.frombuffer(whole.pcm, "<i2"), text), text


def held_out() -> Iterator[Scene]:
    """What is only ever reported."""
    discussion = speech.FOLDER / "vad" / "silero_test.wav"
    for part in speech.cut("discussion", speech.read(discussion), split=2.0):
        if part.seconds > 2.0:
            yield _listen(part.name, "discussion", np.frombuffer(part.pcm, "<i2"), "")
    for name in ("vosk_test_digits.wav", "numbers.raw"):
        for part in speech.cut(name, speech.read(speech.FOLDER / "en" / name), split=3.0):
            text = "one two three " * max(1, round(part.seconds))
            yield _listen(part.name, "digits, recorded in one", np.frombuffer(part.pcm, "<i2"), text, aligned=False)
    voice = speech.FOLDER / "en" / "common_voice_en_651325.mp3"
    if shutil.which("ffmpeg"):
        command = ["ffmpeg", "-v", "error", "-i", str(voice), "-ar", str(RATE), "-ac", "1", "-f", "s16le", "-"]
        pcm = subprocess.run(command, capture_output=True, check=True).stdout
        for part in speech.cut("common voice", np.frombuffer(pcm, "<i2"), split=3.0):
            yield _listen(part.name, "discussion", np.frombuffer(part.pcm, "<i2"), "")
    for number, name in enumerate(("katrin", "bowles", "mirjam", "dupont", "yusuf", "hendricks", "lovelace", "zapata")):
        hint: Hint = "spelling" if number % 2 else "none"
        yield _one_by_one(f"spelled {name}", f"spelling, hint {hint}", name, np.random.default_rng(700 + number), hint)
    yield from _synthetic(HELD_OUT, SHORT_HELD_OUT, ("awb", "kal16"), 900)


# --- recordings --------------------------------------------------------------------------------------------------------


def _listen(name: str, group: str, samples: Samples, text: str, *, aligned: bool = True) -> Scene:
    track, start = placed(samples, 0.5)
    stretches = [
        (start + a * speech.FRAME, start + b * speech.FRAME) for a, b in speech.stretches(speech.probabilities(samples))
    ]
    loudness = speech.levels(track)
    end = speech.refine(loudness, stretches[-1][0], stretches[-1][1])[1]
    pauses = sum(1 for a, b in itertools.pairwise(stretches) if b[0] - a[1] >= 0.1 * RATE)
    words = _aligned(samples, text, start, stretches) if text and aligned else ()
    words = words or timed(text.split() or _mumbled(stretches), stretches)
    return Scene(name, group, track, words, "answer", end, pauses)


def _aligned(samples: Samples, text: str, start: int, stretches: list[tuple[int, int]]) -> tuple[TimedWord, ...]:
    """The aligner gives a word the silence behind it; it ends with the stretch it began in."""
    found = []
    for word in align(samples, text):
        first, last = start + word.start, start + word.end
        end = next((b for a, b in stretches if b > first), last)
        found.append(TimedWord(word.text, first, max(first + 1, min(last, end))))
    return tuple(found)


def _mumbled(stretches: list[tuple[int, int]]) -> list[str]:
    """Words for an excerpt without a transcript of its own: neutral ones that neither end nor continue a sentence."""
    seconds = sum(b - a for a, b in stretches) / RATE
    return ["season"] * max(2, round(seconds * 2.5))


def _one_by_one(name: str, group: str, parts: Sequence[str], dice: np.random.Generator, hint: Hint) -> Scene:
    """Single recorded digits or letters, a pause behind each third."""
    pieces, words, at = [], [], 0
    for place, part in enumerate(parts):
        path = speech.FOLDER / "alphanumeric" / f"{part}__petewarden_nohash_{place % 3}.wav"
        (one,) = speech.cut(part, speech.read(path), part, split=2.0)[:1]
        samples = np.frombuffer(one.pcm, "<i2")[one.onset : one.end]
        words.append(TimedWord(part, at, at + len(samples)))
        pause = 0.1 if place % 3 != 2 else float(dice.uniform(0.3, 0.6))
        pieces += [speech.faded(samples, 0.005), np.zeros(round(pause * RATE), np.int16)]
        at += len(samples) + len(pieces[-1])
    last = len(pieces.pop())
    track, start = placed(np.concatenate(pieces), 0.5)
    moved = tuple(TimedWord(w.text, w.start + start, w.end + start) for w in words)
    return Scene(name, group, track, moved, "answer", start + at - last, (len(parts) - 1) // 3, hint)


# --- synthetic turns ---------------------------------------------------------------------------------------------------


def _synthetic(turns: Turns, short: Sequence[str], voices: tuple[str, str], seed: int) -> Iterator[Scene]:
    if not shutil.which("flite"):
        return
    number = 0
    for group, found in turns.items():
        for stretches in found:
            number += 1
            yield _breaths(f"synthetic, {group}", stretches, voices[number % 2], np.random.default_rng(seed + number))
    for place, text in enumerate(short):
        yield _breaths(SHORT, (text,), voices[place % 2], np.random.default_rng(0))


def _breaths(group: str, stretches: Sequence[str], voice: str, dice: np.random.Generator) -> Scene:
    pieces: list[Samples] = []
    words: list[TimedWord] = []
    at = end = round(0.5 * RATE)
    for stretch in stretches:
        said = speech.spoken(stretch, voice)
        samples = np.frombuffer(said.pcm, "<i2")[said.onset : said.end]
        if pieces:
            pause = float(np.clip(MEDIAN_PAUSE * np.exp(dice.normal(0, SPREAD)), SHORTEST, LONGEST))
            pieces.append(np.zeros(round(pause * RATE), np.int16))
            at = end + len(pieces[-1])
        plain = stretch.lower().replace(".", "").replace(",", "").replace("?", "").split()
        words += timed(plain, [(at, at + len(samples))])
        pieces.append(speech.faded(samples, 0.005))
        end = at + len(samples)
    track, _ = placed(np.concatenate(pieces), 0.5)
    return Scene(f"{stretches[0]} ({voice})", group, track, tuple(words), "answer", end, len(stretches) - 1)


# --- tracks ------------------------------------------------------------------------------------------------------------


def placed(samples: Samples, seconds: float) -> tuple[Samples, int]:
    """In noise, ``seconds`` from the start; the track goes on for a while."""
    start = round(seconds * RATE)
    track = speech.ambient(seconds + len(samples) / RATE + BEHIND).astype(np.int32)
    track[start : start + len(samples)] += samples
    return np.clip(track, -32_768, 32_767).astype(np.int16), start


def timed(words: list[str], stretches: list[tuple[int, int]]) -> tuple[TimedWord, ...]:
    """Words laid over voiced stretches by their length."""
    total = sum(b - a for a, b in stretches)
    letters = sum(len(word) + 1 for word in words)
    found, spent = [], 0
    for word in words:
        start, spent = spent, spent + (len(word) + 1) * total // max(1, letters)
        found.append(TimedWord(word, _at(start, stretches), _at(max(start, spent - 1), stretches)))
    return tuple(found)


def _at(voiced: int, stretches: list[tuple[int, int]]) -> int:
    for a, b in stretches:
        if voiced < b - a:
            return a + voiced
        voiced -= b - a
    return stretches[-1][1]
