"""Text to speech with Kokoro.

kokoro-onnx is MIT and the model Apache-2.0, but both read text with espeak-ng (GPL-3): this package is imported only in a
worker process of its own. A call of the model costs 0.35–0.6 s per second of speech on two cores, whatever the text; so the
first piece is short, and each further one only so much longer that it is ready when the one before has been heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from vivavoce.audio.spoken import Mark, Said, SpokenPiece, SpokenStream
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import EngineMissing, UnknownName
from vivavoce.contracts.speech import Capabilities, SynthesisOptions, Voice
from vivavoce.engines.kokoro.library import (
    FASTEST,
    MENDING,
    MOST_PHONEMES,
    RATE,
    SLOWEST,
    Batch,
    Model,
    require_package,
    voice_names,
)
from vivavoce.text.pauses import growing_pieces, pause_after
from vivavoce.text.readable import readable
from vivavoce.text.spoken_words import spoken_words, word_ends

_LANGUAGES = {
    "a": ("en-us", "en-us"),
    "b": ("en-gb", "en-gb"),
    "e": ("es", "es"),
    "f": ("fr", "fr-fr"),
    "h": ("hi", "hi"),
    "i": ("it", "it"),
    "j": ("ja", "ja"),
    "p": ("pt-br", "pt-br"),
    "z": ("zh", "cmn"),
}
"""By the first letter of a voice: its language and the name espeak-ng has for it."""
_GENDERS = {"f": "female", "m": "male"}
_PREFERRED = ("af_heart", "bf_emma")
"""Voices its makers grade best, where a language has several; else the first by name."""
_FIRST_PIECE, _PIECE, _GROWTH = 30, 80, 1.6

Setting = str | int | float | bool


class Kokoro:
    """Text to speech at 24 kHz. Implements ``contracts.engines.SynthesisEngine``.

    Settings: ``model`` (path of ``kokoro*.onnx``; ``voices*.bin`` lies beside it, or ``voices`` names it), ``voice`` (the
    default one; empty: by language), ``threads`` (2), ``device`` ("cpu", "cuda" or "coreml"). The model is loaded when it
    first speaks. Speeds outside 0.5–2 are spoken at the nearest of these.

    Raises EngineMissing without the package or a file, EngineFailed for a voices file that is damaged, UnknownName for a
    default voice it has not.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        require_package()
        self._path = Path(str(settings.get("model", "")))
        if not self._path.is_file():
            raise EngineMissing(f"Kokoro lacks its model, setting 'model' ({self._path}): {MENDING}")
        self._voices_path = _voices_beside(self._path, str(settings.get("voices", "")))
        names = voice_names(self._voices_path)
        self._threads = max(1, int(settings.get("threads", 2)))
        self._device = str(settings.get("device", "cpu"))
        self._model: Model | None = None
        voices = tuple(_voice(name) for name in names if name[:1] in _LANGUAGES)
        self._voices = {voice.id: voice for voice in sorted(voices, key=lambda voice: voice.id not in _PREFERRED)}
        self._default = str(settings.get("voice", ""))
        if self._default:
            self._known(self._default)
        languages = {voice.language for voice in voices}
        self._capabilities = Capabilities(
            name="kokoro",
            languages=tuple(sorted(languages | {tag.partition("-")[0] for tag in languages})),
            sample_rate=RATE,
            voices=voices,
            concurrency=2,
            licence="Apache-2.0 (model), MIT (kokoro-onnx), GPL-3.0-or-later (espeak-ng)",
        )

    @property
    def capabilities(self) -> Capabilities:
        """No word times are promised: the models published first tell no durations. Where one does, spans are exact."""
        return self._capabilities

    def open(self, options: SynthesisOptions) -> KokoroSynthesis:
        """Raises UnknownName for a voice or language it has not."""
        name = options.voice or self._default
        voice = self._known(name) if name else self._by_language(options.language)
        return KokoroSynthesis(self, voice, min(FASTEST, max(SLOWEST, options.speed)))

    def _known(self, name: str) -> Voice:
        if name not in self._voices:
            raise UnknownName(f"Kokoro has no voice {name!r}; it has {', '.join(sorted(self._voices))}")
        return self._voices[name]

    def _by_language(self, tag: str) -> Voice:
        tag = tag.lower().replace("_", "-")
        base = tag.partition("-")[0]
        fitting = [voice for voice in self._voices.values() if voice.language == tag]
        fitting += [voice for voice in self._voices.values() if voice.language.partition("-")[0] == base]
        if not fitting:
            speaks = ", ".join(self._capabilities.languages)
            raise UnknownName(f"Kokoro has no voice for the language {tag!r}; it speaks {speaks}")
        return fitting[0]

    @property
    def model(self) -> Model:
        """Loaded when it is first needed."""
        if self._model is None:
            self._model = Model(self._path, self._voices_path, self._threads, self._device)
        return self._model

    def close(self) -> None:
        """Give the model back. espeak-ng stays until its process ends."""
        if self._model is not None:
            self._model.close()
        self._model = None


