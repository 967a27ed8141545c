"""Encoders of FFmpeg's libraries, through PyAV: Opus in Ogg and WebM, AAC in ADTS, FLAC."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vivavoce.audio.codecs import ogg
from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import EngineFailed, EngineMissing

try:
    import av
except ImportError as error:
    missing: ImportError | None = error
else:
    missing = None

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

    Packet = av.Packet[Any]

OPUS_RATE = 48_000
MENDING = "pip install 'vivavoce[codecs]'"
_OPUS_BIT_RATE = 32_000
_OPUS_OPTIONS = {"application": "voip", "frame_duration": "20"}
_TAGS = b"OpusTags" + struct.pack("<I8sI", 8, b"vivavoce", 0)


@dataclass(frozen=True, slots=True)
class Muxing:
    """How a container is written: FFmpeg's names, and the options that keep it from holding back seconds of sound."""

    container: str
    codec: str
    media_type: str
    sample_format: str
    container_options: tuple[tuple[str, str], ...]
    codec_options: tuple[tuple[str, str], ...] = ()
    rates: tuple[int, ...] = ()
    """What is encoded as it is; none means every rate."""


AAC = Muxing(
    "adts",
    "aac",
    "audio/aac",
    "fltp",
    (("flush_packets", "1"),),
    # AAC holds back two frames of 1 024 samples: lower rates would come later than 100 ms.
    rates=(22_050, 24_000, 32_000, 44_100, 48_000),
)
FLAC = Muxing(
    "flac",
    "flac",
    "audio/flac",
    "s16",
    # The 8 kB that are otherwise left free for tags are a second of speech.
    (("flush_packets", "1"), ("metadata_header_padding", "0"), ("fflags", "+bitexact")),
    (("compression_level", "5"),),
)
WEBM = Muxing(
    "webm",
    "libopus",
    "audio/webm",
    "s16",
    (("flush_packets", "1"), ("live", "1"), ("cluster_time_limit", "40"), ("fflags", "+bitexact")),
    tuple(_OPUS_OPTIONS.items()),
    (OPUS_RATE,),
)


