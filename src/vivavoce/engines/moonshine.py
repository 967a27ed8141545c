"""Moonshine through moonshine-voice: English with partials, on small machines. The code and English weights are MIT.

The weights for other languages are under the Moonshine Community Licence, which forbids commercial use: they are loaded only
where a person has accepted it in so many words. The package can fetch models; this module never calls what does, and the
native library has no network in it. Of the package only ``Transcriber`` is used, whose calls are synchronous (its listeners
run inside them), so no thread needs bridging.

It has not been run on real weights: the real library (0.1.5) is fed with models made in the tests, of both layouts, that
read known things. It logs its own faults on stderr. Threads cannot be set: it has no option for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vivavoce.contracts.errors import (
    ConfigurationError,
    EngineFailed,
    EngineMissing,
    InvalidAudio,
    NotAllowed,
    Overloaded,
    UnknownName,
)
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions, Word

try:
    from moonshine_voice.errors import MoonshineError
    from moonshine_voice.moonshine_api import ModelArch
    from moonshine_voice.transcriber import MOONSHINE_FLAG_FORCE_UPDATE, Transcriber
except (ImportError, OSError) as error:  # OSError: the native library does not fit this system
    missing: Exception | None = error
else:
    missing = None

LICENCE = "moonshine-community"
"""What ``accept_licence`` must say for a language other than English."""
LANGUAGES = ("ar", "de", "es", "ja", "ko", "uk", "vi", "zh")
"""What there are weights for besides English (0.1.5)."""
_RATE = 16_000
_STEP = 2 * _RATE // 2
"""Bytes between two looks for new text: 0.5 s, the library's own choice."""
_NEVER = 1e9
_WHOLE = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
_STREAMING = ("streaming_config.json", "encoder.ort", "adapter.ort", "cross_kv.ort", "decoder_kv.ort", "tokenizer.bin")
_ATTENTION, _ATTENTION_STREAMING = "decoder_with_attention.ort", "decoder_kv_with_attention.ort"
_FRONTEND, _FRONTEND_SPLIT = ("frontend.ort",), ("frontend.model.ort", "frontend.weights.ort")

Setting = str | int | float | bool


class Moonshine:
    """Speech to text with partials. Implements ``contracts.engines.TranscriptionEngine``.

    Settings:

    - ``model``: path of a file of the model; the others lie in the same folder.
    - ``arch`` (""): "tiny", "base", "tiny-streaming", "small-streaming" or "medium-streaming"; "" goes by the files and by
      the folder's name.
    - ``language`` ("en"): the model's language. Others than English need ``accept_licence``.
    - ``accept_licence`` (""): "moonshine-community", written by a person who may and does accept that licence.
    - ``word_times`` ("auto"): whether words have times. They come from the attention of a second decoder,
      "decoder_kv_with_attention.ort" ("decoder_with_attention.ort" for "tiny" and "base"), which takes the place of the
      first; "auto" goes by whether that file is there.
    - ``max_seconds`` (600): longest utterance.

    Raises EngineMissing without the package or with files missing or damaged, NotAllowed for a licence nobody accepted,
    UnknownName for a language there is no model for, ConfigurationError for an architecture that is none.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        model = Path(str(settings.get("model", "")))
        self._language = _allowed(settings, model.parent.name)
        if missing is not None:
            raise EngineMissing(
                f"moonshine-voice cannot be used ({missing}): pip install 'vivavoce[moonshine]'", cause=missing
            )
        self._max_bytes = int(float(settings.get("max_seconds", 600.0)) * _RATE) * 2
        self._transcriber, self._word_times = _load(model, str(settings.get("arch", "")), settings.get("word_times", "auto"))
        self._open: set[_Utterance] = set()
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """One language. ``final_latency`` is the publisher's figure for "tiny-streaming" on a desktop, not measured here."""
        return Capabilities(
            "moonshine",
            languages=(self._language,),
            word_times=self._word_times,
            sample_rate=_RATE,
            concurrency=1,
            final_latency=0.07,
            licence="MIT" if self._language == "en" else "Moonshine Community Licence (non-commercial)",
        )

    def open(self, options: TranscriptionOptions) -> _Utterance:
        """Begin an utterance. Raises UnknownName for another language than the model's."""
        if self._closed:
            raise EngineFailed("the recogniser is closed")
        wanted = options.language.split("-")[0].lower()
        if wanted not in ("", "auto", self._language):
            raise UnknownName(f"this Moonshine model reads {self._language!r}, not {wanted!r}", code="unknown_language")
        try:
            stream = self._transcriber.create_stream(update_interval=_NEVER)
            stream.start()
        except MoonshineError as error:
            raise EngineFailed(f"moonshine could not begin the utterance: {error}", cause=error) from error
        utterance = _Utterance(self, stream, options, self._max_bytes)
        self._open.add(utterance)
        return utterance

    @property
    def language(self) -> str:
        """The model's."""
        return self._language

    def forget(self, utterance: _Utterance) -> None:
        """It is over."""
        self._open.discard(utterance)

    def close(self) -> None:
        """Withdraw what is open and give the model back."""
        if not self._closed:
            self._closed = True
            for utterance in tuple(self._open):
                utterance.close()
            self._transcriber.close()


