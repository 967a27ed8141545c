"""Pocketsphinx: free speech and the built-in commands, read side by side. English, no download.

It holds the interpreter lock while it decodes and its native code can crash: run it in a worker process of its own. Audio
is always decoded as a stream: mixing in ``full_utt=True`` on the same decoder crashes pocketsphinx 5.1.1.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from vivavoce.contracts.errors import EngineFailed, EngineMissing, InvalidAudio, Overloaded, UnknownName
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions, Word
from vivavoce.text.commands import load, speech_grammar

try:
    from pocketsphinx import Decoder
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

Setting = str | int | float | bool
RATE = 16_000
FRAMES_PER_SECOND = 100
BLOCK = RATE // 50 * 2
"""Bytes decoded at once (20 ms). Always the same, so that the reading does not depend on how the audio was cut."""
MAX_SPEAKERS = 512
"""Speakers whose cepstral mean is remembered; the one not heard for longest is forgotten."""
MAX_PHONEME = 0.5
"""Seconds a phoneme of a word may last on average. Steady noise is read as one word drawn out to 0.7 s a phoneme and more;
in recorded speech the longest was 0.39 s, in isolated letters 0.45 s."""
GRAMMAR = "commands"
"""What utterances ask for that may be one of the built-in commands."""
_SEARCH = GRAMMAR


class PocketSphinx:
    """Speech to text with partials. Implements ``contracts.engines.TranscriptionEngine``.

    Settings:

    - ``language``: "en", the only one with a model in the package.
    - ``grammar`` (True): load the built-in commands; utterances that ask for them may be read as one.
    - ``accept`` (0.55): how alike (0–1, by phonemes) the free reading must be for a command to be believed.
    - ``decoders`` (1): utterances decoded at the same time, about 90 MB each. Further ones wait and are kept as audio.
    - ``max_seconds`` (60): longest utterance.
    - ``step_seconds`` (0.2): most audio decoded in one ``send``, about 0.3 s of work per second of audio.

    Raises EngineMissing without the package, UnknownName for another language.
    """

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        if _missing is not None:
            raise EngineMissing(
                "pocketsphinx is not installed: pip install 'vivavoce[builtin]' (there is no wheel for Python 3.14 "
                "and none for Linux on ARM)",
                cause=_missing,
            )
        self._language = str(settings.get("language", "en"))
        _require_english(self._language)
        self._accept = float(settings.get("accept", 0.55))
        self._max_bytes = int(float(settings.get("max_seconds", 60.0)) * RATE) * 2
        self._step_blocks = max(1, round(float(settings.get("step_seconds", 0.2)) * RATE * 2 / BLOCK))
        self._grammar = speech_grammar(load(self._language)) if settings.get("grammar", True) else ""
        self._free = [self._load() for _ in range(max(1, int(settings.get("decoders", 1))))]
        self._concurrency = len(self._free)
        self._fresh_mean: str = self._free[0].mean
        self._means: OrderedDict[str, str] = OrderedDict()
        self._waiting: deque[_Utterance] = deque()
        self._decoding: list[_Utterance] = []
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        """English only; ``concurrency`` is the number of decoders. Vocabularies are not used."""
        return Capabilities(
            "pocketsphinx",
            languages=("en",),
            word_times=True,
            sample_rate=RATE,
            concurrency=self._concurrency,
            final_latency=0.015,
            grammar=GRAMMAR if self._grammar else "",
            licence="BSD-2-Clause",
        )

    def open(self, options: TranscriptionOptions) -> _Utterance:
        """Begin an utterance. Never waits: without a free decoder the audio is kept until one is free.

        Raises UnknownName for a language other than English.
        """
        _require_english(options.language)
        if self._closed:
            raise EngineFailed("the recogniser is closed")
        utterance = _Utterance(self, options, self._max_bytes, self._step_blocks)
        self._waiting.append(utterance)
        self._assign()
        return utterance

    def close(self) -> None:
        """Withdraw what is open and let the decoders go."""
        self._closed = True
        for utterance in (*self._decoding, *self._waiting):
            utterance.close()
        self._free.clear()

    def claim(self, utterance: _Utterance) -> None:
        """A decoder for an utterance that is being finished and cannot wait.

        Where none is free it is taken from the one that loses least; that utterance waits and is decoded again from its
        audio. (Waiting here would wait for ever: the others go on only after this call.)
        """
        if not self._free:
            loser = min(self._decoding, key=lambda other: other.decoded)
            self._free.append(loser.surrender())
            self._decoding.remove(loser)
            self._waiting.appendleft(loser)
        self._waiting.remove(utterance)
        self._waiting.appendleft(utterance)
        self._assign()

    def release(self, utterance: _Utterance, decoder: _Decoders | None) -> None:
        """The utterance is over; whoever waits longest gets its decoder."""
        if utterance in self._waiting:
            self._waiting.remove(utterance)
        if utterance in self._decoding:
            self._decoding.remove(utterance)
        if decoder is not None:
            self._free.append(decoder if decoder.usable else self._load())
        self._assign()

    def mean(self, speaker: str) -> str:
        """The cepstral mean to begin with: the speaker's own where it is known.

        Beginning each utterance afresh costs a quarter of the accuracy (measured: 28 → 40 % word errors).
        """
        if speaker in self._means:
            self._means.move_to_end(speaker)
            return self._means[speaker]
        return self._fresh_mean

    def remember(self, speaker: str, mean: str) -> None:
        """Keep the speaker's cepstral mean, if the speaker has a name."""
        if speaker:
            self._means[speaker] = mean
            self._means.move_to_end(speaker)
            while len(self._means) > MAX_SPEAKERS:
                self._means.popitem(last=False)

    def _assign(self) -> None:
        while self._free and self._waiting:
            utterance = self._waiting.popleft()
            self._decoding.append(utterance)
            utterance.begin(self._free.pop())

    def _load(self) -> _Decoders:
        return _Decoders(self._grammar, self._accept)


