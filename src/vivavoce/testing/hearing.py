"""Scripted ears: speech to text from a script, voice activity from loudness, end of turn from a number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Literal

from vivavoce.audio.level import rms
from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import InvalidAudio, Overloaded, ProtocolViolation, VivavoceError
from vivavoce.contracts.ports import Clock, Transcription, VoiceActivity
from vivavoce.contracts.speech import (
    Capabilities,
    SpeechProbability,
    Transcript,
    TranscriptionOptions,
    TurnScore,
    Word,
)
from vivavoce.flow.clock import SystemClock
from vivavoce.flow.queue import BoundedQueue, WhenFull
from vivavoce.testing.scripts import Tally, cycle

VOICED = -45.0
"""dBFS from which audio counts as voice."""

_WINDOW = HEARING.samples(0.02) * HEARING.frame_width
_MAX_UTTERANCE = 120.0
_MAX_TURN = 8.0
_FRAME = 512


class ScriptedSpeechToText:
    """Reads a script instead of the audio: each utterance opened answers with the next text, or with ``texts(pcm)``.

    Partials reveal a word per ``seconds_per_word`` of *voiced* audio, looked at every ``partial_every`` voiced seconds, so
    silence adds nothing; an utterance without voice has an empty final. The final follows ``final_latency`` seconds behind
    ``finish``. ``fail`` is raised where ``fail_at`` says: from ``open``, with the next audio, in place of the final. Audio
    past ``max_utterance`` seconds is refused with Overloaded. ``word_times`` gives the words of a final even shares of the
    utterance. All knobs are attributes and may be turned at any time.
    """

    def __init__(
        self,
        texts: str | Sequence[str] | Callable[[bytes], str] = ("hello there",),
        *,
        partial_every: float = 0.2,
        final_latency: float = 0.06,
        fail: VivavoceError | None = None,
        name: str = "scripted",
        clock: Clock | None = None,
    ) -> None:
        if callable(texts):
            self._read: Callable[[bytes], str] | None = texts
        else:
            self._read, self._next = None, cycle(texts)
        self.partial_every = partial_every
        self.final_latency = final_latency
        self.seconds_per_word = 0.3
        self.max_utterance = _MAX_UTTERANCE
        self.fail = fail
        self.fail_at: Literal["open", "audio", "final"] = "final"
        self.word_times = False
        self.clock: Clock = clock or SystemClock()
        self.tally = Tally()
        self.asked: list[TranscriptionOptions] = []
        self.capabilities = Capabilities(name=name, concurrency=1_000, final_latency=final_latency, licence="Apache-2.0")

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Begin an utterance."""
        if self.fail is not None and self.fail_at == "open":
            raise self.fail
        self.tally.opened += 1
        self.asked.append(options)
        return _ScriptedTranscription(self, options, self._read or _constant(self._next()), keep=self._read is not None)


def _constant(text: str) -> Callable[[bytes], str]:
    return lambda _pcm: text


