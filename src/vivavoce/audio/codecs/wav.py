"""WAV: a header for streams of known and unknown length, and a strict reader of whole files.

Format: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991 (RIFF), and the later
WAVE_FORMAT_EXTENSIBLE.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from vivavoce.audio.convert import MAX_CHANNELS, WIDTHS, Encoding, to_hearing, to_mono16
from vivavoce.audio.resample import MAX_RATE, MIN_RATE
from vivavoce.contracts.audio import SAMPLE_WIDTH, AudioFormat
from vivavoce.contracts.errors import InvalidAudio

MAX_BYTES = 100 * 1024 * 1024
MAX_SECONDS = 4 * 3_600.0

HEADER_SIZE = 44
MAX_FORMAT = 4_096
"""Bytes of a format chunk."""
UNKNOWN = 0xFFFF_FFFF
"""The size of a chunk whose length is not known when it begins."""
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_REST = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format number in the identifier of an extensible sub-format."""

_ENCODINGS: dict[tuple[int, int], Encoding] = {
    (_PCM, 8): "u8",
    (_PCM, 16): "s16",
    (_PCM, 24): "s24",
    (_PCM, 32): "s32",
    (_FLOAT, 32): "f32",
    (_FLOAT, 64): "f64",
}


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording: mono s16le at ``rate``. ``truncated`` says that the file ended before it had promised to."""

    pcm: bytes
    rate: int
    truncated: bool = False

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.pcm) / SAMPLE_WIDTH / self.rate

    def hearing(self) -> bytes:
        """The recording as HEARING PCM."""
        return to_hearing(self.pcm, self.rate)


def header(form: AudioFormat, data_bytes: int | None = None) -> bytes:
    """44 bytes to be followed by s16le samples.

    With an unknown length both sizes are 0xFFFFFFFF, which players take as "until the end of the stream".
    """
    riff, data = (UNKNOWN, UNKNOWN) if data_bytes is None else (data_bytes + data_bytes % 2 + 36, data_bytes)
    if riff > UNKNOWN:
        raise InvalidAudio("a WAV file holds 4 GiB at most; stream it with an unknown length")
    return (
        struct.pack("<4sI4s", b"RIFF", riff, b"WAVE")
        + struct.pack("<4sIHHII", b"fmt ", 16, _PCM, form.channels, form.rate, form.rate * form.frame_width)
        + struct.pack("<HH4sI", form.frame_width, 8 * SAMPLE_WIDTH, b"data", data)
    )


def write(pcm: bytes, form: AudioFormat) -> bytes:
    """A whole file of s16le samples."""
    if len(pcm) % form.frame_width:
        raise InvalidAudio(f"{len(pcm)} bytes are no whole number of sample instants of {form.frame_width} bytes")
    return header(form, len(pcm)) + pcm


def read(data: bytes, *, max_bytes: int = MAX_BYTES, max_seconds: float = MAX_SECONDS) -> Recording:
    """Read a WAV file: PCM of 8, 16, 24 or 32 bits or floats of 32 or 64, any rate, up to 32 channels, mixed to mono.

    A data chunk of unknown length (0xFFFFFFFF, or 0 in both sizes) or cut short is read up to the end of the file.
    Raises InvalidAudio, with the reason, for everything else.
    """
    if len(data) > max_bytes:
        raise InvalidAudio(f"the file has {len(data)} bytes; send {max_bytes} at most", code="audio_too_large")
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise InvalidAudio("this is no WAV file: it does not begin with RIFF … WAVE")
    layout: Layout | None = None
    for name, start, size in _chunks(data):
        if name == b"fmt ":
            layout = parse_format(data[start : start + size], size)
        elif name == b"data":
            if layout is None:
                raise InvalidAudio("broken WAV file: its data chunk comes without a format chunk before it")
            return _samples(data, start, size, layout, max_seconds)
    raise InvalidAudio("broken WAV file: it has no data chunk")


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a file are written."""

    encoding: Encoding
    channels: int
    rate: int

    @property
    def width(self) -> int:
        """Bytes per sample instant over all channels."""
        return WIDTHS[self.encoding] * self.channels


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and stated size of each chunk; sizes may point behind the end."""
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, at + 8, size
        at += 8 + size + size % 2


def parse_format(body: bytes, size: int) -> Layout:
    """The format chunk. Raises InvalidAudio, with the code unsupported_audio for an encoding this module does not read."""
    if size < 16 or len(body) < 16 or size > MAX_FORMAT:
        raise InvalidAudio(f"broken WAV file: its format chunk says it has {size} bytes")
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", body)
    if kind == _EXTENSIBLE:
        if len(body) < 40 or body[26:40] != _GUID_REST:
            raise InvalidAudio("broken WAV file: its extensible format is unknown or cut short")
        kind = struct.unpack_from("<H", body, 24)[0]
    encoding = _ENCODINGS.get((kind, bits))
    if encoding is None:
        raise InvalidAudio(
            f"WAV format {kind} with {bits} bits is not supported; send PCM of 8, 16, 24 or 32 bits or floats",
            code="unsupported_audio",
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidAudio(f"a WAV file with {channels} channels is not supported; send 1 to {MAX_CHANNELS}")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidAudio(f"a sample rate of {rate} Hz is out of range; send {MIN_RATE} to {MAX_RATE} Hz")
    layout = Layout(encoding, channels, rate)
    if block != layout.width:
        raise InvalidAudio(f"broken WAV file: a sample instant is said to have {block} bytes but needs {layout.width}")
    return layout


def _samples(data: bytes, start: int, size: int, layout: Layout, max_seconds: float) -> Recording:
    riff = struct.unpack_from("<I", data, 4)[0]
    unknown = size == UNKNOWN or (size == 0 and riff in (0, UNKNOWN))
    present = len(data) - start if unknown else min(size, len(data) - start)
    whole = present - present % layout.width
    if not whole:
        raise InvalidAudio("the WAV file is empty: it has a header but no samples")
    seconds = whole / layout.width / layout.rate
    if seconds > max_seconds:
        raise InvalidAudio(f"the recording lasts {seconds:.1f} s; send {max_seconds:g} s at most", code="audio_too_long")
    pcm = to_mono16(data[start : start + whole], layout.encoding, layout.channels)
    return Recording(pcm, layout.rate, truncated=not unknown and present < size)
