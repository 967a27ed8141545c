"""Files that can only be read once they are all here: MP4, FLAC, AMR, AIFF, and rare encodings in WAV, Ogg and Matroska.

FFmpeg's demuxer is always named, never guessed: some of those it might guess open other files and addresses.
"""

from __future__ import annotations

import contextlib
import io
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from vivavoce.audio.codecs import mp4
from vivavoce.audio.codecs.libav import require
from vivavoce.audio.codecs.sound import PacketDecoder, Sound
from vivavoce.contracts.errors import InvalidAudio

with contextlib.suppress(ImportError):  # libav.require tells
    import av

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.container import InputContainer

MAX_STREAMS = 64
_OPTIONS = {"protocol_whitelist": "", "max_streams": str(MAX_STREAMS), "probesize": "1000000"}
_SLACK = 0.1
"""Seconds a file may hold less than it says before it counts as cut short: encoders round and pad."""


class WholeSource:
    """A file in memory, demuxed by FFmpeg's ``demuxer`` after ``finish``. Implements ``sound.Source``."""

    def __init__(self, demuxer: str) -> None:
        require()
        self._demuxer = demuxer
        self._data = bytearray()
        self._ended = self._cut = self._over = False
        self._container: InputContainer | None = None
        self._decoder: PacketDecoder | None = None
        self._packets: Iterator[av.Packet[av.AudioStream]] = iter(())
        self._ready: deque[Sound] = deque()
        self._claimed = self._given = 0.0

    @property
    def truncated(self) -> bool:
        failed = self._decoder is not None and self._decoder.failed > 0
        return self._cut or failed or self._given < self._claimed - _SLACK

    def feed(self, data: bytes) -> None:
        self._data += data

    def finish(self) -> None:
        self._ended = True

    def read(self) -> Sound | None:
        if not self._ended or self._over:
            return None
        if self._container is None:
            self._open()
        while not self._ready and not self._over:
            self._step()
        if not self._ready:
            return None
        sound = self._ready.popleft()
        self._given += sound.samples / sound.rate
        return sound

    def close(self) -> None:
        self._packets = iter(())
        self._decoder = None
        self._ready.clear()
        self._over = True
        if self._container is not None:
            self._container.close()
        self._data.clear()

    def _open(self) -> None:
        if self._demuxer == "mov":
            self._cut = mp4.check(self._data)
        try:
            container = av.open(_Reader(self._data), "r", format=self._demuxer, options=_OPTIONS, metadata_errors="ignore")
        except av.error.FFmpegError as error:
            if self._demuxer == "ogg":  # only what has whole pages is sent here
                message = "the sound in this ogg file is cut short in its beginning, or of no known encoding"
                raise InvalidAudio(message, code="unsupported_audio", cause=error) from error
            raise InvalidAudio(f"this {self._demuxer} file cannot be read: {error.strerror}", cause=error) from error
        self._container = container
        if not container.streams.audio:
            if container.streams.video:
                raise InvalidAudio(f"this {self._demuxer} file has video but no sound")
            message = f"this {self._demuxer} file has no sound in it, or none of a known encoding"
            raise InvalidAudio(message, code="unsupported_audio")
        stream = container.streams.audio[0]
        codec = cast("AudioCodecContext | None", stream.codec_context)
        if codec is None:
            raise InvalidAudio(f"the sound in this {self._demuxer} file is of no known encoding", code="unsupported_audio")
        if stream.duration is not None and stream.time_base is not None:
            self._claimed = float(stream.duration * stream.time_base)
        self._decoder = PacketDecoder(codec.name, context=codec)
        self._packets = container.demux(stream)

    def _step(self) -> None:
        decoder = self._decoder
        if decoder is None:
            self._over = True
            return
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError:
            decoder.failed += 1  # the demuxer cannot go on; what came before stands
            packet = None
        self._over = packet is None
        self._ready.extend(decoder.decode(packet))  # the last, None, brings out what the decoder has kept


class _Reader(io.RawIOBase):
    """The bytes as a file, without copying them."""

    def __init__(self, data: bytearray) -> None:
        super().__init__()
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        end = len(self._data) if size < 0 else self._at + size
        data = bytes(self._data[self._at : end])
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at