def _require_english(language: str) -> None:
    if language.split("-")[0].lower() != "en":
        raise UnknownName(f"pocketsphinx reads English only, not {language!r}", code="unknown_language")


class _Utterance:
    """One utterance: its audio, and a decoder while it has one. Implements ``contracts.engines.EngineTranscription``."""

    def __init__(self, engine: PocketSphinx, options: TranscriptionOptions, max_bytes: int, step_blocks: int) -> None:
        self._engine = engine
        self._options = options
        self._max_bytes = max_bytes
        self._step_blocks = step_blocks
        self._audio = bytearray()
        self._decoder: _Decoders | None = None
        self._closed = False
        self._partial = ""
        self.decoded = 0
        """Bytes decoded so far."""

    def send(self, pcm: bytes) -> Transcript | None:
        """Keep the audio and decode a bounded step of what is not yet decoded."""
        if self._closed:
            raise EngineFailed("the utterance is over: open another")
        if len(pcm) % 2:
            raise InvalidAudio(f"audio is 16-bit: {len(pcm)} bytes is no whole number of samples")
        if len(self._audio) + len(pcm) > self._max_bytes:
            raise Overloaded(f"the utterance is longer than {self._max_bytes // (2 * RATE)} s", retryable=False)
        self._audio += pcm
        if self._decoder is None or not self._decode(self._decoder, self._step_blocks) or not self._options.partials:
            return None
        text = self._decoder.partial()
        if text == self._partial:
            return None
        self._partial = text
        return Transcript(text, language="en")

    def finish(self) -> Transcript:
        """Decode the rest and read it. Work grows with what is left: usually one block."""
        if self._closed:
            raise EngineFailed("the utterance is over: open another")
        if self._decoder is None:
            self._engine.claim(self)
        decoder = self._decoder
        if decoder is None:
            raise EngineFailed("no decoder could be had")
        try:
            self._decode(decoder, None)
            if self.decoded < len(self._audio):
                decoder.process(bytes(self._audio[self.decoded :]))
            transcript = decoder.finish()
            if transcript.text:
                self._engine.remember(self._options.session, decoder.mean)
        finally:
            self.close()
        return transcript

    def close(self) -> None:
        """Give the decoder back and forget the audio."""
        if self._closed:
            return
        self._closed = True
        decoder, self._decoder = self._decoder, None
        if decoder is not None:
            decoder.abandon()
        self._audio.clear()
        self._engine.release(self, decoder)

    def begin(self, decoder: _Decoders) -> None:
        """The engine lends a decoder; decoding starts with the first sample."""
        self._decoder = decoder
        self.decoded = 0
        decoder.start(self._engine.mean(self._options.session), commands=self._options.grammar == GRAMMAR)

    def surrender(self) -> _Decoders:
        """The engine takes the decoder back; the audio stays."""
        decoder, self._decoder = self._decoder, None
        if decoder is None:
            raise EngineFailed("no decoder to surrender")
        self.decoded = 0
        decoder.abandon()
        return decoder

    def _decode(self, decoder: _Decoders, blocks: int | None) -> bool:
        """Decode whole blocks, at most ``blocks``; whether there was any."""
        whole = (len(self._audio) - self.decoded) // BLOCK
        count = whole if blocks is None else min(whole, blocks)
        for _ in range(count):
            decoder.process(bytes(self._audio[self.decoded : self.decoded + BLOCK]))
            self.decoded += BLOCK
        return count > 0


class _Decoders:
    """A decoder of free speech and one of the commands, fed the same audio."""

    def __init__(self, grammar: str, accept: float) -> None:
        # Without the second pass (fwdflat) the final comes 10 ms after the end, and words are no worse for it.
        self._speech = Decoder(samprate=RATE, fwdflat=False, loglevel="FATAL")
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
        hypothesis = self._commands.hyp() if self._commands in self._listening else None
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
