"""Text to speech with Piper voices.

piper-tts is GPL-3 (it contains espeak-ng): this package is imported only in a worker process of its own. Its own
``synthesize`` computes a sentence at a time, however long; here a clause is a step, so that a long sentence is soon
heard and soon stopped. Published figures for two cores: 0.07–0.11 s of work per second of speech for a medium voice.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

from vivavoce.audio.spoken import Said, SpokenPiece, SpokenStream
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import EngineMissing, UnknownName
from vivavoce.contracts.speech import Capabilities, SynthesisOptions, Voice
from vivavoce.engines.piper.clauses import Clause, clauses
from vivavoce.engines.piper.model import Model
from vivavoce.engines.piper.phonemes import EspeakPhonemes, Phonemiser
from vivavoce.engines.piper.voice_file import MENDING, VoiceFile, read

_MOST_LISTED = 40
"""Names an error lists; some voices have 900 speakers."""

Setting = str | int | float | bool


class Piper:
    """Text to speech with one or several Piper voices. Implements ``contracts.engines.SynthesisEngine``.

    Settings:

    - ``models``: paths of ``NAME.onnx`` files, joined by ``os.pathsep``; ``NAME.onnx.json`` lies beside each. Or ``model``
      for a single one.
    - ``voice``: the default voice; empty, the first that speaks the language asked for.
    - ``max_loaded`` (2): voices in memory, 60–250 MB each; the one not used for longest goes.
    - ``threads`` (1), ``device`` ("cpu", "cuda" or "coreml").

    A voice id is the stem of its file, such as ``en_US-lessac-medium``, with ``#speaker`` behind it where there are several;
    without, the file's default speaker speaks. Raises EngineMissing without the package or a file, EngineFailed for a file
    that is damaged, UnknownName for a default voice it has not.
    """

    def __init__(self, settings: Mapping[str, Setting], phonemiser: Phonemiser | None = None) -> None:
        self._phonemiser = phonemiser or EspeakPhonemes()
        paths = [path for path in str(settings.get("models", "") or settings.get("model", "")).split(os.pathsep) if path]
        if not paths:
            raise EngineMissing(f"Piper needs a voice: {MENDING}, then set its 'models'")
        self._files = {file.stem: file for file in (read(Path(path)) for path in paths)}
        self._most = max(1, int(settings.get("max_loaded", 2)))
        self._threads = max(1, int(settings.get("threads", 1)))
        self._device = str(settings.get("device", "cpu"))
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._default = str(settings.get("voice", ""))
        if self._default:
            self._by_name(self._default)
        self._capabilities = Capabilities(
            name="piper",
            languages=_languages(self._files),
            word_times=True,
            sample_rate=next(iter(self._files.values())).rate,
            voices=tuple(voice for file in self._files.values() for voice in _voices(file)),
            concurrency=8,
            licence="GPL-3.0-or-later (piper-tts, espeak-ng); each voice has a licence of its own",
        )

    @property
    def capabilities(self) -> Capabilities:
        """``sample_rate`` is that of the first voice; others may differ (16 or 22.05 kHz)."""
        return self._capabilities

    def open(self, options: SynthesisOptions) -> PiperSynthesis:
        """Raises UnknownName for a voice or language it has not."""
        name = options.voice or self._default
        file, speaker = self._by_name(name) if name else self._by_language(options.language)
        return PiperSynthesis(self, file, speaker, min(4.0, max(0.25, options.speed)))

    def _by_name(self, name: str) -> tuple[VoiceFile, int | None]:
        stem, _, speaker = name.partition("#")
        file = self._files.get(stem)
        if file is None or (speaker and speaker not in file.speakers):
            raise UnknownName(f"Piper has no voice {name!r}; it has {_listed(self._names())}")
        return file, file.speakers[speaker] if speaker else file.default_speaker

    def _names(self) -> list[str]:
        return [voice.id for file in self._files.values() for voice in _voices(file)]

    def _by_language(self, tag: str) -> tuple[VoiceFile, int | None]:
        tag = tag.lower().replace("_", "-")
        base = tag.partition("-")[0]
        files = self._files.values()
        fitting = [file for file in files if file.language == tag]
        fitting += [file for file in files if file.language.partition("-")[0] == base]
        if fitting:
            return fitting[0], fitting[0].default_speaker
        raise UnknownName(f"Piper has no voice for the language {tag!r}; it speaks {', '.join(_languages(self._files))}")

    @property
    def loaded(self) -> tuple[str, ...]:
        """Stems of the voices in memory, the one not used for longest first."""
        return tuple(self._models)

    def model(self, file: VoiceFile) -> Model:
        """The voice, loaded if it is not; another may have to go."""
        model = self._models.pop(file.stem, None)
        if model is None:
            while len(self._models) >= self._most:
                self._models.popitem(last=False)
            model = Model(file, self._threads, self._device)
        self._models[file.stem] = model
        return model

    def clauses(self, text: str, file: VoiceFile) -> Iterator[Clause]:
        """What is one call of the model each."""
        return clauses(text, file, self._phonemiser)

    def close(self) -> None:
        """Give the voices back. espeak-ng stays until its process ends."""
        self._models.clear()


class PiperSynthesis:
    """One job. Several may be interleaved, a clause each."""

    def __init__(self, engine: Piper, file: VoiceFile, speaker: int | None, speed: float) -> None:
        self._engine = engine
        self._file = file
        self._speaker = speaker
        self._speed = speed
        self._stream = SpokenStream(file.rate)

    @property
    def format(self) -> AudioFormat:
        return AudioFormat(self._file.rate)

    def speak(self, text: str) -> Iterator[SpokenPiece]:
        """Speak one piece, one call of the model at most for each ``next``.

        Spans tile the text, and are exact where the voice tells its durations and the words can be told apart. What has
        no sound is told by a moment of silence; empty text by nothing.
        """
        return self._stream.tell(text, self._said(text))

    def _said(self, text: str) -> Iterator[Said]:
        for clause in self._engine.clauses(text, self._file):
            if clause.reading is None:
                yield clause.unsaid()
                continue
            said = self._engine.model(self._file).run(clause.reading.ids, self._speaker, self._speed)
            yield clause.said(said.samples, said.durations, self._speed)

    def close(self) -> None:
        """Nothing is held between calls."""


def _voices(file: VoiceFile) -> Iterator[Voice]:
    if not file.speakers:
        yield Voice(file.stem, file.stem, file.language)
    for speaker in file.speakers:
        yield Voice(f"{file.stem}#{speaker}", f"{file.stem} {speaker}", file.language)


def _languages(files: Mapping[str, VoiceFile]) -> tuple[str, ...]:
    tags = {file.language for file in files.values()}
    return tuple(sorted(tags | {tag.partition("-")[0] for tag in tags}))


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
