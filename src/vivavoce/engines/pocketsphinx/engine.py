"""Pocketsphinx: free speech and the built-in commands, read side by side. English, no download.

It holds the interpreter lock while it decodes and its native code can crash: run it in a worker process of its own. Audio
is always decoded as a stream: mixing in ``full_utt=True`` on the same decoder crashes pocketsphinx 5.1.1.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping

from vivavoce.contracts.errors import EngineFailed, EngineMissing, InvalidAudio, Overloaded, UnknownName
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions
from vivavoce.engines.pocketsphinx.decoders import GRAMMAR, RATE, Decoders, missing
from vivavoce.text.commands import load, speech_grammar

Setting = str | int | float | bool
BLOCK = RATE // 50 * 2
"""Bytes decoded at once (20 ms). Always the same, so that the reading does not depend on how the audio was cut."""
MAX_SPEAKERS = 512
"""Speakers whose cepstral mean is remembered; the one not heard for longest is forgotten."""
SETTLE = int(0.8 * RATE) * 2
"""Bytes after which the utterance of an unknown speaker is begun again, with the mean of its own first 0.8 s."""


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
        if missing is not None:
            raise EngineMissing(
                "pocketsphinx is not installed: pip install 'vivavoce[builtin]' (there is no wheel for Python 3.14 "
                "and none for Linux on ARM)",
                cause=missing,
            )
        self._language = str(settings.get("language", "en"))
        _require_english(self._language)
        self._accept = float(settings.get("accept", 0.55))
        self._max_bytes = int(float(settings.get("max_seconds", 60.0)) * RATE) * 2
        self._step_blocks = max(1, round(float(settings.get("step_seconds", 0.2)) * RATE * 2 / BLOCK))
        self._grammar = speech_grammar(load(self._language)) if settings.get("grammar", True) else ""
        self._free = [self._load() for _ in range(max(1, int(settings.get("decoders", 1))))]
        self._concurrency = len(self._free)
        self.fresh_mean: str = self._free[0].mean
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

    def release(self, utterance: _Utterance, decoder: Decoders | None) -> None:
        """The utterance is over; whoever waits longest gets its decoder."""
        if utterance in self._waiting:
            self._waiting.remove(utterance)
        if utterance in self._decoding:
            self._decoding.remove(utterance)
        if decoder is not None:
            self._free.append(decoder if decoder.usable else self._load())
        self._assign()

    def mean(self, speaker: str) -> str | None:
        """The speaker's cepstral mean, where it is known.

        Beginning each utterance with the model's own costs a quarter of the accuracy (measured: 28 → 40 % word errors).
        """
        if speaker in self._means:
            self._means.move_to_end(speaker)
        return self._means.get(speaker)

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

    def _load(self) -> Decoders:
        return Decoders(self._grammar, self._accept)


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
        self._decoder: Decoders | None = None
        self._closed = False
        self._partial = ""
        self._settled = False
        self._reached = 0
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
        if self._decoder is None:
            return None
        self._decode(self._decoder, self._step_blocks)
        if self.decoded <= self._reached or not self._options.partials:
            return None  # nothing new: too little audio, or catching up after beginning again
        self._reached = self.decoded
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

    def begin(self, decoder: Decoders) -> None:
        """The engine lends a decoder; decoding starts with the first sample."""
        self._decoder = decoder
        self.decoded = 0
        mean = self._engine.mean(self._options.session)
        self._settled = mean is not None
        decoder.start(mean or self._engine.fresh_mean, commands=self._options.grammar == GRAMMAR)

    def surrender(self) -> Decoders:
        """The engine takes the decoder back; the audio stays."""
        decoder, self._decoder = self._decoder, None
        if decoder is None:
            raise EngineFailed("no decoder to surrender")
        self.decoded = 0
        decoder.abandon()
        return decoder

    def _decode(self, decoder: Decoders, blocks: int | None) -> None:
        """Decode whole blocks: all there are, or at most ``blocks``."""
        while len(self._audio) - self.decoded >= BLOCK and blocks != 0:
            decoder.process(bytes(self._audio[self.decoded : self.decoded + BLOCK]))
            self.decoded += BLOCK
            blocks = None if blocks is None else blocks - 1
            if not self._settled and self.decoded >= SETTLE:
                self._settle(decoder)

    def _settle(self, decoder: Decoders) -> None:
        """Begin again with the mean of what was heard so far (measured on strangers: 45 → 38 % word errors)."""
        mean = decoder.mean
        decoder.abandon()
        decoder.start(mean, commands=self._options.grammar == GRAMMAR)
        self.decoded = 0
        self._settled = True
