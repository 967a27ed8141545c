"""What decoders of every kind give, and packets turned into it by FFmpeg's codecs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from vivavoce.audio.codecs.libav import MENDING, require
from vivavoce.audio.convert import MAX_CHANNELS
from vivavoce.audio.resample import MAX_RATE, MIN_RATE
from vivavoce.contracts.audio import SAMPLE_WIDTH
from vivavoce.contracts.errors import EngineMissing, InvalidAudio

with contextlib.suppress(ImportError):  # libav.require tells
    import av

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext

    Packet = av.Packet[Any]

_HOPELESS = 500
"""Packets that may fail before the first sound: a stream that begins with so much damage is no sound."""


class Sound(NamedTuple):
    """Mono s16le at ``rate``."""

    pcm: bytes
    rate: int

    @property
    def samples(self) -> int:
        """How many."""
        return len(self.pcm) // SAMPLE_WIDTH


class Source(Protocol):
    """One container being read. Bytes go in with ``feed``; ``read`` decodes a bounded step."""

    @property
    def truncated(self) -> bool:
        """Known after the last read: less could be read than the stream promised."""
        ...

    def feed(self, data: bytes) -> None:
        """More bytes of the stream."""
        ...

    def finish(self) -> None:
        """No more bytes come."""
        ...

    def read(self) -> Sound | None:
        """The next piece; None: not before more bytes come, or, after finish, that was all.

        Raises InvalidAudio with the reason, Elsewhere before the first sound.
        """
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Elsewhere(Exception):  # noqa: N818 - no error: the way is another
    """The container is right but this reader does not know what is in it; FFmpeg's ``demuxer`` may."""

    def __init__(self, demuxer: str) -> None:
        super().__init__(demuxer)
        self.demuxer = demuxer


class PacketDecoder:
    """A codec of FFmpeg, fed packet by packet. Packets that cannot be decoded are counted and passed over."""

    def __init__(self, codec: str, extradata: bytes = b"", context: AudioCodecContext | None = None) -> None:
        require()
        self._codec = _context(codec) if context is None else context
        self._codec.thread_count = 1
        if extradata:
            self._codec.extradata = extradata
        self._name = codec
        self._sounded = False
        self.failed = 0

    def decode(self, packet: bytes | Packet | None) -> list[Sound]:
        """Packet in, sound out; None for the end. Raises InvalidAudio for an absurd rate or number of channels.

        An empty packet holds no sound. FFmpeg would take it for the end and refuse all that come after it.
        """
        if packet is not None and not (len(packet) if isinstance(packet, bytes) else packet.size):
            return []
        try:
            frames = self._codec.decode(av.Packet(packet) if isinstance(packet, bytes) else packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self.failed += 1
            if not self._sounded and self.failed >= _HOPELESS:
                raise InvalidAudio(f"this is no readable {self._name} stream: {error}", cause=error) from error
            return []
        sounds = [mono(frame) for frame in frames if frame.samples]
        self._sounded = self._sounded or bool(sounds)
        return sounds


def _context(codec: str) -> AudioCodecContext:
    try:
        return cast("AudioCodecContext", av.CodecContext.create(codec, "r"))
    except av.error.FFmpegError as error:
        raise EngineMissing(f"this PyAV cannot decode {codec}; its wheels can: {MENDING}", cause=error) from error


def mono(frame: av.AudioFrame) -> Sound:
    """A decoded frame as the mean of its channels. Raises InvalidAudio for an absurd rate or number of channels."""
    channels, rate = frame.layout.nb_channels, frame.sample_rate
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidAudio(f"{channels} channels are not supported; send 1 to {MAX_CHANNELS}")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise InvalidAudio(f"a sample rate of {rate} Hz is out of range; send {MIN_RATE} to {MAX_RATE} Hz")
    try:
        values = frame.to_ndarray()
    except ValueError as error:
        message = f"samples of the kind {frame.format.name} are not supported"
        raise InvalidAudio(message, code="unsupported_audio", cause=error) from error
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    mixed = _scaled(values).mean(axis=0)
    return Sound(np.clip(np.rint(mixed), -32_768, 32_767).astype("<i2").tobytes(), rate)


def _scaled(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """On the scale of 16 bits."""
    if values.dtype.kind == "f":
        floats = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0)
        return np.clip(floats, -1.0, 1.0) * 32_768.0
    if values.dtype == np.uint8:
        return (values.astype(np.float64) - 128.0) * 256.0
    return values.astype(np.float64) / 2.0 ** (8 * values.dtype.itemsize - 16)