class _ScriptedTranscription:
    def __init__(
        self, port: ScriptedSpeechToText, options: TranscriptionOptions, read: Callable[[bytes], str], *, keep: bool
    ) -> None:
        self._port = port
        self._options = options
        self._read = read
        self._audio = bytearray() if keep else None
        self._window = bytearray()
        self._samples = 0
        self._voiced = 0.0
        self._looked = 0.0
        self._shown = ""
        self._finishing = False
        self._ended = False
        self._forget: Callable[[], None] | None = None
        # Only partials can pile up, and the newest says it all: the final comes last and is never the oldest.
        self._out: BoundedQueue[Transcript] = BoundedQueue(64, WhenFull.DROP_OLDEST)

    def send(self, chunk: AudioChunk) -> None:
        if self._ended:
            return
        if self._finishing:
            raise ProtocolViolation("audio behind the end of an utterance; open another one")
        if chunk.format != HEARING or len(chunk.pcm) % HEARING.frame_width:
            raise InvalidAudio(
                f"speech to text hears 16 kHz mono 16-bit samples, not {chunk.format}, {len(chunk.pcm)} bytes"
            )
        if self._port.fail is not None and self._port.fail_at == "audio":
            self._fail(self._port.fail)
            return
        if HEARING.seconds(self._samples + chunk.samples) > self._port.max_utterance:
            raise Overloaded(f"an utterance is {self._port.max_utterance:g} s at most; finish it")
        self._samples += chunk.samples
        if self._audio is not None:
            self._audio += chunk.pcm
        self._window += chunk.pcm
        while len(self._window) >= _WINDOW:
            self._judge(bytes(self._window[:_WINDOW]))
            del self._window[:_WINDOW]

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def finish(self) -> None:
        if self._ended or self._finishing:
            return
        self._finishing = True
        self._judge(bytes(self._window))
        self._forget = self._port.clock.call_later(self._port.final_latency, self._conclude)

    def cancel(self) -> None:
        if not self._ended:
            self._port.tally.cancelled += 1
            self._end()
            self._out.clear()
            self._out.close()

    def __aiter__(self) -> AsyncIterator[Transcript]:
        return self._out

    def _judge(self, pcm: bytes) -> None:
        if not pcm or rms(pcm) < VOICED:
            return
        self._voiced += HEARING.seconds(len(pcm) // HEARING.frame_width)
        if self._options.partials and self._voiced - self._looked >= self._port.partial_every - 1e-9:
            self._looked = self._voiced
            self._reveal()

    def _reveal(self) -> None:
        words = self._reading().split()
        text = " ".join(words[: int(self._voiced / self._port.seconds_per_word + 1e-9)])
        if text and text != self._shown:
            self._shown = text
            scripted = self._audio is None
            self._out.offer(Transcript(text, stable=len(text) if scripted else 0, language=self._options.language))

    def _reading(self) -> str:
        return self._read(bytes(self._audio or b""))

    def _conclude(self) -> None:
        if self._ended:
            return
        if self._port.fail is not None and self._port.fail_at == "final":
            self._fail(self._port.fail)
            return
        text = self._reading() if self._voiced else ""
        self._port.tally.finished += 1
        self._end()
        confidence = 0.9 if text else None
        self._out.offer(Transcript(text, True, len(text), self._timed(text), confidence, self._options.language))
        self._out.close()

    def _timed(self, text: str) -> tuple[Word, ...]:
        if not self._port.word_times:
            return ()
        words = text.split()
        each = HEARING.seconds(self._samples) / max(1, len(words))
        return tuple(Word(word, place * each, (place + 1) * each) for place, word in enumerate(words))

    def _fail(self, error: VivavoceError) -> None:
        self._port.tally.failed += 1
        self._end()
        self._out.fail(error)

    def _end(self) -> None:
        self._ended = True
        if self._forget is not None:
            self._forget()


class EnergyVoiceActivityDetector:
    """Voice activity by loudness alone: frames of 512 samples (32 ms), 0.02 below the threshold and 0.98 above it, with a
    ramp of ±3 dB between.

    Results come from within ``send``, or ``latency`` seconds later. With ``fail`` set, streams report it once, on the
    ``fail_after``-th frame sent to any of them.
    """

    def __init__(
        self,
        threshold_dbfs: float = VOICED,
        *,
        latency: float = 0.0,
        fail: VivavoceError | None = None,
        fail_after: int = 1,
        name: str = "scripted",
        clock: Clock | None = None,
    ) -> None:
        self.threshold_dbfs = threshold_dbfs
        self.latency = latency
        self.fail = fail
        self.fail_after = fail_after
        self.clock: Clock = clock or SystemClock()
        self.frames = 0
        self.tally = Tally()
        self.capabilities = Capabilities(name=name, concurrency=1_000, licence="Apache-2.0")

    def open(self, on_result: Callable[[SpeechProbability], None], on_error: Callable[[Exception], None]) -> VoiceActivity:
        """Begin a stream."""
        self.tally.opened += 1
        return _EnergyStream(self, on_result, on_error)


class _EnergyStream:
    def __init__(
        self,
        port: EnergyVoiceActivityDetector,
        on_result: Callable[[SpeechProbability], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._port = port
        self._on_result = on_result
        self._on_error = on_error
        self._pending = bytearray()
        self._position = 0
        self._epoch = 0
        self._closed = False

    def send(self, chunk: AudioChunk) -> None:
        if chunk.format != HEARING or len(chunk.pcm) % HEARING.frame_width:
            raise InvalidAudio(
                f"voice activity hears 16 kHz mono 16-bit samples, not {chunk.format}, {len(chunk.pcm)} bytes"
            )
        if chunk.offset != self._position + len(self._pending) // HEARING.frame_width:
            self._pending.clear()  # a gap: frames never span it
            self._position = chunk.offset
        self._pending += chunk.pcm
        width = _FRAME * HEARING.frame_width
        while len(self._pending) >= width and not self._closed:
            frame = bytes(self._pending[:width])
            del self._pending[:width]
            self._position += _FRAME
            self._judge(frame)

    def reset(self) -> None:
        self._pending.clear()
        self._epoch += 1

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._port.tally.finished += 1

    def _judge(self, frame: bytes) -> None:
        port = self._port
        port.frames += 1
        if port.fail is not None and port.frames >= port.fail_after:
            self._closed = True
            port.tally.failed += 1
            self._on_error(port.fail)
            return
        level = rms(frame)
        probability = min(0.98, max(0.02, 0.5 + (level - port.threshold_dbfs) / 6.0))
        result = SpeechProbability(self._position, probability, level)
        if port.latency <= 0:
            self._on_result(result)
        else:
            epoch = self._epoch
            port.clock.call_later(port.latency, lambda: self._tell(result, epoch))

    def _tell(self, result: SpeechProbability, epoch: int) -> None:
        if not self._closed and epoch == self._epoch:
            self._on_result(result)


class ScriptedTurnDetector:
    """Says ``score`` (a number, or a function of the PCM) for every turn, ``latency`` seconds after it was asked."""

    def __init__(
        self,
        score: float | Callable[[bytes], float] = 0.9,
        *,
        latency: float = 0.02,
        fail: VivavoceError | None = None,
        name: str = "scripted",
        clock: Clock | None = None,
    ) -> None:
        self._score = score
        self.latency = latency
        self.fail = fail
        self.clock: Clock = clock or SystemClock()
        self.asked: list[int] = []
        """Samples of PCM in each question."""
        self.tally = Tally()
        self.capabilities = Capabilities(name=name, concurrency=1_000, licence="Apache-2.0")

    async def score(self, pcm: bytes) -> TurnScore:
        """Score up to 8 s of HEARING PCM."""
        samples = len(pcm) // HEARING.frame_width
        if len(pcm) % HEARING.frame_width or HEARING.seconds(samples) > _MAX_TURN:
            raise InvalidAudio(f"a turn is scored on at most {_MAX_TURN:g} s of 16-bit samples, not on {len(pcm)} bytes")
        self.asked.append(samples)
        self.tally.opened += 1
        try:
            await self.clock.sleep(self.latency)
        except asyncio.CancelledError:
            self.tally.cancelled += 1
            raise
        if self.fail is not None:
            self.tally.failed += 1
            raise self.fail
        self.tally.finished += 1
        return TurnScore(self._score(pcm) if callable(self._score) else self._score)
