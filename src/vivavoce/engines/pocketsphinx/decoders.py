"""A decoder of free speech and one of the commands, and how their readings are weighed."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Sequence
from typing import Any

from vivavoce.contracts.errors import EngineFailed
from vivavoce.contracts.speech import Transcript, Word

try:
    from pocketsphinx import Decoder
except ImportError as error:
    missing: ImportError | None = error
else:
    missing = None

RATE = 16_000
FRAMES_PER_SECOND = 100
MAX_PHONEME = 0.5
"""Seconds a phoneme of a word may last on average. Steady noise is read as one word drawn out to 0.7 s a phoneme and more;
in recorded speech the longest was 0.39 s, in isolated letters 0.45 s."""
MOST_MODELS = 4_000
"""Phoneme models followed at a time (the library's 30 000 are as good as all). Measured on 185 s read aloud: 30 % less CPU
time and finals in two thirds of the time, for 38.8 % word errors instead of 38.5; with 3 000 it is 38 % less for 40.1."""
GRAMMAR = "commands"
"""What utterances ask for that may be one of the built-in commands."""
_SEARCH = GRAMMAR


class Decoders:
    """A decoder of free speech and one of the commands, fed the same audio."""

    def __init__(self, grammar: str, accept: float) -> None:
        # Without the second pass (fwdflat) the final comes 10 ms after the end, and words are no worse for it.
        self._speech = Decoder(samprate=RATE, fwdflat=False, maxhmmpf=MOST_MODELS, loglevel="FATAL")
        self._commands: Any = self._grammar_decoder(grammar) if grammar else None
        self._accept = accept
        self._open = False
        self._listening: tuple[Any, ...] = ()
        self.usable = True

    @property
    def mean(self) -> str:
        """The cepstral mean, as text."""
        return str(self._speech.get_cmn(True))

    def start(self, mean: str, *, commands: bool) -> None:
        """Begin an utterance, listening for commands or not. A decoder that cannot begin says so when it is fed."""
        self._listening = tuple(d for d in (self._speech, self._commands if commands else None) if d is not None)
        try:
            for decoder in self._listening:
                # Called deprecated and unnecessary, yet only this forgets the noise estimated in the utterance before,
                # which is another speaker's and changes the reading of this one.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)
                    decoder.start_stream()
                decoder.set_cmn(mean)
                decoder.start_utt()
            self._open = True
        except RuntimeError:
            self.usable = False

    def process(self, pcm: bytes) -> None:
        """Decode. Raises EngineFailed; the decoder is then replaced."""
        if not self._open:
            raise EngineFailed("pocketsphinx could not begin the utterance")
        try:
            for decoder in self._listening:
                decoder.process_raw(pcm, False, False)
        except RuntimeError as error:
            self.usable = False
            raise EngineFailed("pocketsphinx failed on this audio", cause=error) from error

    def partial(self) -> str:
        hypothesis = self._speech.hyp()
        return _clean(hypothesis.hypstr) if hypothesis else ""

    def finish(self) -> Transcript:
        """End the utterance: the command where both readings agree, else the free reading."""
        try:
            self._end()
        except RuntimeError as error:
            self.usable = False
            raise EngineFailed("pocketsphinx could not end the utterance", cause=error) from error
        text = self.partial()
        heard = tuple(word for word in _words(self._speech, True) if self._pronounceable(word))
        command = self._command()
        if command:
            agreement = self._likeness(command, text)
            if agreement >= self._accept:
                words = _words(self._commands, False)
                return Transcript(command, True, len(command), words, agreement, "en", command=True)
        text = " ".join(word.text for word in heard)
        confidence = sum(word.confidence or 0.0 for word in heard) / len(heard) if heard else None
        return Transcript(text, True, len(text), heard, confidence, "en")

    def abandon(self) -> None:
        """End what is open, whatever it says."""
        if self._open:
            try:
                self._end()
            except RuntimeError:  # a decoder that cannot even end is replaced
                self.usable = False

    def _end(self) -> None:
        self._open = False
        for decoder in self._listening:
            decoder.end_utt()

    def _command(self) -> str:
        """The command heard, if it is a whole sentence: a grammar also yields the beginnings of sentences."""
        if len(self._listening) < 2 or self._commands is None:
            return ""
        hypothesis = self._commands.hyp()
        text = _clean(hypothesis.hypstr) if hypothesis else ""
        return text if text and self._whole.accept(text) else ""

    def _likeness(self, command: str, text: str) -> float:
        """How alike two readings sound: matching phonemes, as a ratio (Ratcliff and Obershelp, 1988).

        A grammar finds a command in anything; the free reading of the same audio tells whether one was said.
        """
        return difflib.SequenceMatcher(None, self._phonemes(command), self._phonemes(text), autojunk=False).ratio()

    def _pronounceable(self, word: Word) -> bool:
        """Whether a mouth would take that long."""
        return word.end - word.start <= MAX_PHONEME * len(self._phonemes(word.text))

    def _phonemes(self, text: str) -> list[str]:
        return " ".join(self._speech.lookup_word(word) or word for word in text.split()).split()

    def _grammar_decoder(self, grammar: str) -> Any:
        """A decoder that knows only the words of the grammar (with the full dictionary it takes 27 MB more)."""
        decoder = Decoder(samprate=RATE, lm=None, dict=None, bestpath=False, loglevel="FATAL")
        for word in sorted(set(re.findall(r"[a-z']+", re.sub(r"<\w+>|#.*|grammar .*|public ", "", grammar)))):
            for name, phonemes in self._pronunciations(word):
                decoder.add_word(name, phonemes, False)
        decoder.add_jsgf_string(_SEARCH, grammar)
        decoder.activate_search(_SEARCH)
        self._whole = decoder.get_fsg(_SEARCH)
        return decoder

    def _pronunciations(self, word: str) -> Sequence[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        name = word
        while phonemes := self._speech.lookup_word(name):
            found.append((name, phonemes))
            name = f"{word}({len(found) + 1})"
        if not found:
            raise EngineFailed(f"the commands contain {word!r}, which the recogniser cannot pronounce")
        return found


_NO_WORD = re.compile(r"<[^>]*>|\[[^\]]*\]|\+\+[^+]*\+\+|\(\d+\)|\(NULL\)")


def _clean(text: str) -> str:
    """Without silences, noises and numbers of pronunciations."""
    return " ".join(_NO_WORD.sub(" ", text).split())


def _words(decoder: Any, scored: bool) -> tuple[Word, ...]:
    """Words with times; ``scored`` where posteriors mean something (a grammar has none)."""
    found: list[Word] = []
    for segment in decoder.seg() or ():  # None where nothing was heard
        text = _clean(segment.word)
        if text:
            start, end = segment.start_frame / FRAMES_PER_SECOND, (segment.end_frame + 1) / FRAMES_PER_SECOND
            found.append(Word(text, start, end, min(1.0, max(0.0, segment.prob)) if scored else None))
    return tuple(found)
