"""Language model and turn detector over a worker group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import EngineFailed, InvalidAudio, ProtocolViolation, VivavoceError
from vivavoce.contracts.speech import Capabilities, Delta, LanguageOptions, Message, Tool, TurnScore
from vivavoce.flow.queue import BoundedQueue, Closed, WhenFull
from vivavoce.workers.access import EngineAccess, end_queue
from vivavoce.workers.messages import Json, delta_from_json, request_to_json
from vivavoce.workers.wire import Kind, credit, read_json

WINDOW = 64
"""Deltas nobody has read yet."""
MAX_TURN = HEARING.samples(8) * HEARING.frame_width


class WorkerLanguageModel:
    """LanguageModel over a worker group."""

    def __init__(self, access: EngineAccess) -> None:
        self._access = access

    @property
    def capabilities(self) -> Capabilities:
        """See EngineAccess."""
        return self._access.capabilities

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> AsyncIterator[Delta]:
        """The request goes out at once. Raises Overloaded, Unavailable, the engine's load error, or ProtocolViolation
        for more than a megabyte of messages."""
        return WorkerAnswer(self._access, request_to_json(messages, tools, options))


class WorkerAnswer:
    """One answer; ``aclose`` withdraws it."""

    def __init__(self, access: EngineAccess, request: Json) -> None:
        self._deltas: BoundedQueue[Delta] = BoundedQueue(WINDOW, WhenFull.REJECT)
        self._read = 0
        self._job = access.open(self, {"request": request, "window": WINDOW})
        access.group.submit(self._job)

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        try:
            delta = await self._deltas.get()
        except Closed:
            raise StopAsyncIteration from None
        self._read += 1
        if self._read >= WINDOW // 4:
            self._job.write(Kind.CREDIT, credit(self._read))
            self._read = 0
        return delta

    async def aclose(self) -> None:
        """Withdraw. Idempotent."""
        self._job.cancel()
        self._deltas.clear()
        self._deltas.close()

    # --- Consumer

    def pump(self) -> None:
        """The request went with the opening."""

    def received(self, kind: int, payload: bytes) -> None:
        """Deltas."""
        if kind != Kind.RESULT:
            raise ProtocolViolation(f"a language model does not send frames of kind {kind}")
        self._deltas.offer(delta_from_json(read_json(payload)))

    def ended(self, error: VivavoceError | None) -> None:
        """Close the iteration behind what is there."""
        end_queue(self._deltas, error)


class WorkerTurnDetector:
    """TurnDetector over a worker group."""

    def __init__(self, access: EngineAccess) -> None:
        self._access = access

    @property
    def capabilities(self) -> Capabilities:
        """See EngineAccess."""
        return self._access.capabilities

    async def score(self, pcm: bytes) -> TurnScore:
        """The last 8 s count. Raises InvalidAudio on half a sample, Overloaded, Unavailable, EngineFailed."""
        if len(pcm) % 2:
            raise InvalidAudio("half a sample; turns are judged from 16 kHz mono 16-bit PCM")
        question = _Question(self._access, pcm[-MAX_TURN:])
        try:
            return await question.answer()
        finally:
            question.cancel()


class _Question:
    def __init__(self, access: EngineAccess, pcm: bytes) -> None:
        self._pcm = pcm
        self._answer: BoundedQueue[TurnScore] = BoundedQueue(1, WhenFull.REJECT)
        self._job = access.open(self, {})
        access.group.submit(self._job)

    async def answer(self) -> TurnScore:
        try:
            return await self._answer.get()
        except Closed:
            raise EngineFailed("the turn detector gave no score") from None

    def cancel(self) -> None:
        self._job.cancel()

    def pump(self) -> None:
        self._job.write(Kind.AUDIO, self._pcm)
        self._job.write(Kind.FINISH)

    def received(self, kind: int, payload: bytes) -> None:
        self._answer.offer(TurnScore(float(read_json(payload)["probability"])))

    def ended(self, error: VivavoceError | None) -> None:
        end_queue(self._answer, error)
