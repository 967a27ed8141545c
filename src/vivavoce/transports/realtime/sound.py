"""Audio on this wire: base64 of PCM at 24 kHz, or of G.711 at 8 kHz. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from vivavoce.audio.codecs import g711
from vivavoce.audio.resample import Resampler
from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH
from vivavoce.contracts.errors import InvalidAudio

RATE = 24_000
"""Of PCM, and of the audio replies are made in."""
MAX_APPEND = 15 * 1024 * 1024
"""Bytes of one append, as base64."""

_DECODE = {"audio/pcmu": g711.decode_ulaw, "audio/pcma": g711.decode_alaw}
_ENCODE = {"audio/pcmu": g711.encode_ulaw, "audio/pcma": g711.encode_alaw}


def decoded(text: Any) -> bytes:
    """What base64 says. Raises InvalidAudio."""
    if not isinstance(text, str) or not text:
        raise InvalidAudio("`audio` must be base64 text")
    if len(text) > MAX_APPEND:
        raise InvalidAudio(f"`audio` has more than {MAX_APPEND} characters; append it in smaller pieces")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidAudio("`audio` is no base64") from error


class Microphone:
    """From what a client appends to what sessions hear. A sample cut in two by a message boundary is put together."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rate = g711.RATE if kind in _DECODE else RATE
        self._resampler = Resampler(self.rate, HEARING.rate)
        self._half = b""

    def decode(self, audio: Any) -> bytes:
        """PCM at ``rate``, of what was appended: bytes, or base64. Raises InvalidAudio."""
        data = audio if isinstance(audio, bytes) else decoded(audio)
        if self.kind in _DECODE:
            return _DECODE[self.kind](data)
        data = self._half + data
        self._half = data[-1:] if len(data) % SAMPLE_WIDTH else b""
        return data[: len(data) - len(self._half)]

    def hearing(self, pcm: bytes) -> bytes:
        """What sessions hear."""
        return self._resampler.process(pcm)


class Loudspeaker:
    """From a reply's PCM (24 kHz) to what the client plays."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._resampler = Resampler(RATE, g711.RATE) if kind in _ENCODE else None

    def encode(self, pcm: bytes) -> str:
        """A piece, as base64; empty where nothing is ready."""
        if self._resampler is not None:
            pcm = _ENCODE[self.kind](self._resampler.process(pcm))
        return base64.b64encode(pcm).decode()

    def flush(self) -> str:
        """The end of a reply: what was held back."""
        if self._resampler is None:
            return ""
        return base64.b64encode(_ENCODE[self.kind](self._resampler.flush())).decode()