class KokoroSynthesis:
    """One job. Several may be interleaved, a piece each."""

    def __init__(self, engine: Kokoro, voice: Voice, speed: float) -> None:
        self._engine = engine
        self._voice = voice
        self._language = _LANGUAGES[voice.id[0]][1]
        self._speed = speed
        self._stream = SpokenStream(RATE)

    @property
    def format(self) -> AudioFormat:
        return AudioFormat(RATE)

    def speak(self, text: str) -> Iterator[SpokenPiece]:
        """Speak one piece, one call of the model at most for each ``next``.

        Spans tile the text, and are exact where the model tells its durations and the words can be told apart. What has
        no sound is told by a moment of silence; empty text by nothing.
        """
        return self._stream.tell(text, self._said(text))

    def _said(self, text: str) -> Iterator[Said]:
        for offset, piece in growing_pieces(text, _FIRST_PIECE, _PIECE, _GROWTH):
            clean = readable(piece, self._voice.language)
            phonemes = self._engine.model.phonemes(clean, self._language) if clean.strip() else ""
            parts = [part for part in _bounded(phonemes) if any(char.isalpha() for char in part)]
            if not parts:
                yield Said(np.zeros(0, np.float32), offset + len(piece))
            start = offset
            for index, part in enumerate(parts):
                last = index == len(parts) - 1
                done = sum(len(other) for other in parts[: index + 1])
                end = offset + (len(piece) if last else len(piece) * done // len(phonemes))
                batch = self._engine.model.run(part, self._voice.id, self._speed)
                marks, exact = self._marks(batch, part, (start, end, clean[start - offset : end - offset]))
                yield Said(batch.samples, end, marks, exact, (pause_after(piece) if last else 0.0) / self._speed)
                start = end

    def _marks(self, batch: Batch, phonemes: str, span: tuple[int, int, str]) -> tuple[tuple[Mark, ...], bool]:
        start, end, clean = span
        ends = [sample for _, sample in batch.ends]
        if len(ends) != len(phonemes):
            return (), False
        words = spoken_words(phonemes)
        spoken = [phonemes[first:last] for first, last in words]
        model = self._engine.model
        until, exact = word_ends(clean, spoken, lambda word: [model.phonemes(word, self._language)])
        marks: list[Mark] = []
        told = start
        for (first, last), chars in zip(words, until, strict=True):
            marks += [(ends[first - 1] if first else 0, told), (ends[last - 1], min(end, start + chars))]
            told = marks[-1][1]
        return tuple(marks), exact

    def close(self) -> None:
        """Nothing is held between calls."""


def _voices_beside(model: Path, named: str) -> Path:
    """The voices file: the one named, else the one beside the model, the newest by name."""
    if named:
        return Path(named)
    found = sorted(model.parent.glob("voices*.bin"))
    return found[-1] if found else model.with_name("voices-v1.0.bin")


def _voice(name: str) -> Voice:
    return Voice(name, name.partition("_")[2].capitalize() or name, _LANGUAGES[name[0]][0], _GENDERS.get(name[1:2]))


def _bounded(phonemes: str) -> Iterator[str]:
    """At most ``MOST_PHONEMES``, cut behind a word where there is one."""
    while len(phonemes) > MOST_PHONEMES:
        blank = phonemes.rfind(" ", MOST_PHONEMES // 4, MOST_PHONEMES)
        size = blank + 1 if blank > 0 else MOST_PHONEMES
        yield phonemes[:size].strip()
        phonemes = phonemes[size:]
    yield phonemes
