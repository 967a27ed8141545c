"""A streaming decoder: bytes of a file or stream in, HEARING PCM out.

The container is recognised from the bytes. WAV, MP3, Ogg (Opus, Vorbis, FLAC), WebM/Matroska and AAC (ADTS) are decoded as
they arrive; MP4/M4A, FLAC, AMR, AIFF and rare encodings once they are all here. WAV needs no package; everything else needs
the extra ``codecs``.

Nothing a file *claims* is believed: memory grows with the bytes that are here, and sound beyond the limits is refused when
it is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from vivavoce.audio.codecs import wav
from vivavoce.audio.codecs.frames import FrameSource
from vivavoce.audio.codecs.matroska import MatroskaSource
from vivavoce.audio.codecs.ogg_source import OggSource
from vivavoce.audio.codecs.sniff import Container, recognise
from vivavoce.audio.codecs.sound import Elsewhere, Sound, Source
from vivavoce.audio.codecs.wav_source import WavSource
from vivavoce.audio.codecs.whole import WholeSource
from vivavoce.audio.resample import Lag, Resampler
from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH
from vivavoce.contracts.errors import InternalError, InvalidAudio

PIECE = HEARING.rate * SAMPLE_WIDTH
"""Bytes of PCM ``read`` gives at most: one second."""
_MAX_PHASES = 640
"""Filters of the resampler without lag for odd rates would need memory: 11 025 Hz has 640 phases, 44 101 Hz 16 000."""

_RETRY = 512
"""Bytes, at most, that must come before the container is looked for again: each time the whole beginning is searched."""

_SOURCES: dict[str, Callable[[], Source]] = {
    "wav": WavSource,
    "ogg": OggSource,
    "webm": MatroskaSource,
    "mp3": lambda: FrameSource("mp3"),
    "aac": lambda: FrameSource("aac"),
}


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """``max_bytes`` of the stream, ``max_seconds`` of decoded sound."""

    max_bytes: int = wav.MAX_BYTES
    max_seconds: float = wav.MAX_SECONDS


class Decoder:
    """One stream.

    ::

        decoder.feed(data)              # any length
        while pcm := decoder.read():    # until it gives nothing: more bytes are needed
            ...
        decoder.finish()                # after the last bytes; then read until it gives nothing

    Any way of cutting the bytes gives the same samples. Of damaged frames of MP3, AAC and Vorbis FFmpeg itself does not make
    the same each time.
    """

    def __init__(self, limits: DecoderLimits | None = None) -> None:
        self._limits = limits or DecoderLimits()
        self._head: bytearray | None = bytearray()
        """Everything fed, until the way it is to be read is settled."""
        self._fed = self._retry = 0
        self._ended = self._over = self._closed = self._heard = self._broken = False
        self._source: Source | None = None
        self._resampler: Resampler | None = None
        self._ready = bytearray()
        self._given = 0
        self.container = ""
        """What the bytes are, once that is known: wav, mp3, ogg, webm, aac, flac, mov, amr, aiff …"""

    @property
    def truncated(self) -> bool:
        """Known after the last ``read``: the stream was cut short or damaged, and what could be read of it was given."""
        return self._broken or (self._source is not None and self._source.truncated)

    def feed(self, data: bytes) -> None:
        """Take bytes; nothing is decoded yet. Raises InvalidAudio (``audio_too_large``) beyond the limit."""
        if self._broken:
            return  # the rest of a stream that could not be read further
        if self._ended or self._closed:
            raise InternalError("this decoder's stream is over: open another")
        self._fed += len(data)
        if self._fed > self._limits.max_bytes:
            raise InvalidAudio(f"the audio has more than {self._limits.max_bytes} bytes", code="audio_too_large")
        if self._head is not None:
            self._head += data
        if self._source is not None:
            self._source.feed(data)

    def finish(self) -> None:
        """No more bytes come. May be called again."""
        self._ended = True
        if self._source is not None:
            self._source.finish()

    def read(self) -> bytes:
        """Decoded HEARING PCM, at most PIECE bytes; nothing when more bytes are needed or, after ``finish``, at the end.

        Raises InvalidAudio with the reason: no audio, encrypted or of no known kind (``unsupported_audio``), empty, without
        sound, absurd, longer than the limit (``audio_too_long``); EngineMissing where the package for its kind is absent.
        What is found broken behind the first sound is no error: the stream ends there and is ``truncated``.
        """
        if self._closed:
            return b""
        while len(self._ready) < PIECE and self._decode():
            pass
        piece = bytes(self._ready[:PIECE])
        del self._ready[:PIECE]
        return piece

    def close(self) -> None:
        """Let go of everything. May be called again."""
        self._closed = True
        self._head = None
        self._ready.clear()
        if self._source is not None:
            self._source.close()

    def _decode(self) -> bool:
        """One step; False when more bytes are needed or it is over."""
        if self._over:
            return False
        if self._source is None and not self._recognise():
            return False
        sound = self._next()
        if sound is not None:
            self._head = None
            self._heard = True
            self._hear(sound)
            return True
        if self._ended:
            self._end()
        return False

    def _recognise(self) -> bool:
        head = self._head if self._head is not None else bytearray()
        if len(head) < self._retry and not self._ended:
            return False
        self._retry = len(head) + min(len(head) // 8, _RETRY) + 1
        found = recognise(head, whole=self._ended)
        if found is not None:
            self._open(found)
        return found is not None

    def _open(self, found: Container) -> None:
        self.container = found.name.partition("-")[0]
        if self._source is not None:
            self._source.close()
        self._source = _SOURCES.get(found.name, lambda: WholeSource(self.container))()
        self._source.feed(bytes((self._head or b"")[found.start :]))
        if isinstance(self._source, WholeSource):
            self._head = None
        if self._ended:
            self._source.finish()

    def _next(self) -> Sound | None:
        if self._source is None:
            return None
        try:
            return self._source.read()
        except Elsewhere as other:
            self._open(Container(f"{other.demuxer}-other"))
            return self._next()
        except InvalidAudio:
            if not self._heard:
                raise
            self._broken = self._ended = True  # what could be read was given, and it is said that there was more
            return None

    def _hear(self, sound: Sound) -> None:
        """Resample; a stream may change its rate."""
        if self._resampler is None or self._resampler.source_rate != sound.rate:
            self._settle()
            self._resampler = Resampler(sound.rate, HEARING.rate, lag=_lag(sound.rate))
        self._add(self._resampler.process(sound.pcm))

    def _settle(self) -> None:
        if self._resampler is not None:
            self._add(self._resampler.flush())

    def _add(self, pcm: bytes) -> None:
        self._ready += pcm
        self._given += len(pcm) // SAMPLE_WIDTH
        if self._given > self._limits.max_seconds * HEARING.rate:
            self._over = True
            self._ready.clear()
            raise InvalidAudio(
                f"the recording lasts longer than {self._limits.max_seconds:g} s; send shorter ones", code="audio_too_long"
            )

    def _end(self) -> None:
        self._settle()
        self._over = True
        if not self._given:
            raise InvalidAudio("there is no sound in this audio: it is empty, or nothing of it could be decoded")


def decode(data: bytes, limits: DecoderLimits | None = None) -> wav.Recording:
    """A whole file as HEARING PCM. Raises what ``Decoder.feed`` and ``Decoder.read`` raise."""
    decoder = Decoder(limits)
    try:
        decoder.feed(data)
        decoder.finish()
        pieces = []
        while piece := decoder.read():
            pieces.append(piece)
        return wav.Recording(b"".join(pieces), HEARING.rate, decoder.truncated)
    finally:
        decoder.close()


def _lag(rate: int) -> Lag:
    return "low" if HEARING.rate // math.gcd(rate, HEARING.rate) <= _MAX_PHASES else "any"
