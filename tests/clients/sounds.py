"""Sound files judged by programs that are not ours, and readings judged by their words."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np

from tests.conftest import ROOT
from tests.live.server import spoken
from vivavoce.audio.codecs import wav
from vivavoce.contracts.audio import HEARING

TEXT = "The ferry leaves at half past seven in the morning, and it comes back at noon."
LONG = "The ferry crosses the bay in forty minutes, and it returns before the sun is high. " * 120
"""Ten minutes of sound: far more than the sockets between two programs hold."""
SENTENCES = (
    "What is twelve times twelve?",
    "Please open the window and close the door.",
    "My brother works in a small town near the river.",
    "Tomorrow will be warm and sunny with a light wind.",
)
QUESTION = "what is twelve times twelve"
MOST_WORD_ERRORS = 0.15
"""Of the 33 words, at most 4 wrong. No two takes of this voice are alike (its excitation is noise): of twelve rounds when
this was written ten had no wrong word, one had one and one had two. A break in the sound costs far more."""


def decoded(path: Path, form: str) -> np.ndarray:
    """Samples at 24 kHz, by ffmpeg; it must have nothing to complain about."""
    raw = ["-f", "s16le", "-ar", "24000", "-ac", "1"] if form == "pcm" else []
    command = ["ffmpeg", "-v", "error", *raw, "-i", str(path), "-f", "s16le", "-ar", "24000", "-ac", "1", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b"", f"{form}: {done.stderr.decode()}"
    return np.frombuffer(done.stdout, "<i2")


def recording(folder: Path, *texts: str) -> Path:
    """A WAV file of sentences spoken by flite, a second of silence behind each."""
    path = folder / "recording.wav"
    path.write_bytes(wav.write(b"".join(spoken(folder, text) + bytes(32_000) for text in texts), HEARING))
    return path


def question_at_24_khz(folder: Path) -> Path:
    """A question of the examples, always the same take, at the rate of the Realtime protocol, by ffmpeg."""
    there = folder / "question.wav"
    source = str(ROOT / "examples" / "twelve-times-twelve.wav")
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", source, "-ar", "24000", str(there)], check=True)
    return there


def understood(heard: str) -> bool:
    """Whether this is the question. How fast the sound comes decides where it is cut, and may cost a small word."""
    return heard.endswith("twelve times twelve") and word_errors(QUESTION, heard) <= 2


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def word_errors(wanted: str, found: str) -> int:
    """Words inserted, deleted or replaced (Levenshtein)."""
    row = list(range(len(words(found)) + 1))
    for number, word in enumerate(words(wanted), start=1):
        before, row = row, [number]
        for place, other in enumerate(words(found), start=1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (word != other)))
    return row[-1]
