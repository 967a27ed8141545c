"""Text to speech with sherpa-onnx (2.x, Apache-2.0, free of GPL code).

It makes no phonemes of its own any more: a voice needs a lexicon, and words that are not in it are not said. ``generate``
blocks, and not every family calls its callback (2.0.1: Kitten does not), so it is given a piece of bounded length at a time:
that bounds a step, and a job is stopped between two pieces. A model that lacks something makes the library end its process,
which is why ``folder`` looks first. There are no word times: spans are estimated in proportion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.audio.spoken import Said, SpokenPiece, SpokenStream, lacks_memory
from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import EngineFailed, EngineMissing, UnknownName
from vivavoce.contracts.gpu import NO_LIBRARIES, failure, unopened
from vivavoce.contracts.speech import Capabilities, SynthesisOptions, Voice
from vivavoce.engines.sherpa_tts.folder import MENDING, Folder, look
from vivavoce.text.pauses import opening_pieces, pause_after
from vivavoce.text.readable import readable

try:
    import sherpa_onnx
except ImportError:
    sherpa_onnx = None

_FIRST_PIECE, _PIECE = 40, 80
_MOST_LISTED = 40
_DEVICES = ("cpu", "cuda", "coreml")
_LIBRARIES = "install the CUDA and cuDNN it is built for, or set device to cpu"

Setting = str | int | float | bool


class SherpaTts:
    """Text to speech with one voice of sherpa-onnx. Implements ``contracts.engines.SynthesisEngine``.

    Settings:

    - ``model``: the folder of a voice (``*.onnx``, ``tokens.txt``, ``lexicon*.txt``, rules ``*.fst`` and ``*.far``; for
      Matcha the vocoder, for Kokoro and Kitten ``voices.bin``), or a model file in it. The family follows from the files.
    - ``language``: of the voice, where its files do not tell.
    - ``voice``: the default speaker, by name or number.
    - ``threads`` (1), ``device`` ("cpu", "cuda" or "coreml").

    The model is loaded when it first speaks. A voice id is the name of the folder, with ``#speaker`` behind it where there
    are several. Raises EngineMissing without the package, a file or a lexicon, EngineFailed for what is damaged,
    UnknownName for a default voice it has not.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        if sherpa_onnx is None:
            raise EngineMissing("sherpa-onnx is not installed: pip install 'vivavoce[sherpa]'")
        if not settings.get("model"):
            raise EngineMissing(f"sherpa-onnx needs a voice: {MENDING}, then set its 'model'")
        self._folder = look(Path(str(settings["model"])), str(settings.get("language", "")))
        self._threads = max(1, int(settings.get("threads", 1)))
        self._device = str(settings.get("device", "cpu"))
        if self._device not in _DEVICES:
            raise EngineFailed(f"there is no device {self._device!r} for sherpa-onnx; it runs on {', '.join(_DEVICES)}")
        if self._device == "cuda":
            _check_cuda()
        self._tts: Any = None
        self._voices = tuple(_voices(self._folder))
        self._default = str(settings.get("voice", ""))
        if self._default:
            self._speaker(self._default)
        tag = self._folder.language
        self._capabilities = Capabilities(
            name="sherpa-tts",
            languages=tuple(dict.fromkeys((tag.partition("-")[0], tag))),
            sample_rate=self._folder.rate,
            voices=self._voices,
            concurrency=8,
            licence="Apache-2.0 (sherpa-onnx); the voice has a licence of its own",
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def open(self, options: SynthesisOptions) -> SherpaTtsSynthesis:
        """Raises UnknownName for a speaker or language the voice has not."""
        name = options.voice or self._default
        if not name and options.language.lower().replace("_", "-").partition("-")[0] not in self._capabilities.languages:
            speaks = ", ".join(self._capabilities.languages)
            raise UnknownName(f"{self._folder.name} does not speak {options.language!r}; it speaks {speaks}")
        return SherpaTtsSynthesis(self, self._speaker(name) if name else 0, min(4.0, max(0.25, options.speed)))

    def _speaker(self, name: str) -> int:
        """The number of a speaker: by voice id, by name or by number."""
        speakers = self._folder.speakers
        ids = [voice.id for voice in self._voices]
        if name in ids:
            return ids.index(name)
        if name in speakers:
            return speakers.index(name)
        if name == self._folder.name or (name.isdecimal() and int(name) < max(1, len(speakers))):
            return 0 if name == self._folder.name else int(name)
        more = f" and {len(ids) - _MOST_LISTED} more" if len(ids) > _MOST_LISTED else ""
        raise UnknownName(f"sherpa-onnx has no voice {name!r}; it has {', '.join(ids[:_MOST_LISTED])}{more}")

    @property
    def folder(self) -> Folder:
        """The voice."""
        return self._folder

    def generate(self, text: str, speaker: int, speed: float) -> NDArray[np.float32]:
        """One call of the library, which is loaded when it is first needed. Raises EngineFailed, MemoryError."""
        try:
            if self._tts is None:
                self._tts = self._load()
            samples = np.asarray(self._tts.generate(text, speaker, speed).samples, np.float32)
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            if lacks_memory(error) or isinstance(error.__cause__, MemoryError):
                raise MemoryError(str(self._folder.model)) from error
            raise failure(error, "sherpa-onnx", _LIBRARIES) or EngineFailed(
                f"sherpa-onnx failed with {self._folder.model}: {error}", cause=error
            ) from error
        return samples

    def _load(self) -> Any:
        tts = sherpa_onnx.OfflineTts(_configuration(self._folder, self._threads, self._device))
        if tts.sample_rate != self._folder.rate:
            raise EngineFailed(f"sherpa-onnx speaks at {tts.sample_rate} Hz, {self._folder.model} says {self._folder.rate}")
        return tts

    def close(self) -> None:
        """Give the model back."""
        self._tts = None


class SherpaTtsSynthesis:
    """One job. Several may be interleaved, a piece each."""

    def __init__(self, engine: SherpaTts, speaker: int, speed: float) -> None:
        self._engine = engine
        self._speaker = speaker
        self._speed = speed
        self._stream = SpokenStream(engine.folder.rate)

    @property
    def format(self) -> AudioFormat:
        return AudioFormat(self._engine.folder.rate)

    def speak(self, text: str) -> Iterator[SpokenPiece]:
        """Speak one piece, one call of the library at most for each ``next``.

        Spans tile the text and are estimated. What has no sound, such as a word the lexicon does not know, is told by a
        moment of silence; empty text by nothing.
        """
        return self._stream.tell(text, self._said(text))

    def _said(self, text: str) -> Iterator[Said]:
        for offset, piece in opening_pieces(text, _FIRST_PIECE, _PIECE):
            clean = readable(piece, self._engine.folder.language)
            samples = np.zeros(0, np.float32)
            if any(char.isalnum() for char in clean):
                samples = self._engine.generate(clean, self._speaker, self._speed)
            yield Said(samples, offset + len(piece), pause=pause_after(piece) / self._speed)

    def close(self) -> None:
        """Nothing is held between calls."""


def _check_cuda() -> None:
    """Raises EngineMissing where the library would compute on the CPU, which it says in a log at most."""
    built = next(Path(sherpa_onnx.__file__).parent.rglob("*providers_cuda*"), None)
    if built is None:
        raise EngineMissing(
            "this sherpa-onnx is built for the CPU only: install its CUDA build (see its documentation) or set device to cpu"
        )
    if lacking := unopened(str(built)):
        raise EngineMissing(f"sherpa-onnx cannot use the GPU: {_LIBRARIES} ({lacking})", code=NO_LIBRARIES)


def _voices(folder: Folder) -> Iterator[Voice]:
    if not folder.speakers:
        yield Voice(folder.name, folder.name, folder.language)
    for speaker in folder.speakers:
        yield Voice(f"{folder.name}#{speaker}", f"{folder.name} {speaker}", folder.language)


def _configuration(folder: Folder, threads: int, device: str) -> Any:
    model = sherpa_onnx.OfflineTtsModelConfig(num_threads=threads, provider=device)
    files = {"tokens": str(folder.tokens), "lexicon": folder.lexicon}
    match folder.family:
        case "vits":
            model.vits = sherpa_onnx.OfflineTtsVitsModelConfig(model=str(folder.model), **files)
        case "matcha":
            matcha = sherpa_onnx.OfflineTtsMatchaModelConfig
            model.matcha = matcha(acoustic_model=str(folder.model), vocoder=folder.vocoder, **files)
        case "kokoro":
            kokoro = sherpa_onnx.OfflineTtsKokoroModelConfig
            model.kokoro = kokoro(model=str(folder.model), voices=folder.voices, **files)
        case "kitten":
            kitten = sherpa_onnx.OfflineTtsKittenModelConfig
            model.kitten = kitten(model=str(folder.model), voices=folder.voices, **files)
    whole = sherpa_onnx.OfflineTtsConfig(
        model=model, rule_fsts=folder.rule_fsts, rule_fars=folder.rule_fars, max_num_sentences=1
    )
    if not whole.validate():
        raise EngineFailed(
            f"sherpa-onnx refuses the files of {folder.name} in {folder.model.parent}; fetch it again: {MENDING}"
        )
    return whole