class _Utterance:
    """One utterance: a stream of the library's. Implements ``contracts.engines.EngineTranscription``."""

    def __init__(self, engine: Moonshine, stream: Any, options: TranscriptionOptions, max_bytes: int) -> None:
        self._engine = engine
        self._stream = stream
        self._options = options
        self._max_bytes = max_bytes
        self._bytes = self._looked = 0
        self._text = ""
        self._closed = False

    def send(self, pcm: bytes) -> Transcript | None:
        """Feed; every 0.5 s of audio look for text. Raises InvalidAudio for half a sample."""
        if self._closed:
            raise EngineFailed("the utterance is over: open another")
        if len(pcm) % 2:
            raise InvalidAudio(f"audio is 16-bit: {len(pcm)} bytes is no whole number of samples")
        if self._bytes + len(pcm) > self._max_bytes:
            raise Overloaded(f"the utterance is longer than {self._max_bytes // (2 * _RATE)} s", retryable=False)
        self._bytes += len(pcm)
        try:
            if pcm:
                samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
                self._stream.add_audio(samples.tolist(), _RATE)
            if not self._options.partials or self._bytes - self._looked < _STEP:
                return None
            self._looked = self._bytes
            lines = self._stream.update_transcription().lines
        except MoonshineError as error:
            raise EngineFailed(f"moonshine failed on this audio: {error}", cause=error) from error
        partial = transcript(lines, self._engine.language, final=False)
        if partial.text == self._text:
            return None
        self._text = partial.text
        return partial

    def finish(self) -> Transcript:
        """Stop, and read what is left."""
        if self._closed:
            raise EngineFailed("the utterance is over: open another")
        try:
            if not self._bytes:
                return transcript((), self._engine.language, final=True)
            if self._stream.stop() is None:  # it reports the fault of its last look to listeners only
                raise EngineFailed("moonshine could not end the utterance")
            lines = self._stream.update_transcription(MOONSHINE_FLAG_FORCE_UPDATE).lines
            return transcript(lines, self._engine.language, final=True)
        except MoonshineError as error:
            raise EngineFailed(f"moonshine could not end the utterance: {error}", cause=error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Give the stream back."""
        if not self._closed:
            self._closed = True
            self._stream.close()
            self._engine.forget(self)


def transcript(lines: Sequence[Any], language: str, *, final: bool) -> Transcript:
    """The library's lines as one reading: complete ones are stable, an incomplete one may yet change."""
    said = [line for line in lines if line.text.strip()]
    text = " ".join(line.text.strip() for line in said)
    done = []
    for line in said:
        if not line.is_complete:
            break
        done.append(line.text.strip())
    words = tuple(word for line in said for word in _timed(line)) if final else ()
    return Transcript(text, final, len(text) if final else len(" ".join(done)), words, None, language)


def _timed(line: Any) -> list[Word]:
    """The words of a line with their times; none where they cannot be right.

    A streaming model that is asked for partials loses track in the library's own words (0.1.5): the last one is cut short,
    and some end before they begin. Without partials, as recordings are read, they are right.
    """
    found = [
        Word(word.word.strip(), float(word.start), float(word.end), min(1.0, max(0.0, float(word.confidence))))
        for word in line.words or ()
    ]
    times = [time for word in found for time in (word.start, word.end)]
    return found if [word.text for word in found] == line.text.split() and times == sorted(times) else []


def _allowed(settings: Mapping[str, Setting], folder: str) -> str:
    """The model's language, if its licence was accepted. The folder's name ("base-ja") is believed before the setting."""
    stated = str(settings.get("language", "en")).split("-")[0].lower() or "en"
    named = next((part for part in folder.lower().replace("_", "-").split("-") if part in LANGUAGES), None)
    language = named or stated
    if language == "en":
        return language
    if language not in LANGUAGES:
        raise UnknownName(f"there is no Moonshine model for {language!r}", code="unknown_language")
    if settings.get("accept_licence") != LICENCE:
        raise NotAllowed(
            f"Moonshine's weights for {language!r} are under the Moonshine Community Licence, which forbids commercial use. "
            f"Read it at moonshine.ai/license; if you may accept it, set accept_licence: {LICENCE}. English is free (MIT)."
        )
    return language


def _load(model: Path, arch: str, word_times: Setting) -> tuple[Any, bool]:
    """The loaded model, and whether it tells the times of words."""
    folder = model.parent
    if not str(model.name) or not folder.is_dir():
        raise EngineMissing(f"there is no Moonshine model at {model}: vivavoce models pull {folder.name or 'NAME'}")
    kind = _arch(folder, arch)
    needed = _STREAMING if kind.name.endswith("STREAMING") else _WHOLE
    if needed is _STREAMING:
        needed = (*needed, *(_FRONTEND if (folder / _FRONTEND[0]).is_file() else _FRONTEND_SPLIT))
    absent = [folder / name for name in needed if not (folder / name).is_file()]
    if absent:
        raise EngineMissing(f"the Moonshine model lacks {absent[0]}: vivavoce models pull {folder.name}")
    attention = folder / (_ATTENTION_STREAMING if kind.name.endswith("STREAMING") else _ATTENTION)
    if word_times not in (True, False, "auto"):
        raise ConfigurationError(f"word_times is auto, true or false, not {word_times!r}")
    if word_times is True and not attention.is_file():  # the library would go on without, and say so in a log only
        raise EngineMissing(f"times of words need {attention}, which the model's publisher has beside the others")
    timed = attention.is_file() and word_times is not False
    options = {"return_audio_data": "false", "identify_speakers": "false"}
    if timed:
        options["word_timestamps"] = "true"
    try:
        if "streaming_config.json" in needed:
            json.loads((folder / "streaming_config.json").read_text())
        return Transcriber(folder, kind, update_interval=_NEVER, options=options), timed
    except (MoonshineError, ValueError) as error:
        raise EngineMissing(
            f"the Moonshine model in {folder} is damaged or of another kind than {kind.name.lower().replace('_', '-')}; "
            f"the library's complaint is on stderr. Fetch it again: vivavoce models pull {folder.name}",
            cause=error,
        ) from error


def _arch(folder: Path, wanted: str) -> Any:
    streaming = (folder / "streaming_config.json").is_file()
    size = next((size for size in ("tiny", "base", "small", "medium") if size in folder.name.lower()), "tiny")
    name = wanted or (f"{size}-streaming" if streaming else size)
    try:
        return ModelArch[name.upper().replace("-", "_")]
    except KeyError as error:
        known = ", ".join(kind.name.lower().replace("_", "-") for kind in ModelArch)
        raise ConfigurationError(f"arch {name!r} is none of {known}", cause=error) from error
