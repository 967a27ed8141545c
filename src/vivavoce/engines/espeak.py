"""Text to speech with espeak-ng, through ctypes.

espeak-ng is GPL-3 and keeps its state in globals: this file is imported only in a worker process of its own, and only
one thread may call it. Facts this file rests on, measured with espeak-ng 1.52:

- Output mode 2 (synchronous) needs no thread: a call returns when the text is said, 1.2 ms per second of speech. Mode 1
  polls and costs 20 ms a call.
- Word events count Unicode characters from 1 and give the sample at which the word begins.
- The silence behind the last word is dropped, so the pause between two pieces is put in here.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.errors import EngineFailed, EngineMissing, UnknownName
from vivavoce.contracts.speech import Capabilities, SynthesisOptions, Voice
from vivavoce.text.pauses import bounded_pieces, pause_after

try:
    import espeakng_loader
except ImportError:
    espeakng_loader = None

_MENDING = "espeak-ng is not installed: pip install 'vivavoce[builtin]'"
_SYNCHRONOUS = 2
_BUFFER_MS = 60
_UTF8 = 1
_RATE_PARAMETER = 1
_WORD_EVENT = 1
_WORDS_PER_MINUTE = 175
_SLOWEST, _FASTEST = 80, 900
"""Words per minute espeak-ng obeys: below 80 it stays at 80 (about half pace), above 450 it squeezes time."""
_PIECE = 160
"""Characters per call: 10 s of speech, 10 ms of work."""
_LONGEST_CALL = 40.0
"""Seconds of audio one call may make: one unknown character can be read as ten words. Beyond it the piece is halved."""
_FIRST_CHUNK, _CHUNK = 0.06, 0.1
_MARGIN = 0.005
_REST = 0.01
"""Seconds of silence that stand for text without a sound."""
_LOUD = 100
"""Absolute sample value above which it is speech: -50 dBFS."""
_PREFERRED = {"en": "en-us", "zh": "cmn", "zh-hant": "cmn", "zh-hk": "yue", "no": "nb", "iw": "he", "in": "id"}

Setting = str | int | float | bool
Samples = NDArray[np.int16]


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


class _VoiceRecord(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """Mono s16le PCM and the span of characters it says; exact at word boundaries, in proportion inside a word."""

    pcm: bytes
    text_start: int
    text_end: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class _ListedVoice:
    identifier: str
    name: str
    languages: tuple[tuple[int, str], ...]
    """(priority, tag): a smaller number is a better fit."""
    gender: str | None


class _Library:
    """The shared library: one per process. Not to be used from two threads."""

    def __init__(self, library: str, data: str) -> None:
        try:
            self._c = ctypes.CDLL(library)
        except OSError as error:
            raise EngineMissing(
                f"espeak-ng cannot be loaded ({error}): pip install 'vivavoce[builtin]'", cause=error
            ) from error
        self._declare()
        self.rate: int = self._c.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data.encode(), 0)
        if self.rate <= 0:
            raise EngineMissing(f"espeak-ng finds no voice data in {data}: pip install --force-reinstall espeakng-loader")
        self.variants = {path.name.lower(): path.name for path in Path(data, "voices", "!v").glob("*")}
        self._data = Path(data)
        self._set: tuple[str, int] | None = None
        self._pcm = bytearray()
        self._marks: list[tuple[int, int]] = []
        self._limit = 0
        self._callback = _Callback(self._take)  # the library keeps only the pointer
        self._c.espeak_SetSynthCallback(self._callback)

    def _declare(self) -> None:
        c = self._c
        c.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        c.espeak_ListVoices.argtypes = [ctypes.c_void_p]
        c.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceRecord))
        c.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        c.espeak_SetParameter.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
        whole, text = ctypes.c_uint, ctypes.c_void_p
        c.espeak_Synth.argtypes = [text, ctypes.c_size_t, whole, ctypes.c_int, whole, whole, text, text]

    def voices(self) -> Iterator[_ListedVoice]:
        """The voices that can speak: the library lists a few whose dictionary does not come with it."""
        dictionaries = {path.name.removesuffix("_dict") for path in self._data.glob("*_dict")}
        for record in _until_null(self._c.espeak_ListVoices(None)):
            gender = {1: "male", 2: "female"}.get(record.gender)
            languages = tuple(_languages(record.languages))
            voice = _ListedVoice(record.identifier.decode(), record.name.decode().strip(), languages, gender)
            if languages[0][1].partition("-")[0] in dictionaries or self._other_dictionary(voice) in dictionaries:
                yield voice

    def _other_dictionary(self, voice: _ListedVoice) -> str:
        """The dictionary a voice borrows from another language, by its definition."""
        definition = self._data / "lang" / voice.identifier
        lines = definition.read_text("utf-8", errors="replace").splitlines() if definition.is_file() else []
        return next((line.split()[1] for line in lines if line.startswith("dictionary ")), "")

    def speak(self, voice: str, pace: int, text: str) -> tuple[Samples, list[tuple[int, int]]] | None:
        """Say ``text``: its samples and (sample, character) where words begin; None if it grew beyond the bound."""
        if self._set != (voice, pace):
            self._set = None
            if self._c.espeak_SetVoiceByName(voice.encode()):
                raise EngineFailed(f"espeak-ng refuses its own voice {voice}")
            self._c.espeak_SetParameter(_RATE_PARAMETER, pace, 0)
            self._set = (voice, pace)
        self._pcm, self._marks = bytearray(), []
        self._limit = int(_LONGEST_CALL * self.rate) * 2
        encoded = _clean(text).encode("utf-8", errors="replace") + b"\0"
        if self._c.espeak_Synth(encoded, len(encoded), 0, 1, 0, _UTF8, None, None):
            raise EngineFailed("espeak-ng failed to speak this text")
        if len(self._pcm) > self._limit:
            return None
        return np.frombuffer(self._pcm, dtype="<i2"), self._marks

    def _take(self, samples: Any, count: int, events: Any) -> int:
        index = 0
        while events and events[index].type:
            if events[index].type == _WORD_EVENT:
                self._marks.append((events[index].sample, events[index].text_position - 1))
            index += 1
        if samples and count > 0:
            self._pcm += ctypes.string_at(samples, count * 2)
        return int(len(self._pcm) > self._limit)  # 1 stops the library


def _until_null(pointers: Any) -> Iterator[Any]:
    index = 0
    while pointers[index]:
        yield pointers[index].contents
        index += 1


def _languages(address: int) -> Iterator[tuple[int, str]]:
    """A voice's languages: a priority byte and a tag ended by NUL, again and again; a priority of 0 ends the list."""
    while priority := ctypes.string_at(address, 1)[0]:
        tag = ctypes.string_at(address + 1)
        yield priority, tag.decode()
        address += len(tag) + 2


