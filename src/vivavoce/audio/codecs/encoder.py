"""Streaming encoders: samples in, bytes of a file or stream out as soon as there are some.

What has come out so far can be played at any moment, nothing written before is changed later, and the bytes do not depend on
how the samples were cut (in a few calls they are fewer and larger). The work of a call grows with what it is given.

========  =====================  ==================  ==========================================================
name      media type             rate                what a player makes of the length
========  =====================  ==================  ==========================================================
pcm       audio/pcm              as given            exact (s16le without a header)
wav       audio/wav              as given            exact
pcmu      audio/PCMU             8 000               exact (µ-law bytes without a header)
pcma      audio/PCMA             8 000               exact (A-law bytes without a header)
mp3       audio/mpeg             22 050 … 48 000     up to 2 050 samples more: encoder delay and padding
opus      audio/ogg              48 000              exact (pre-skip and final granule position)
webm      audio/webm             48 000              exact from 648 samples on (CodecDelay and DiscardPadding)
aac       audio/aac              22 050 … 48 000     up to 2 047 samples more: encoder delay and padding
flac      audio/flac             as given            exact
========  =====================  ==================  ==========================================================

"Exact" counts at the rate of the stream: a sound of n samples has n · stream rate / its own rate there, rounded half up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vivavoce.audio.codecs import g711, mp3, wav
from vivavoce.audio.codecs.libav import AAC, FLAC, OPUS_RATE, WEBM, MuxedCore, OpusCore
from vivavoce.audio.resample import MAX_RATE, MIN_RATE, Resampler
from vivavoce.contracts.audio import SAMPLE_WIDTH, AudioFormat
from vivavoce.contracts.errors import InternalError, InvalidAudio, InvalidRequest, UnknownName

MIN_BIT_RATE, MAX_BIT_RATE = 6_000, 320_000


class Encoder(Protocol):
    """One stream."""

    @property
    def media_type(self) -> str:
        """For a Content-Type header."""
        ...

    @property
    def rate(self) -> int:
        """Sample rate of what comes out."""
        ...

    def encode(self, pcm: bytes) -> bytes:
        """Take mono s16le of any length, halves of samples too; give the bytes that are ready, often none.

        Raises EngineFailed if the codec fails, InvalidAudio for more samples than were announced.
        """
        ...

    def finish(self) -> bytes:
        """The rest, with the stream's proper end. Nothing the second time. Half a sample at the very end is left out.

        Raises EngineFailed if the codec fails, InvalidAudio for fewer samples than were announced.
        """
        ...

    def close(self) -> None:
        """Let go of everything, finished or not. May be called again."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What may be asked for. ``rate``: of the stream (0: the sound's own), taken to the nearest above that the codec has.

    ``bit_rate``: bits per second, 0 for the codec's usual. ``samples``: how many will come, at the sound's own rate, where
    that is known: WAV then states its length.
    """

    rate: int = 0
    bit_rate: int = 0
    samples: int | None = None


def open_encoder(name: str, form: AudioFormat, options: EncoderOptions | None = None) -> Encoder:
    """An encoder of the format ``name`` for mono s16le at ``form.rate``.

    Raises UnknownName for another name, InvalidAudio for more than one channel or an absurd rate, InvalidRequest for an
    absurd bit rate, EngineMissing where the package behind the format is absent.
    """
    asked = options or EncoderOptions()
    make = _MAKERS.get(name.lower())
    if make is None:
        raise UnknownName(f"audio format {name!r} is not known; there are {', '.join(FORMATS)}", code="unknown_format")
    if form.channels != 1:
        raise InvalidAudio(f"encoders take mono, not {form.channels} channels")
    for rate in (form.rate, asked.rate or form.rate):
        if not MIN_RATE <= rate <= MAX_RATE:
            raise InvalidAudio(f"a sample rate of {rate} Hz is out of range; use {MIN_RATE} to {MAX_RATE} Hz")
    if asked.bit_rate and not MIN_BIT_RATE <= asked.bit_rate <= MAX_BIT_RATE:
        raise InvalidRequest(f"a bit rate of {asked.bit_rate} is out of range; use {MIN_BIT_RATE} to {MAX_BIT_RATE}")
    if asked.samples is not None and asked.samples < 0:
        raise InvalidRequest("a sound cannot have fewer than no samples")
    return _Stream(make(form.rate, asked), form.rate, asked.samples)


class _Core(Protocol):
    """A codec at its own rate: whole samples, one finish, no use after close."""

    @property
    def media_type(self) -> str: ...

    @property
    def rate(self) -> int: ...

    def encode(self, pcm: bytes) -> bytes: ...

    def finish(self) -> bytes: ...

    def close(self) -> None: ...


class _Stream:
    """What all have in common: halves of samples, the sample rate, the promised length, and the end.

    ``close`` may come from another thread than the one that encodes, in the middle of its work: a reader has left. The core
    is let go when that work is over, by whoever is last; libav does not survive being closed under work.
    """

    def __init__(self, core: _Core, rate: int, promised: int | None) -> None:
        self._core = core
        self._resampler = Resampler(rate, core.rate)
        self._promised = promised
        self._taken = 0
        self._half = b""
        self._finished = self._closed = self._gone = False
        self._working = threading.Lock()
        self.media_type = core.media_type
        self.rate = core.rate

    def encode(self, pcm: bytes) -> bytes:
        try:
            with self._working:
                return self._encode(pcm)
        finally:
            self._let_go()

    def finish(self) -> bytes:
        try:
            with self._working:
                return self._finish()
        finally:
            self._let_go()

    def close(self) -> None:
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        if self._closed and self._working.acquire(blocking=False):
            try:
                if not self._gone:
                    self._gone = True
                    self._core.close()
            finally:
                self._working.release()

    def _encode(self, pcm: bytes) -> bytes:
        if self._finished or self._closed:
            raise InternalError("this encoder's stream is over: open another")
        if self._half or len(pcm) % SAMPLE_WIDTH:
            pcm = self._half + pcm
            whole = len(pcm) - len(pcm) % SAMPLE_WIDTH
            pcm, self._half = pcm[:whole], pcm[whole:]
        self._taken += len(pcm) // SAMPLE_WIDTH
        if self._promised is not None and self._taken > self._promised:
            raise InvalidAudio(f"more than the {self._promised} samples that were announced")
        return self._core.encode(self._resampler.process(pcm))

    def _finish(self) -> bytes:
        if self._finished or self._closed:
            return b""
        self._finished = True
        if self._promised is not None and self._taken < self._promised:
            raise InvalidAudio(f"{self._taken} samples came where {self._promised} were announced")
        rest = self._resampler.flush()
        return (self._core.encode(rest) if rest else b"") + self._core.finish()


class _Raw:
    """Samples as they are, or each turned into a byte; behind a header or not."""

    def __init__(self, rate: int, media_type: str, head: bytes, turn: Callable[[bytes], bytes] | None = None) -> None:
        self.rate = rate
        self.media_type = media_type
        self._head = head
        self._turn = turn

    def encode(self, pcm: bytes) -> bytes:
        head, self._head = self._head, b""
        return head + (self._turn(pcm) if self._turn else pcm)

    def finish(self) -> bytes:
        return self.encode(b"")

    def close(self) -> None:
        self._head = b""


def _pcm(source: int, asked: EncoderOptions) -> _Core:
    rate = asked.rate or source
    return _Raw(rate, f"audio/pcm;rate={rate};channels=1", b"")


def _wav(source: int, asked: EncoderOptions) -> _Core:
    rate = asked.rate or source
    length = None
    if asked.samples is not None:
        length = (2 * asked.samples * rate + source) // (2 * source) * SAMPLE_WIDTH
    return _Raw(rate, "audio/wav", wav.header(AudioFormat(rate), length))


def _mp3(source: int, asked: EncoderOptions) -> _Core:
    return mp3.Mp3Core(_nearest(asked.rate or source, mp3.RATES), asked.bit_rate or None)


def _aac(source: int, asked: EncoderOptions) -> _Core:
    rate = _nearest(asked.rate or source, AAC.rates)
    return MuxedCore(AAC, rate, asked.bit_rate or (64_000 if rate <= 24_000 else 96_000))


def _nearest(rate: int, possible: tuple[int, ...]) -> int:
    """The rate itself, or the lowest that loses nothing and is easy to reach, or the highest of all."""
    if rate in possible:
        return rate
    return next((candidate for candidate in possible if candidate >= rate and candidate % 8_000 == 0), possible[-1])


_MAKERS: dict[str, Callable[[int, EncoderOptions], _Core]] = {
    "pcm": _pcm,
    "wav": _wav,
    "mp3": _mp3,
    "opus": lambda source, asked: OpusCore(source, asked.bit_rate or None),
    "aac": _aac,
    "flac": lambda source, asked: MuxedCore(FLAC, asked.rate or source, None),
    "webm": lambda source, asked: MuxedCore(WEBM, OPUS_RATE, asked.bit_rate or 32_000),
    "pcmu": lambda source, asked: _Raw(g711.RATE, "audio/PCMU", b"", g711.encode_ulaw),
    "pcma": lambda source, asked: _Raw(g711.RATE, "audio/PCMA", b"", g711.encode_alaw),
}

FORMATS = tuple(_MAKERS)
"""The names there are."""
