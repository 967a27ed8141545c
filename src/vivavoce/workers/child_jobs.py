"""What a worker does for one job, in bounded steps. Runs in the child, knows engines only by their contracts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Protocol

from vivavoce.contracts.audio import AudioFormat
from vivavoce.contracts.engines import (
    EngineAudio,
    EngineSynthesis,
    EngineTranscription,
    LanguageEngine,
    SynthesisEngine,
    TranscriptionEngine,
    TurnEngine,
)
from vivavoce.contracts.errors import ProtocolViolation
from vivavoce.contracts.speech import Delta
from vivavoce.workers.cutting import Cutter, Speech
from vivavoce.workers.messages import (
    Json,
    delta_to_json,
    request_from_json,
    synthesis_options,
    transcript_to_json,
    transcription_options,
)
from vivavoce.workers.wire import Kind, credit, pack, pack_json, pack_speech, read_credit

SLICE = 3_200
"""Bytes of HEARING PCM given to a recogniser at once: 100 ms, some 20 ms of work for the slowest streaming engine."""
CHUNK_SECONDS = 0.04
"""Longest piece of reply audio sent at once."""

Send = Callable[[bytes], None]


class Resampler(Protocol):
    """PCM at one rate in, PCM at another out; ``flush`` gives what was held back."""

    def process(self, pcm: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


MakeResampler = Callable[[int, int], Resampler]


class ChildJob(Protocol):
    """A job as the loop sees it."""

    @property
    def runnable(self) -> bool:
        """Whether ``step`` has something to do."""

    def receive(self, kind: int, payload: bytes) -> None:
        """Take input or credit. Must not compute."""

    def step(self) -> bool:
        """A bounded piece of work; True when the job is done. Raises whatever the engine raises."""

    def close(self) -> None:
        """Give everything back, done or not."""


class TranscriptionJob:
    """One utterance being read."""

    def __init__(self, number: int, engine: TranscriptionEngine, opening: Json, send: Send) -> None:
        self._number = number
        self._engine = engine
        self._options = transcription_options(opening["options"])
        self._send = send
        self._stream: EngineTranscription | None = None
        self._audio = bytearray()
        self._finished = False

    @property
    def runnable(self) -> bool:
        """Opening is work, too."""
        return self._stream is None or bool(self._audio) or self._finished

    def receive(self, kind: int, payload: bytes) -> None:
        """Audio, until it is finished."""
        if kind == Kind.AUDIO and not self._finished:
            self._audio += payload
        elif kind == Kind.FINISH:
            self._finished = True
        else:
            raise ProtocolViolation(f"a transcription takes audio, then FINISH; not kind {kind} here")

    def step(self) -> bool:
        """Open, or read a slice, or finish."""
        if self._stream is None:
            self._stream = self._engine.open(self._options)
            return False
        if not self._audio:
            final = transcript_to_json(self._stream.finish())
            self._send(pack_json(Kind.RESULT, self._number, final | {"final": True}))
            return True
        pcm = bytes(self._audio[:SLICE])
        del self._audio[:SLICE]
        partial = self._stream.send(pcm)
        self._send(pack(Kind.CREDIT, self._number, credit(len(pcm))))
        if partial is not None and self._options.partials:
            self._send(pack_json(Kind.RESULT, self._number, transcript_to_json(partial)))
        return False

    def close(self) -> None:
        """Close the engine's stream."""
        if self._stream is not None:
            self._stream.close()