def _clean(text: str) -> str:
    """Blank control characters, one for one: NUL ends the text for the library, U+0001 begins a command to it."""
    return "".join(" " if ord(char) < 32 or 0x7F <= ord(char) < 0xA0 else char for char in text)


@lru_cache(maxsize=1)
def _library() -> _Library:
    if espeakng_loader is None:
        raise EngineMissing(_MENDING)
    return _Library(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())


class Espeak:
    """Text to speech in about a hundred languages, robotic but immediate.

    Settings: ``voice`` (the default one, empty: by language), ``words_per_minute`` (at speed 1, 175). A voice id is a
    language tag such as ``en-us`` or ``de``; any may carry a variant of the library, such as ``en-us+f3``. Raises
    EngineMissing if the library is absent and UnknownName for a default voice it has not.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._library = _library()
        self._pace = int(settings.get("words_per_minute", _WORDS_PER_MINUTE))
        self._identifiers: dict[str, str] = {}
        self._defaults: dict[str, tuple[int, str]] = {}
        voices = tuple(self._register(voice) for voice in self._library.voices())
        self._default = str(settings.get("voice", ""))
        if self._default:
            self._voice(self._default)
        self._capabilities = Capabilities(
            name="espeak",
            languages=tuple(sorted({voice.language for voice in voices} | set(_PREFERRED))),
            word_times=True,
            sample_rate=self._library.rate,
            voices=voices,
            concurrency=64,
            licence="GPL-3.0-or-later",
        )

    def _register(self, listed: _ListedVoice) -> Voice:
        language = listed.languages[0][1]
        stem = listed.identifier.rpartition("/")[2].lower()
        voice = language if language not in self._identifiers else stem
        self._identifiers[voice] = listed.identifier
        for priority, tag in listed.languages:
            for name in (tag.lower(), tag.lower().partition("-")[0]):
                weight = priority if name == tag.lower() else priority + 100  # "fr-be" serves "fr" if nothing else does
                if name not in self._defaults or weight < self._defaults[name][0]:
                    self._defaults[name] = (weight, listed.identifier)
        return Voice(voice, listed.name, language, listed.gender)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def open(self, options: SynthesisOptions) -> EspeakSynthesis:
        """Raises UnknownName for a voice or language it has not."""
        name = options.voice or self._default
        identifier = self._voice(name) if name else self._language(options.language)
        pace = round(self._pace * min(4.0, max(0.25, options.speed)))
        return EspeakSynthesis(self._library, identifier, min(_FASTEST, max(_SLOWEST, pace)), options.speed)

    def _voice(self, name: str) -> str:
        base, _, variant = name.lower().partition("+")
        identifier = self._identifiers.get(base) or self._defaults.get(base, (0, ""))[1]
        if not identifier or (variant and variant not in self._library.variants):
            raise UnknownName(f"espeak has no voice {name!r}; it has {', '.join(self._identifiers)}")
        return f"{identifier}+{self._library.variants[variant]}" if variant else identifier

    def _language(self, tag: str) -> str:
        tag = tag.lower().replace("_", "-")
        while tag:
            tag = _PREFERRED.get(tag, tag)
            if tag in self._defaults:
                return self._defaults[tag][1]
            tag = tag.rpartition("-")[0]
        raise UnknownName(f"espeak has no voice for the language {tag!r}; it speaks {', '.join(self._identifiers)}")

    def close(self) -> None:
        """The library stays until its process ends: it cannot be unloaded safely."""


class EspeakSynthesis:
    """One job. Several may be interleaved: each call sets the voice it needs."""

    def __init__(self, library: _Library, identifier: str, pace: int, speed: float) -> None:
        self._library = library
        self._identifier = identifier
        self._pace = pace
        self._speed = min(4.0, max(0.25, speed))
        self._pause = 0.0
        """Seconds owed to the piece said last."""

    @property
    def format(self) -> AudioFormat:
        return AudioFormat(self._library.rate)

    def speak(self, text: str) -> Iterator[SpokenPiece]:
        """Speak one piece, about 10 ms of work at most for each ``next``.

        Spans tile the text. What has no sound at the end of it is told by a moment of silence; empty text by nothing.
        """
        pending = deque(bounded_pieces(text, _PIECE))
        told = 0
        first = True
        while pending:
            offset, piece = pending.popleft()
            said = self._library.speak(self._identifier, self._pace, piece)
            if said is None and len(piece) > 1:
                half = len(piece) // 2
                pending.extendleft([(offset + half, piece[half:]), (offset, piece[:half])])
                continue
            if said is None:
                raise EngineFailed(f"espeak-ng does not come to an end of {piece!r}")
            samples, marks = self._trim(*said)
            if not samples.size:
                continue
            curve = _curve(samples, marks, len(piece))
            for begin, end in _cuts(samples.size, self._library.rate, first):
                until = offset + int(np.interp(end, *curve)) if end < samples.size else offset + len(piece)
                yield SpokenPiece(samples[begin:end].tobytes(), told, until)
                told = until
            first = False
            self._pause = pause_after(piece) / self._speed
        if told < len(text):
            yield SpokenPiece(bytes(2 * int(_REST * self._library.rate)), told, len(text))

    def _trim(self, samples: Samples, marks: list[tuple[int, int]]) -> tuple[Samples, list[tuple[int, int]]]:
        """Cut the silence in front down to a margin, then put the owed pause there; nothing at all if all is silent."""
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _LOUD)
        if not loud.size:
            return samples[:0], []
        rate = self._library.rate
        cut = max(0, int(loud[0]) - int(_MARGIN * rate))
        pause = int(self._pause * rate)
        shifted = [(max(0, sample - cut) + pause, char) for sample, char in marks]
        return np.concatenate([np.zeros(pause, np.int16), samples[cut:]]), shifted

    def close(self) -> None:
        """Nothing is held between calls."""


def _cuts(total: int, rate: int, first: bool) -> Iterator[tuple[int, int]]:
    """Chunk bounds in samples: a short first one, so that sound starts at once."""
    begin = 0
    size = int((_FIRST_CHUNK if first else _CHUNK) * rate)
    while begin < total:
        end = min(total, begin + size)
        yield begin, end
        begin, size = end, int(_CHUNK * rate)


def _curve(samples: Samples, marks: list[tuple[int, int]], length: int) -> tuple[list[int], list[int]]:
    """Characters said over samples, as the corner points of a rising line.

    A word rises from its first sample to its last loud one; a pause behind it is level, so that a reply cut off in the
    pause has said the whole word.
    """
    words: list[tuple[int, int]] = []
    for sample, char in marks:
        if not words or (char > words[-1][1] and sample > words[-1][0]):  # a number read as several words keeps its place
            words.append((min(sample, samples.size), min(char, length)))
    at, said = [0], [0]
    for index, (begin, _) in enumerate(words):
        end, until = words[index + 1] if index + 1 < len(words) else (samples.size, length)
        loud = np.flatnonzero(np.abs(samples[begin:end].astype(np.int32)) > _LOUD)
        at += [begin, begin + (int(loud[-1]) + 1 if loud.size else 0)]
        said += [said[-1], until]
    if len(said) == 1:
        at, said = [0, samples.size], [0, length]
    return at, said
