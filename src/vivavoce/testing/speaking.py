"""Scripted mouths and minds: text to speech as a quiet tone, and a language model that knows its lines."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from vivavoce.contracts.audio import AudioChunk, AudioFormat
from vivavoce.contracts.errors import ProtocolViolation, UnknownName, VivavoceError
from vivavoce.contracts.ports import Clock, Synthesis
from vivavoce.contracts.speech import (
    Capabilities,
    Delta,
    LanguageOptions,
    Message,
    SpokenAudio,
    SynthesisOptions,
    Tool,
    Voice,
)
from vivavoce.flow.clock import SystemClock
from vivavoce.flow.queue import BoundedQueue, Closed, WhenFull
from vivavoce.testing.scripts import EndableWait, Tally

CHUNK = 0.04
"""Seconds of audio per chunk."""

VOICES = {"tone": 200, "low": 100}
"""Voices and their frequency in Hz; whole numbers, so that a second of tone repeats without a seam."""

_LEVEL = -26.0
_WORD = re.compile(r"\s*\S+")
_TOKEN = re.compile(r"\s*\S+|\s+$")
_MAX_PIECES = 256


@lru_cache(maxsize=16)
def _second(rate: int, frequency: int) -> bytes:
    amplitude = 32_767 * 10 ** (_LEVEL / 20) * math.sqrt(2)
    wave = amplitude * np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
    return np.round(wave).astype("<i2").tobytes()


def tone_pcm(rate: int, start: int, end: int, voice: str = "tone") -> bytes:
    """What the scripted voice says from sample ``start`` to ``end`` of an utterance, for exact comparisons."""
    second = _second(rate, VOICES[voice])
    first = start % rate
    turns = -(-(first + end - start) // rate)
    return (second * turns)[first * 2 : (first + end - start) * 2]


class ScriptedTextToSpeech:
    """Says every text as a quiet tone (or silence) of ``seconds_per_character`` a character, in chunks of 40 ms.

    With ``exact`` a chunk belongs to one word and carries that word's span (blanks before it included); without it spans
    are in proportion to duration and a chunk may straddle words. The first chunk of a piece is ready ``first_latency``
    seconds after the piece was sent (or behind the piece before it), each later one ``rtf`` times its duration after the one
    before. ``silent`` yields nothing and ends; ``stall`` yields that many seconds and then nothing until cancelled;
    ``fail_after`` raises ``fail`` behind that many seconds. All knobs are attributes and may be turned at any time.
    """

    def __init__(
        self,
        *,
        first_latency: float = 0.06,
        rtf: float = 0.05,
        seconds_per_character: float = 0.06,
        tone: bool = True,
        name: str = "scripted",
        clock: Clock | None = None,
    ) -> None:
        self.first_latency = first_latency
        self.rtf = rtf
        self.seconds_per_character = seconds_per_character
        self.tone = tone
        self.exact = True
        self.silent = False
        self.stall: float | None = None
        self.fail: VivavoceError | None = None
        self.fail_after: float = 0.0
        self.clock: Clock = clock or SystemClock()
        self.tally = Tally()
        self.texts: list[str] = []
        """All text each utterance was given, in the order they were opened."""
        self.asked: list[SynthesisOptions] = []
        """With which options, likewise."""
        self._capabilities = Capabilities(
            name=name,
            sample_rate=24_000,
            voices=tuple(Voice(voice, voice.capitalize(), "en") for voice in VOICES),
            concurrency=1_000,
            licence="Apache-2.0",
        )

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as its knobs stand."""
        return replace(self._capabilities, word_times=self.exact)

    def open(self, options: SynthesisOptions) -> Synthesis:
        """Begin an utterance. Raises UnknownName for a voice it has not."""
        voice = options.voice or "tone"
        if voice not in VOICES:
            raise UnknownName(f"no voice is called {voice!r}; there is {', '.join(VOICES)}", code="unknown_voice")
        self.tally.opened += 1
        self.texts.append("")
        self.asked.append(options)
        return _ScriptedSynthesis(self, options, voice, len(self.texts) - 1)


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    start: int
    sent: float


