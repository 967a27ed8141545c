"""The ports: what sessions need of the world, as Protocols.

All methods are called on the event loop. Streams are one object per utterance over a shared engine; every ``cancel`` and
``close`` is idempotent, never blocks and never raises. After ``cancel`` an iteration ends without an error. Failures reach
the consumer as an exception of the error tree, raised from the iteration (or from the awaited call).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, runtime_checkable

from vivavoce.contracts.audio import AudioChunk, AudioFormat, ReplyAudio, Stamp
from vivavoce.contracts.events import SessionEvent
from vivavoce.contracts.speech import (
    Capabilities,
    Delta,
    LanguageOptions,
    Message,
    SpeechProbability,
    SpokenAudio,
    SynthesisOptions,
    Tool,
    Transcript,
    TranscriptionOptions,
    TurnScore,
    WakeWord,
)


class Transcription(Protocol):
    """One utterance being read. Iterate for partial transcripts and, after ``finish``, exactly one final."""

    def send(self, chunk: AudioChunk) -> None:
        """Hand over audio (HEARING format) without waiting. Raises Overloaded when the bounded backlog is full."""

    async def drain(self) -> None:
        """Wait until the backlog is below its high-water mark; for sources faster than real time."""

    def finish(self) -> None:
        """No more audio: the final transcript follows."""

    def cancel(self) -> None:
        """Withdraw; the iteration ends without a final."""

    def __aiter__(self) -> AsyncIterator[Transcript]: ...


@runtime_checkable
class SpeechToText(Protocol):
    """Speech to text."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Begin an utterance. Raises Overloaded or Unavailable at once, or later through the iteration."""


class Synthesis(Protocol):
    """One utterance being spoken. Text goes in piece by piece, audio comes out in order."""

    def send(self, text: str) -> None:
        """Append text; speech may begin as soon as a piece is speakable. Pieces are spoken as given."""

    def flush(self) -> None:
        """Speak all that was sent even if it ends in mid-sentence."""

    def finish(self) -> None:
        """No more text: the iteration ends behind the last audio."""

    def cancel(self) -> None:
        """Withdraw; the iteration ends at once."""

    def __aiter__(self) -> AsyncIterator[SpokenAudio]: ...


@runtime_checkable
class TextToSpeech(Protocol):
    """Text to speech. Audio has the rate of the options; spans count characters of all text sent."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, options: SynthesisOptions) -> Synthesis:
        """Begin an utterance."""


@runtime_checkable
class LanguageModel(Protocol):
    """Messages to text deltas and tool calls."""

    @property
    def capabilities(self) -> Capabilities: ...

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> AsyncIterator[Delta]:
        """Stream an answer. Closing the iterator (``aclose``) withdraws the request."""


class VoiceActivity(Protocol):
    """Voice activity detection of one session's stream."""

    def send(self, chunk: AudioChunk) -> None:
        """Hand over audio of any length (HEARING); results come through the callback given to ``open``, in order."""

    def reset(self) -> None:
        """Forget the past of the stream."""

    def close(self) -> None:
        """End the stream; no callback follows."""


@runtime_checkable
class VoiceActivityDetector(Protocol):
    """Speech or not, frame by frame. The hot path: results come through a plain callback, not an iteration."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(self, on_result: Callable[[SpeechProbability], None], on_error: Callable[[Exception], None]) -> VoiceActivity:
        """Begin a stream. ``on_error`` is called once if the detector is lost; the caller may open another."""


@runtime_checkable
class TurnDetector(Protocol):
    """Is the speaker done? Judged from the sound of the last seconds."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def score(self, pcm: bytes) -> TurnScore:
        """Score up to 8 s of HEARING PCM that ends at a pause."""


class WakeWordListening(Protocol):
    """Wake word detection of one session's stream."""

    def send(self, chunk: AudioChunk) -> None:
        """Hand over audio of any length (HEARING) without waiting; words come through the callback given to ``open``."""

    def reset(self) -> None:
        """Forget the past of the stream."""

    def close(self) -> None:
        """End the stream; no callback follows."""


@runtime_checkable
class WakeWordDetector(Protocol):
    """Listens for a few words and for nothing else. A plain callback, like voice activity."""

    @property
    def capabilities(self) -> Capabilities: ...

    def open(
        self, words: Sequence[str], on_wake: Callable[[WakeWord], None], on_error: Callable[[Exception], None]
    ) -> WakeWordListening:
        """Begin a stream that listens for ``words`` (none: all there are).

        Raises UnknownName for a word nobody knows, at once or through ``on_error``, which is called once if the detector is
        lost; the caller may open another.
        """


class AudioSource(Protocol):
    """Where speech comes from: iterate for chunks in order; the chunk's offset shows gaps."""

    @property
    def format(self) -> AudioFormat: ...

    def __aiter__(self) -> AsyncIterator[AudioChunk]: ...

    async def close(self) -> None: ...


class AudioSink(Protocol):
    """Where a reply goes. It keeps what it was given until it is played or cleared, and reports what was *played*.

    ``pause`` stops (or ducks) at the current sample at once; ``resume`` goes on at that very sample; ``clear`` drops
    whatever of this generation or older is not yet played. Reports reach the session through ``Conversation.played``.
    """

    @property
    def format(self) -> AudioFormat: ...

    def write(self, audio: ReplyAudio) -> None:
        """Take audio without waiting; the session paces itself by what was played."""

    def pause(self, stamp: Stamp) -> None: ...

    def resume(self, stamp: Stamp) -> None: ...

    def clear(self, stamp: Stamp) -> None: ...


class EventListener(Protocol):
    """Who wants to know what happens in a session. Called on the loop; must not block and must not raise."""

    def __call__(self, event: SessionEvent, /) -> None: ...


class SessionWatch(Protocol):
    """Follows one session for whoever keeps what happened. Called on the loop; must not block and must not raise."""

    @property
    def listens(self) -> bool:
        """Whether it wants the sound of both sides, too. Asked once, when the session opens."""

    def told(self, event: SessionEvent) -> None: ...

    def heard(self, chunk: AudioChunk) -> None:
        """Microphone audio, placed in session time."""

    def spoken(self, audio: ReplyAudio) -> None:
        """Audio of a reply on its way to the ear."""


class Witness(Protocol):
    """Is told of every session that opens."""

    def watch(self, session: str, transport: str, rate: int) -> SessionWatch:
        """Whoever follows this one; replies have ``rate`` samples a second."""


class Clock(Protocol):
    """Time, injected. ``now`` is monotonic seconds; ``call_later`` returns a function that cancels."""

    def now(self) -> float: ...

    def wall(self) -> float:
        """Seconds since the epoch, for logs and for telling the time."""

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Callable[[], None]: ...


class HistoryStore(Protocol):
    """Where conversations are kept, if they are."""

    async def append(self, session: str, message: Message) -> None: ...

    async def load(self, session: str, limit: int) -> Sequence[Message]: ...


class SharedState(Protocol):
    """Small values shared by front processes: one-time tokens, limits, registries."""

    async def put(self, key: str, value: bytes, ttl: float) -> None: ...

    async def get(self, key: str) -> bytes | None:
        """The value while it is there."""

    async def take(self, key: str) -> bytes | None:
        """Remove and return the value, once."""
