"""From text to the phoneme ids a Piper voice reads.

What turns text into phonemes is behind ``Phonemiser``: the one here is espeak-ng inside piper-tts (GPL-3); one that asks
another process would leave the rest of this package free of it.
"""

from __future__ import annotations

import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vivavoce.contracts.errors import EngineFailed, EngineMissing
from vivavoce.engines.piper.voice_file import BEGIN, END, PAD, VoiceFile

try:
    from piper.phonemize_espeak import EspeakPhonemizer
    from piper.tashkeel import TashkeelDiacritizer

    _lack: ImportError | None = None
except ImportError as error:
    _lack = error

MOST_PHONEMES = 160
"""Phonemes in one call of a model: about 12 s of speech. Only digits and abbreviations come near it."""
_WORDS, _LONGEST_WORD = 4_096, 32
Phonemes = list[str]


class Phonemiser(Protocol):
    """Text to phonemes, sentence by sentence; words are separated by a blank."""

    def phonemes(self, text: str, voice: VoiceFile) -> list[Phonemes]:
        """Raises EngineFailed for a text or voice it cannot read."""


class EspeakPhonemes:
    """espeak-ng as it is built into piper-tts. Global state: one per process, for one thread."""

    def __init__(self) -> None:
        if _lack is not None:
            raise EngineMissing("piper-tts is not installed: pip install 'vivavoce[piper]'", cause=_lack)
        self._espeak: Any = EspeakPhonemizer()
        self._words: OrderedDict[tuple[str, frozenset[tuple[str, ...]], str], list[Phonemes]] = OrderedDict()
        self._vowels: Any = None
        """Writes the short vowels Arabic leaves out, which espeak-ng needs; 5 MB, loaded for the first Arabic text."""

    def phonemes(self, text: str, voice: VoiceFile) -> list[Phonemes]:
        """Characters themselves for a voice of the kind "text". Words are remembered: setting a voice takes 0.4 ms."""
        if voice.kind == "text":
            return [list(unicodedata.normalize("NFD", text))]
        if " " in text or len(text) > _LONGEST_WORD:
            return self._read(text, voice)
        key = (voice.espeak_voice, voice.clusters, text)
        found = self._words.pop(key, None) or self._read(text, voice)
        self._words[key] = found
        if len(self._words) > _WORDS:
            self._words.popitem(last=False)
        return found

    def _read(self, text: str, voice: VoiceFile) -> list[Phonemes]:
        if voice.espeak_voice == "ar":
            self._vowels = self._vowels or TashkeelDiacritizer()
            text = self._vowels(text)
        try:
            found: list[Phonemes] = self._espeak.phonemize(voice.espeak_voice, text, set(voice.clusters) or None)
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"espeak-ng cannot read for the Piper voice {voice.stem}: {error}", cause=error) from error
        return found


@dataclass(frozen=True, slots=True)
class Reading:
    """Ids for one call of a model. ``owners[i]`` is the phoneme that id ``i`` belongs to."""

    ids: list[int]
    owners: list[int]


def reading(phonemes: Sequence[str], known: Mapping[str, tuple[int, ...]]) -> Reading | None:
    """The ids of phonemes with padding between them; None where the voice knows none that sounds."""
    ids, owners = [*known[BEGIN], *known[PAD]], [0] * (len(known[BEGIN]) + len(known[PAD]))
    sounding = False
    for index, phoneme in enumerate(phonemes):
        if phoneme not in known:
            continue
        sounding = sounding or unicodedata.category(phoneme[0])[0] in "LN"
        wanted = (*known[phoneme], *known[PAD])
        ids.extend(wanted)
        owners.extend([index] * len(wanted))
    ids.extend(known[END])
    owners.extend([max(0, len(phonemes) - 1)] * len(known[END]))
    return Reading(ids, owners) if sounding else None


def bounded(phonemes: Phonemes) -> Iterator[Phonemes]:
    """Phonemes in parts of at most ``MOST_PHONEMES``, cut behind a word where there is one."""
    while len(phonemes) > MOST_PHONEMES:
        blanks = [index for index, phoneme in enumerate(phonemes[:MOST_PHONEMES]) if phoneme == " "]
        size = blanks[-1] + 1 if blanks and blanks[-1] >= MOST_PHONEMES // 4 else MOST_PHONEMES
        yield phonemes[:size]
        phonemes = phonemes[size:]
    if phonemes:
        yield phonemes
