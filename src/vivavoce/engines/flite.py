"""English text to speech with flite, through ctypes to the system's libflite.

Permissive licence, small, and clearer than espeak-ng. Facts measured with flite 2.2: the clustergen voices (slt, rms, awb)
cost 13–15 ms per second of speech, the diphone voices (kal16, kal) below 2 ms; each text starts with 0.14–0.27 s of
silence, which is cut here, and a text is said in one go, so it is given clause by clause. There are no word times: spans
are estimated in proportion.
"""

from __future__ import annotations

import ctypes
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import EngineFailed, EngineMissing, UnknownName
from vivavoce.contracts.speech import Capabilities, SynthesisOptions, Voice
from vivavoce.text.pauses import opening_pieces, pause_after

_MENDING = "flite is not installed: apt-get install libflite1"
_VOICES = (
    ("slt", "female"),
    ("rms", "male"),
    ("awb", "male"),
    ("kal16", "male"),
    ("kal", "male"),
)
_RATE = 16_000
_PIECE = 80
"""Characters per call: at most about 5 s of speech, 70 ms of work with the slower voices."""
_FIRST_PIECE = 40
_FIRST_CHUNK, _CHUNK = 0.06, 0.1
_MARGIN = 0.02
_REST = 0.01
"""Seconds of silence that stand for text without a sound."""
_LOUD = 200
"""Absolute sample value above which it is speech: -44 dBFS; the vocoder's idle noise stays below."""

Setting = str | int | float | bool
Samples = NDArray[np.int16]


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("count", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _VoiceRecord(ctypes.Structure):
    """The head of ``cst_voice``, all that is needed to reach its features."""

    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """Mono s16le PCM and the span of characters it says, estimated in proportion to duration."""

    pcm: bytes
    text_start: int
    text_end: int
    exact: bool = False


class _Library:
    """libflite and those of its voice libraries that are present: one per process, for one thread."""

    def __init__(self) -> None:
        try:
            self._c = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise EngineMissing(_MENDING, cause=error) from error
        self._c.flite_text_to_wave.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
        self._c.flite_text_to_wave.restype = ctypes.POINTER(_Wave)
        self._c.delete_wave.argtypes = [ctypes.POINTER(_Wave)]
        self._c.flite_feat_set_float.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]
        self._c.flite_init()
        self.voices: dict[str, int] = {}
        for name, _ in _VOICES:
            record = _register(name)
            if record is not None:
                self.voices[name] = record
        if not self.voices:
            raise EngineMissing("libflite is here but none of its voices: apt-get install --reinstall libflite1")

    def speak(self, voice: str, speed: float, text: str) -> Samples:
        """Say ``text`` (ASCII): samples at ``_RATE``. Raises EngineFailed."""
        record = self.voices[voice]
        features = ctypes.cast(record, ctypes.POINTER(_VoiceRecord)).contents.features
        self._c.flite_feat_set_float(features, b"duration_stretch", 1.0 / speed)
        wave = self._c.flite_text_to_wave(text.encode("ascii"), record)
        if not wave:
            raise EngineFailed("flite failed to speak this text")
        count, rate = wave.contents.count, wave.contents.rate
        pcm = ctypes.string_at(wave.contents.samples, count * 2) if count > 0 else b""
        self._c.delete_wave(wave)
        samples = np.frombuffer(pcm, dtype="<i2")
        return samples if rate == _RATE else _doubled(samples)