class _ScriptedSynthesis:
    def __init__(self, port: ScriptedTextToSpeech, options: SynthesisOptions, voice: str, index: int) -> None:
        self._port = port
        self._format = AudioFormat(options.rate)
        self._per_character = port.seconds_per_character / options.speed
        self._voice = voice
        self._index = index
        self._pieces: BoundedQueue[_Piece] = BoundedQueue(_MAX_PIECES, WhenFull.REJECT)
        self._wait = EndableWait(port.clock)
        self._characters = 0
        self._offset = 0
        self._free = 0.0
        self._chunks: Iterator[SpokenAudio] = iter(())
        self._ended = False

    def send(self, text: str) -> None:
        if self._ended or not text:
            return
        if self._pieces.closed:
            raise ProtocolViolation("text behind the end of an utterance; open another one")
        self._pieces.offer(_Piece(text, self._characters, self._port.clock.now()))
        self._characters += len(text)
        self._port.texts[self._index] += text

    def flush(self) -> None:
        pass  # every piece is spoken as it comes

    def finish(self) -> None:
        self._pieces.close()

    def cancel(self) -> None:
        if not self._ended:
            self._port.tally.cancelled += 1
            self._end()

    def __aiter__(self) -> AsyncIterator[SpokenAudio]:
        return self

    async def __anext__(self) -> SpokenAudio:
        while not self._ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                await self._begin_piece()
            elif await self._ready(chunk):
                return chunk
        raise StopAsyncIteration

    async def _begin_piece(self) -> None:
        try:
            piece = await self._pieces.get()
        except Closed:
            if not self._ended:
                self._port.tally.finished += 1
                self._end()
            return
        self._chunks = iter(()) if self._port.silent else self._speak(piece)
        self._free = max(self._free, piece.sent + self._port.first_latency)

    async def _ready(self, chunk: SpokenAudio) -> bool:
        spoken = chunk.chunk.format.seconds(chunk.chunk.offset)
        if not await self._wait.until(self._free):
            return False
        if self._port.stall is not None and spoken >= self._port.stall:
            await self._wait.forever()
            return False
        if self._port.fail is not None and spoken >= self._port.fail_after:
            self._port.tally.failed += 1
            self._end()
            raise self._port.fail
        self._free += self._port.rtf * chunk.chunk.format.seconds(chunk.chunk.samples)
        return True

    def _speak(self, piece: _Piece) -> Iterator[SpokenAudio]:
        words = [(match.start(), match.end()) for match in _WORD.finditer(piece.text)]
        if not self._port.exact and words:
            words = [(0, words[-1][1])]
        origin = self._offset
        for start, end in words:
            # Ends are rounded from the start of the piece, so that rounding does not add up.
            stop = origin + self._format.samples(self._per_character * end)
            total = stop - self._offset
            spoken = 0
            while spoken < total:
                step = min(self._format.samples(CHUNK), total - spoken)
                span = (start, end)
                if not self._port.exact:
                    span = (end * spoken // total, end * (spoken + step) // total)
                yield self._chunk(step, piece.start + span[0], piece.start + span[1])
                spoken += step

    def _chunk(self, samples: int, text_start: int, text_end: int) -> SpokenAudio:
        start, self._offset = self._offset, self._offset + samples
        pcm = tone_pcm(self._format.rate, start, self._offset, self._voice) if self._port.tone else bytes(2 * samples)
        return SpokenAudio(AudioChunk(pcm, self._format, start), text_start, text_end, self._port.exact)

    def _end(self) -> None:
        self._ended = True
        self._pieces.clear()
        self._pieces.close()
        self._wait.end()


Script = Callable[[Sequence[Message]], "str | Sequence[Delta]"]


class ScriptedLanguageModel:
    """Answers with the next reply, or with ``replies(messages)``, token by token.

    A reply is a text, cut into words, or a list of deltas (tool calls too) streamed as they are. The first delta is ready
    ``first_token_latency`` seconds after ``stream``, the next ones ``1 / tokens_per_second`` apart. With ``fail`` set it is
    raised behind ``fail_after`` deltas; with ``stall_after`` nothing more comes behind so many until the stream is closed.
    """

    def __init__(
        self,
        replies: str | Sequence[str | Sequence[Delta]] | Script = ("All right.",),
        *,
        first_token_latency: float = 0.08,
        tokens_per_second: float = 40.0,
        fail: VivavoceError | None = None,
        name: str = "scripted",
        clock: Clock | None = None,
    ) -> None:
        if not callable(replies) and not replies:
            raise ValueError("a script needs one reply at least")
        self._replies = (replies,) if isinstance(replies, str) else replies
        self.first_token_latency = first_token_latency
        self.tokens_per_second = tokens_per_second
        self.fail = fail
        self.fail_after = 0
        self.stall_after: int | None = None
        self.metered = False
        self.clock: Clock = clock or SystemClock()
        self.tally = Tally()
        """A stream closed before its end counts as cancelled."""
        self.requests: list[tuple[Message, ...]] = []
        self.tools: list[tuple[Tool, ...]] = []
        self._capabilities = Capabilities(name=name, concurrency=1_000, licence="Apache-2.0")

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, as its knobs stand."""
        return replace(self._capabilities, metered=self.metered)

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> AsyncIterator[Delta]:
        """Stream an answer."""
        self.requests.append(tuple(messages))
        self.tools.append(tuple(tools))
        self.tally.opened += 1
        if callable(self._replies):
            reply = self._replies(messages)
        else:
            reply = self._replies[(len(self.requests) - 1) % len(self._replies)]
        deltas = [Delta(token) for token in _TOKEN.findall(reply)] if isinstance(reply, str) else list(reply)
        return ScriptedStream(self, deltas[: options.max_tokens])


class ScriptedStream:
    """One answer on its way. ``aclose`` may be called at any time, while another task waits for a delta too."""

    def __init__(self, port: ScriptedLanguageModel, deltas: Sequence[Delta]) -> None:
        self._port = port
        self._deltas = deltas
        self._given = 0
        self._due = port.clock.now() + port.first_token_latency
        self._wait = EndableWait(port.clock)
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        if self._ended or not await self._wait.until(self._due):
            raise StopAsyncIteration
        port = self._port
        if port.stall_after is not None and self._given >= port.stall_after:
            await self._wait.forever()
            raise StopAsyncIteration
        if port.fail is not None and self._given >= port.fail_after:
            port.tally.failed += 1
            self._end()
            raise port.fail
        if self._given == len(self._deltas):
            port.tally.finished += 1
            self._end()
            raise StopAsyncIteration
        delta = self._deltas[self._given]
        self._given += 1
        if self._given < len(self._deltas):
            self._due += 1.0 / port.tokens_per_second
        return delta

    async def aclose(self) -> None:
        """Withdraw. Idempotent."""
        if not self._ended:
            self._port.tally.cancelled += 1
            self._end()

    def _end(self) -> None:
        self._ended = True
        self._wait.end()
