"""Noise suppression and echo cancellation with the audio processing of WebRTC (package ``livekit``, Apache-2.0).

The library works on frames of exactly 10 ms; audio of any length is cut into these, so what goes in comes out in step with
the frames, and ``flush`` gives the rest: as many samples in all as went in. Its filter banks delay the sound itself by some
6–8 ms (95 samples at 16 kHz suppressing noise, 127 cancelling echo). About 7 ms of work per second of
audio; no server is contacted.
"""

from __future__ import annotations

from typing import Any

from vivavoce.contracts.audio import HEARING, SAMPLE_WIDTH, AudioFormat
from vivavoce.contracts.errors import EngineFailed, EngineMissing, InvalidAudio

try:
    from livekit import rtc
except ImportError:
    rtc = None

RATES = (8_000, 16_000, 32_000, 48_000)
"""Sample rates the library works at without resampling."""
MAX_DELAY = 0.5
"""Seconds; the longest stream delay the library believes."""
MAX_AHEAD = 1.0
"""Seconds the far end may be handed over before the near end; older far-end audio is given to the canceller at once."""


class NoiseSuppressor:
    """Takes steady noise out of mono speech. One object per stream; not for several threads at once.

    Raises EngineMissing without the package, InvalidAudio for a format that is not mono at one of ``RATES``.
    """

    def __init__(self, format: AudioFormat = HEARING) -> None:
        self._frames = _Frames(format, noise_suppression=True, high_pass_filter=True)

    @property
    def format(self) -> AudioFormat:
        """Of what goes in and of what comes out."""
        return self._frames.format

    def process(self, pcm: bytes) -> bytes:
        """Take s16le of any whole number of samples; return the 10 ms frames that are complete. Raises InvalidAudio."""
        return self._frames.near(pcm)

    def flush(self) -> bytes:
        """What is left at the end of the stream; the next audio is another stream's as far as framing goes."""
        return self._frames.flush()


class EchoCanceller:
    """Takes out of the near end (microphone) what comes from the far end (loudspeaker), and optionally steady noise.

    Give the far end with ``reference`` *before* the near end that may contain it, at the same format. ``delay`` is the time
    in seconds (0–0.5) from a far-end sample being given here to its echo being given here; the canceller finds the rest by
    itself and converges within about a second of far-end speech.

    Raises EngineMissing without the package, InvalidAudio for another format or delay.
    """

    def __init__(
        self,
        format: AudioFormat = HEARING,
        *,
        delay: float = 0.0,
        suppress_noise: bool = False,
    ) -> None:
        self._frames = _Frames(format, echo_cancellation=True, noise_suppression=suppress_noise, high_pass_filter=True)
        self.delay = delay

    @property
    def format(self) -> AudioFormat:
        """Of both ends."""
        return self._frames.format

    @property
    def delay(self) -> float:
        """Seconds between far end and echo, as last set."""
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        if not 0 <= seconds <= MAX_DELAY:
            raise InvalidAudio(f"the delay of an echo is 0 to {MAX_DELAY:g} s, not {seconds:g} s")
        self._delay = seconds
        self._frames.set_delay(seconds)

    def reference(self, pcm: bytes) -> None:
        """Take far-end s16le of any whole number of samples. Raises InvalidAudio."""
        self._frames.far(pcm)

    def process(self, pcm: bytes) -> bytes:
        """Take near-end s16le of any whole number of samples; return the 10 ms frames that are complete."""
        return self._frames.near(pcm)

    def flush(self) -> bytes:
        """What is left of the near end at the end of the stream; what is left of the far end is forgotten."""
        return self._frames.flush()


class _Frames:
    """Cuts both ends into frames and feeds them in step: a far-end frame, then the near-end frame that may contain it."""

    def __init__(self, format: AudioFormat, **features: bool) -> None:
        if rtc is None:
            raise EngineMissing("livekit is not installed: pip install 'vivavoce[audio]'")
        if format.channels != 1 or format.rate not in RATES:
            rates = ", ".join(map(str, RATES))
            raise InvalidAudio(
                f"audio processing takes mono at {rates} Hz, not {format.channels} channels at {format.rate} Hz"
            )
        self.format = format
        self._samples = format.rate // 100
        self._size = self._samples * SAMPLE_WIDTH
        self._far = bytearray()
        self._near = bytearray()
        self._module: Any = rtc.AudioProcessingModule(**features)

    def set_delay(self, seconds: float) -> None:
        self._call(self._module.set_stream_delay_ms, round(seconds * 1000))

    def far(self, pcm: bytes) -> None:
        _check(pcm)
        self._far += pcm
        while len(self._far) > MAX_AHEAD * self.format.rate * SAMPLE_WIDTH:
            self._play()

    def near(self, pcm: bytes) -> bytes:
        _check(pcm)
        self._near += pcm
        cleaned = bytearray()
        while len(self._near) >= self._size:
            frame = bytes(self._near[: self._size])
            del self._near[: self._size]
            cleaned += self._clean(frame)
        return bytes(cleaned)

    def flush(self) -> bytes:
        left = len(self._near)
        frame = bytes(self._near).ljust(self._size, b"\0")
        self._near.clear()
        cleaned = self._clean(frame)[:left] if left else b""
        self._far.clear()
        return cleaned

    def _play(self) -> None:
        frame = rtc.AudioFrame(bytes(self._far[: self._size]), self.format.rate, 1, self._samples)
        del self._far[: self._size]
        self._call(self._module.process_reverse_stream, frame)

    def _clean(self, pcm: bytes) -> bytes:
        if len(self._far) >= self._size:
            self._play()
        frame = rtc.AudioFrame(pcm, self.format.rate, 1, self._samples)
        self._call(self._module.process_stream, frame)
        return bytes(frame.data)

    def _call(self, function: Any, argument: Any) -> None:
        try:
            function(argument)
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"audio processing failed: {error}", cause=error) from error


def _check(pcm: bytes) -> None:
    if len(pcm) % SAMPLE_WIDTH:
        raise InvalidAudio(f"{len(pcm)} bytes are no whole number of 16-bit samples; send an even number of bytes")