def _register(name: str) -> int | None:
    try:
        register = getattr(ctypes.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
    except OSError:  # a voice that is not installed is simply not offered
        return None
    register.restype = ctypes.c_void_p
    register.argtypes = [ctypes.c_char_p]
    record: int | None = register(None)
    return record


def _doubled(samples: Samples) -> Samples:
    """8 kHz to 16 kHz by linear interpolation; enough for the one telephone-band voice."""
    if not samples.size:
        return samples
    return np.interp(np.arange(samples.size * 2) / 2, np.arange(samples.size), samples).astype(np.int16)


@lru_cache(maxsize=1)
def _library() -> _Library:
    return _Library()


class Flite:
    """English text to speech at 16 kHz.

    Settings: ``voice`` (the default one, ``slt`` where it is installed). Raises EngineMissing if the library is absent
    and UnknownName for a default voice it has not.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._library = _library()
        self._default = str(settings.get("voice", "")) or next(iter(self._library.voices))
        self._known(self._default)
        voices = tuple(Voice(name, name, "en-us", gender) for name, gender in _VOICES if name in self._library.voices)
        self._capabilities = Capabilities(
            name="flite",
            languages=("en", "en-us"),
            sample_rate=_RATE,
            voices=voices,
            concurrency=16,
            licence="BSD-like (flite, CMU voices)",
        )

    def _known(self, voice: str) -> None:
        if voice not in self._library.voices:
            raise UnknownName(f"flite has no voice {voice!r}; it has {', '.join(self._library.voices)}")

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def open(self, options: SynthesisOptions) -> FliteSynthesis:
        """Raises UnknownName for a voice it has not and for every language but English."""
        voice = options.voice.lower() or self._default
        self._known(voice)
        if options.language.lower().replace("_", "-").partition("-")[0] != "en":
            raise UnknownName(f"flite speaks only English, not {options.language!r}")
        return FliteSynthesis(self._library, voice, min(4.0, max(0.25, options.speed)))

    def close(self) -> None:
        """The library stays until its process ends."""


class FliteSynthesis:
    """One job. Several may be interleaved: each call sets the pace it needs."""

    def __init__(self, library: _Library, voice: str, speed: float) -> None:
        self._library = library
        self._voice = voice
        self._speed = speed
        self._pause = 0.0
        """Seconds owed to the piece said last."""

    @property
    def format(self) -> AudioFormat:
        return AudioFormat(_RATE)

    def speak(self, text: str) -> Iterator[SpokenPiece]:
        """Speak one piece, one clause of work at most for each ``next``.

        Spans tile the text. What has no sound at the end of it is told by a moment of silence; empty text by nothing.
        """
        told = 0
        first = True
        for offset, piece in opening_pieces(text, _FIRST_PIECE, _PIECE):
            samples = self._trim(self._library.speak(self._voice, self._speed, _ascii(piece)))
            if not samples.size:
                continue
            for begin, end in _cuts(samples.size, first):
                until = offset + len(piece) * end // samples.size
                yield SpokenPiece(samples[begin:end].tobytes(), told, until)
                told = until
            first = False
            self._pause = pause_after(piece) / self._speed
        if told < len(text):
            yield SpokenPiece(bytes(2 * int(_REST * _RATE)), told, len(text))

    def _trim(self, samples: Samples) -> Samples:
        """Cut the silence at both ends down to a margin and put the owed pause in front."""
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _LOUD)
        if not loud.size:
            return samples[:0]
        margin = int(_MARGIN * _RATE)
        kept = samples[max(0, int(loud[0]) - margin) : int(loud[-1]) + 1 + margin]
        return np.concatenate([np.zeros(int(self._pause * _RATE), np.int16), kept])

    def close(self) -> None:
        """Nothing is held between calls."""


def _ascii(text: str) -> str:
    """Letters without their accents, the rest of Unicode and control characters as blanks: all that flite can read."""
    folded = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'"))
    return "".join(char if 32 <= ord(char) < 127 else " " for char in folded if not unicodedata.combining(char))


def _cuts(total: int, first: bool) -> Iterator[tuple[int, int]]:
    """Chunk bounds in samples: a short first one, so that sound starts at once."""
    begin = 0
    size = int((_FIRST_CHUNK if first else _CHUNK) * _RATE)
    while begin < total:
        end = min(total, begin + size)
        yield begin, end
        begin, size = end, int(_CHUNK * _RATE)
