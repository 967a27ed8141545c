"""MP3 with LAME: constant bit rate, no Xing frame (some players take its stated length for the end of a live stream)."""

from __future__ import annotations

from vivavoce.contracts.errors import EngineFailed, EngineMissing

try:
    import lameenc
except ImportError as error:
    missing: ImportError | None = error
else:
    missing = None

RATES = (22_050, 24_000, 32_000, 44_100, 48_000)
"""What is encoded as it is. LAME holds back about 1 400 samples, so lower rates would come later by the clock."""
_QUALITY = 5
"""LAME's own scale, 0 the best. Quality 2 costs twice the work and cannot be told apart for speech."""
_HALF_RATES = 24_000
"""The highest rate of MPEG-2 layer III, which goes up to 160 kbit/s."""


class Mp3Core:
    """MPEG-1 or 2 layer III, mono. LAME's delay (1 105 samples) and its last, padded frame cannot be said in the stream."""

    media_type = "audio/mpeg"

    def __init__(self, rate: int, bit_rate: int | None) -> None:
        if missing is not None:
            raise EngineMissing("MP3 needs lameenc: pip install 'vivavoce[codecs]'", cause=missing)
        low = rate <= _HALF_RATES
        wanted = bit_rate or (64_000 if low else 128_000)
        self.rate = rate
        self._lame = lameenc.Encoder()
        self._lame.silence()
        self._lame.set_channels(1)
        self._lame.set_in_sample_rate(rate)
        self._lame.set_out_sample_rate(rate)
        self._lame.set_bit_rate(min(wanted, 160_000 if low else 320_000) // 1_000)
        self._lame.set_quality(_QUALITY)
        self._fed = False

    def encode(self, pcm: bytes) -> bytes:
        """Samples in, whole or partial frames out."""
        if not pcm:
            return b""
        self._fed = True
        try:
            return bytes(self._lame.encode(pcm))
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"the MP3 encoder failed: {error}", cause=error) from error

    def finish(self) -> bytes:
        """The frames held back. A stream without a sample has none."""
        if not self._fed:
            return b""
        try:
            return bytes(self._lame.flush())
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"the MP3 encoder failed: {error}", cause=error) from error

    def close(self) -> None:
        """LAME's memory goes with the object."""
