"""WAV as it arrives."""

from __future__ import annotations

from vivavoce.audio.codecs import wav
from vivavoce.audio.codecs.feed import Feed
from vivavoce.audio.codecs.sound import Elsewhere, Sound
from vivavoce.audio.convert import to_mono16
from vivavoce.contracts.errors import InvalidAudio

_STEP = 1 << 18
"""Bytes turned into mono at once, at most."""
_MAX_CHUNK = 1 << 24
"""Bytes of a chunk before the samples that are passed over."""


class WavSource:
    """A WAV stream: everything ``wav.read`` reads; other encodings are left to FFmpeg. Implements ``sound.Source``."""

    def __init__(self) -> None:
        self._feed = Feed()
        self._riff = 0
        self._begun = False
        self._layout: wav.Layout | None = None
        self._left: int | None = 0
        """Bytes of samples still to come, None if that is not known."""
        self._sounding = False

    @property
    def truncated(self) -> bool:
        return bool(self._left) or self._feed.missing > 0

    def feed(self, data: bytes) -> None:
        if self._sounding and self._left == 0:
            return  # what follows the samples
        self._feed.add(data)

    def finish(self) -> None:
        self._feed.ended = True

    def read(self) -> Sound | None:
        while not self._sounding:
            if not self._header():
                if self._feed.ended:
                    raise InvalidAudio("broken WAV file: it ends in its header")
                return None
        layout = self._layout
        if layout is None:
            raise InvalidAudio("broken WAV file: its data chunk comes without a format chunk before it")
        size = min(len(self._feed), _STEP, len(self._feed) if self._left is None else self._left)
        size -= size % layout.width
        data = self._feed.take(size)
        if not data:
            return None
        if self._left is not None:
            self._left -= size
        return Sound(to_mono16(data, layout.encoding, layout.channels), layout.rate)

    def close(self) -> None:
        self._layout = None

    def _header(self) -> bool:
        """Take the file's head or one chunk before the samples; False if it is not here."""
        if not self._begun:
            head = self._feed.take(12)
            self._begun = head is not None
            self._riff = int.from_bytes(head[4:8], "little") if head else 0
            return self._begun
        head = self._feed.peek(8)
        if len(head) < 8 or self._feed.missing:
            return False
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            self._feed.skip(8)
            self._sounding = True
            unknown = size == wav.UNKNOWN or (size == 0 and self._riff in (0, wav.UNKNOWN))
            self._left = None if unknown else size
            return True
        if size > _MAX_CHUNK:
            raise InvalidAudio(f"broken WAV file: a chunk of {size} bytes before the samples")
        if name == b"fmt ":
            return self._format(size)
        self._feed.skip(8 + size + size % 2)
        return True

    def _format(self, size: int) -> bool:
        due = min(size, wav.MAX_FORMAT + 1)  # a larger one is refused for what it says
        body = self._feed.peek(due, 8)
        if len(body) < due:
            return False
        try:
            self._layout = wav.parse_format(body, size)
        except InvalidAudio as error:
            if error.code == "unsupported_audio":
                raise Elsewhere("wav") from error
            raise
        self._feed.skip(8 + size + size % 2)
        return True