class SynthesisJob:
    """One utterance being spoken, at the rate that was asked for and no faster than it is read."""

    def __init__(self, number: int, engine: SynthesisEngine, opening: Json, send: Send, resampler: MakeResampler) -> None:
        self._number = number
        self._engine = engine
        self._options = synthesis_options(opening["options"])
        self._credit = int(opening["window"])
        self._send = send
        self._make_resampler = resampler
        self._stream: EngineSynthesis | None = None
        self._texts: deque[str] = deque()
        self._speaking: Iterator[EngineAudio] | None = None
        self._resample: Resampler | None = None
        self._cutter = Cutter(1.0, 1)
        self._base = 0
        self._length = 0
        self._ready: deque[Speech] = deque()
        self._finished = False

    @property
    def runnable(self) -> bool:
        """Nothing new is synthesised while something waits for credit."""
        if self._ready:
            return self._credit >= _cost(self._ready[0])
        return self._stream is None or self._speaking is not None or bool(self._texts) or self._finished

    def receive(self, kind: int, payload: bytes) -> None:
        """Text, until it is finished; credit."""
        if kind == Kind.CREDIT:
            self._credit += read_credit(payload)
        elif kind == Kind.TEXT and not self._finished:
            self._texts.append(payload.decode())
        elif kind == Kind.FINISH:
            self._finished = True
        else:
            raise ProtocolViolation(f"a synthesis takes text, then FINISH; not kind {kind} here")

    def step(self) -> bool:
        """Open, or begin a piece, or synthesise a little, or send what credit came for."""
        if self._stream is None:
            self._stream = self._engine.open(self._options)
        elif self._ready:
            self._flush()
        elif self._speaking is not None:
            self._advance(self._stream.format, self._speaking)
        elif self._texts:
            self._begin(self._stream, self._texts.popleft())
        else:
            return self._finished
        return False

    def _begin(self, stream: EngineSynthesis, text: str) -> None:
        rate, wanted = stream.format.rate, self._options.rate
        self._base += self._length
        self._length = len(text)
        # A piece is flushed out of the resampler at its end, so that its last sounds need not wait for the next piece.
        self._resample = None if rate == wanted else self._make_resampler(rate, wanted)
        self._cutter = Cutter(wanted / rate, AudioFormat(wanted).samples(CHUNK_SECONDS))
        self._speaking = iter(stream.speak(text))

    def _advance(self, source: AudioFormat, speaking: Iterator[EngineAudio]) -> None:
        audio = next(speaking, None)
        if audio is None:
            pcm = self._resample.flush() if self._resample else b""
            self._speaking = None
        else:
            start, end = (self._base + min(at, self._length) for at in (audio.text_start, audio.text_end))
            self._cutter.note(len(audio.pcm) // source.frame_width, start, end, audio.exact)
            pcm = self._resample.process(audio.pcm) if self._resample else audio.pcm
        self._ready.extend(self._cutter.cut(pcm))
        self._flush()

    def _flush(self) -> None:
        while self._ready and self._credit >= _cost(self._ready[0]):
            speech = self._ready.popleft()
            self._credit -= _cost(speech)
            self._send(pack_speech(self._number, *speech))

    def close(self) -> None:
        """Abandon what is being said."""
        self._speaking = None
        if self._stream is not None:
            self._stream.close()


def _cost(speech: Speech) -> int:
    return len(speech.pcm)


class LanguageJob:
    """One answer being written; credit counts deltas."""

    def __init__(self, number: int, engine: LanguageEngine, opening: Json, send: Send) -> None:
        self._number = number
        self._engine = engine
        self._request = request_from_json(opening["request"])
        self._credit = int(opening["window"])
        self._send = send
        self._deltas: Iterator[Delta] | None = None

    @property
    def runnable(self) -> bool:
        """While somebody reads."""
        return self._credit > 0

    def receive(self, kind: int, payload: bytes) -> None:
        """Credit only: the request came with OPEN."""
        if kind != Kind.CREDIT:
            raise ProtocolViolation(f"an answer takes credit only, not kind {kind}")
        self._credit += read_credit(payload)

    def step(self) -> bool:
        """One delta."""
        if self._deltas is None:
            self._deltas = iter(self._engine.stream(*self._request))
            return False
        delta = next(self._deltas, None)
        if delta is None:
            return True
        self._credit -= 1
        self._send(pack_json(Kind.RESULT, self._number, delta_to_json(delta)))
        return False

    def close(self) -> None:
        """Abandon the answer."""
        self._deltas = None


class TurnJob:
    """One pause being judged."""

    def __init__(self, number: int, engine: TurnEngine, send: Send) -> None:
        self._number = number
        self._engine = engine
        self._send = send
        self._audio = b""
        self._finished = False

    @property
    def runnable(self) -> bool:
        """When all audio is there."""
        return self._finished

    def receive(self, kind: int, payload: bytes) -> None:
        """Audio, then FINISH."""
        if kind == Kind.AUDIO:
            self._audio += payload
        elif kind == Kind.FINISH:
            self._finished = True
        else:
            raise ProtocolViolation(f"a turn is judged from audio, not from kind {kind}")

    def step(self) -> bool:
        """The judgement."""
        probability = float(self._engine.score(self._audio))
        self._send(pack_json(Kind.RESULT, self._number, {"probability": probability}))
        return True

    def close(self) -> None:
        """Nothing is held."""


def ending(number: int, error: Json | None = None) -> bytes:
    """The last frame of a job."""
    return pack(Kind.END, number) if error is None else pack_json(Kind.END, number, error)


def describe(capabilities: object) -> Json:
    """Capabilities as JSON."""
    return asdict(capabilities)  # type: ignore[call-overload, no-any-return]