class OpusCore:
    """Opus in Ogg, 20 ms a packet and a packet a page (RFC 7845): plays to exactly the last sample.

    The pre-skip says how many samples at the beginning are the encoder's look-ahead, the granule position of the last page
    where the sound ends.
    """

    media_type = "audio/ogg"
    rate = OPUS_RATE

    def __init__(self, source_rate: int, bit_rate: int | None) -> None:
        require()
        self._codec = open_codec("libopus", OPUS_RATE, "s16", bit_rate or _OPUS_BIT_RATE, _OPUS_OPTIONS)
        head = bytes(self._codec.extradata or b"")
        if len(head) < 19:
            raise EngineFailed("the Opus encoder gave no header")
        self._skip = int(struct.unpack_from("<H", head, 10)[0])
        self._framer = Framer(self._codec, "s16", OPUS_RATE)
        self._pages = ogg.PageWriter()
        head = head[:12] + struct.pack("<I", source_rate) + head[16:]
        self._ready = self._pages.page(head, 0, ogg.BEGIN) + self._pages.page(_TAGS, 0)
        self._packets = 0

    def encode(self, pcm: bytes) -> bytes:
        """A page for every 20 ms; the header pages come first, at once."""
        ready, self._ready = self._ready, b""
        return ready + b"".join(self._page(packet) for packet in self._framer.encode(pcm))

    def finish(self) -> bytes:
        """The look-ahead, on a page marked as the last one."""
        ready = self.encode(b"")
        end = self._skip + self._framer.taken + self._framer.waiting
        if end == self._skip:
            ready += b"".join(map(self._page, self._framer.encode(bytes(SAMPLE_WIDTH))))  # a last page needs a packet
        *others, last = self._framer.finish()
        return ready + b"".join(map(self._page, others)) + self._pages.page(last, end, ogg.END)

    def close(self) -> None:
        """Let the encoder go."""
        self._framer.close()

    def _page(self, packet: bytes) -> bytes:
        self._packets += 1
        return self._pages.page(packet, self._packets * OPUS_RATE // 50)


class MuxedCore:
    """A codec and a container that FFmpeg writes: AAC, FLAC, WebM."""

    def __init__(self, how: Muxing, rate: int, bit_rate: int | None) -> None:
        require()
        self.rate = rate
        self.media_type = how.media_type
        self._pipe = _Pipe()
        self._container = av.open(self._pipe, "w", format=how.container, options=dict(how.container_options))
        stream = self._container.add_stream(how.codec, rate=rate)
        codec = cast("AudioCodecContext", stream.codec_context)
        _configure(codec, rate, how.sample_format, bit_rate, dict(how.codec_options))
        self._stream = stream
        self._container.start_encoding()
        self._framer = Framer(codec, how.sample_format, rate)

    def encode(self, pcm: bytes) -> bytes:
        """What the container lets go of."""
        for packet in self._framer.packets(pcm):
            self._mux(packet)
        return self._pipe.take()

    def finish(self) -> bytes:
        """The last frames and whatever ends the container."""
        for packet in self._framer.last_packets():
            self._mux(packet)
        self._container.close()
        return self._pipe.take()

    def close(self) -> None:
        """Let encoder and container go; what they still write is dropped."""
        self._container.close()
        self._framer.close()
        self._pipe.take()

    def _mux(self, packet: Packet) -> None:
        packet.stream = self._stream
        try:
            self._container.mux(packet)
        except av.error.FFmpegError as error:
            raise EngineFailed(f"the container could not be written: {error}", cause=error) from error


class Framer:
    """Cuts samples into the frames a codec wants, so that its output does not depend on how the sound came."""

    def __init__(self, codec: AudioCodecContext, sample_format: str, rate: int) -> None:
        self._codec: AudioCodecContext | None = codec
        self._format = sample_format
        self._rate = rate
        self._width = codec.frame_size * SAMPLE_WIDTH
        self._rest = bytearray()
        self.taken = 0
        """Samples given to the codec so far."""

    def encode(self, pcm: bytes) -> list[bytes]:
        """The packets that are ready, as bytes."""
        return [bytes(packet) for packet in self.packets(pcm)]

    def finish(self) -> list[bytes]:
        """The remaining packets, as bytes: at least one from an encoder with look-ahead."""
        return [bytes(packet) for packet in self.last_packets()]

    def packets(self, pcm: bytes) -> list[Packet]:
        """The packets that are ready."""
        self._rest += pcm
        ready: list[Packet] = []
        whole = len(self._rest) - len(self._rest) % self._width
        for start in range(0, whole, self._width):
            ready += self._send(bytes(self._rest[start : start + self._width]))
        del self._rest[:whole]
        return ready

    def last_packets(self) -> list[Packet]:
        """The rest, in a short last frame, and what the codec holds back."""
        ready = self._send(bytes(self._rest)) if self._rest else []
        self._rest.clear()
        return ready + self._send(None)

    @property
    def waiting(self) -> int:
        """Samples that are no whole frame yet."""
        return len(self._rest) // SAMPLE_WIDTH

    def close(self) -> None:
        """Let the codec go."""
        self._codec = None
        self._rest.clear()

    def _send(self, pcm: bytes | None) -> list[Packet]:
        if self._codec is None:
            raise EngineFailed("the encoder is closed")
        try:
            return list(self._codec.encode(None if pcm is None else self._frame(pcm)))
        except av.error.FFmpegError as error:
            raise EngineFailed(f"the {self._codec.name} encoder failed: {error}", cause=error) from error

    def _frame(self, pcm: bytes) -> av.AudioFrame:
        samples = np.frombuffer(pcm, "<i2")[None]
        if self._format == "fltp":
            frame = av.AudioFrame.from_ndarray(samples.astype(np.float32) / 32_768.0, format="fltp", layout="mono")
        else:
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self.taken
        self.taken += samples.shape[1]
        return frame


def require() -> None:
    """Raises EngineMissing without PyAV."""
    if missing is not None:
        raise EngineMissing(f"this audio format needs PyAV: {MENDING}", cause=missing)


def open_codec(name: str, rate: int, sample_format: str, bit_rate: int, options: dict[str, str]) -> AudioCodecContext:
    """An encoder without a container. Raises EngineMissing where FFmpeg was built without it."""
    try:
        codec = cast("AudioCodecContext", av.CodecContext.create(name, "w"))
    except av.error.FFmpegError as error:
        raise EngineMissing(f"this PyAV comes without {name}; its wheels have it: {MENDING}", cause=error) from error
    _configure(codec, rate, sample_format, bit_rate, options)
    codec.open()
    return codec


def _configure(
    codec: AudioCodecContext, rate: int, sample_format: str, bit_rate: int | None, options: dict[str, str]
) -> None:
    codec.sample_rate = rate
    codec.layout = "mono"
    codec.format = sample_format
    codec.time_base = Fraction(1, rate)
    codec.thread_count = 1
    codec.options = options
    if bit_rate is not None:
        codec.bit_rate = bit_rate


class _Pipe(io.RawIOBase):
    """Where a muxer writes to: it cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = bytes(self._written)
        self._written.clear()
        return taken
