"""Transcription of several utterances in one step. Runs in the child."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vivavoce.contracts.engines import BatchTranscription, BatchTranscriptionEngine
from vivavoce.contracts.errors import ProtocolViolation
from vivavoce.workers.child_jobs import SLICE, Send
from vivavoce.workers.messages import Json, transcript_to_json, transcription_options
from vivavoce.workers.wire import Kind, credit, pack, pack_json

Now = Callable[[], int]
"""Monotonic nanoseconds."""
SECOND = 1_000_000_000


class BatchBoard:
    """All utterances of one batching engine.

    A step takes those that have waited longest, each once, so one that sends a minute of audio at once delays nobody.
    The first to wait does so for at most the engine's window, and not at all when nobody is left who could join it.
    Utterances that have ended go at once and by themselves, every other time: a final does not wait for partials, and
    finals do not starve them.
    """

    def __init__(self, engine: BatchTranscriptionEngine, on_failure: Callable[[int, Exception], None], now: Now) -> None:
        self.engine = engine
        self._on_failure = on_failure
        self._now = now
        self._window = round(engine.WINDOW * SECOND)
        self._jobs: dict[int, BatchJob] = {}
        self._waiting: dict[int, int] = {}  # number → since when, oldest first
        self._hurried = False

    def add(self, number: int, job: BatchJob) -> None:
        """A new utterance."""
        self._jobs[number] = job

    def remove(self, number: int) -> None:
        """Forget an utterance. Idempotent."""
        self._jobs.pop(number, None)
        self._waiting.pop(number, None)

    def wait(self, number: int) -> None:
        """An utterance is pending. Idempotent."""
        self._waiting.setdefault(number, self._now())

    @property
    def rest(self) -> float | None:
        """Seconds until a step is due, 0 for now, None if nobody waits."""
        if not self._waiting:
            return None
        if len(self._waiting) >= min(self.engine.BATCH, len(self._jobs)) or self._ended():
            return 0.0
        since = next(iter(self._waiting.values()))
        return max(0, since + self._window - self._now()) / SECOND

    def step(self) -> None:
        """One step for up to BATCH of those that wait."""
        ended = self._ended()
        self._hurried = bool(ended) and not self._hurried
        others = [] if self._hurried else [number for number in self._waiting if number not in ended]
        batch = {number: self._jobs[number] for number in (ended + others)[: self.engine.BATCH]}
        for number in batch:
            del self._waiting[number]
        try:
            self.engine.advance([job.stream for job in batch.values()])
        except Exception:  # noqa: BLE001 - the border of engine code; the culprit is found one by one
            self._one_by_one(batch)
        for number, job in batch.items():
            if number in self._jobs:
                self._guard(number, job.report)

    def _ended(self) -> list[int]:
        return [number for number in self._waiting if self._jobs[number].ended]

    def _one_by_one(self, batch: dict[int, BatchJob]) -> None:
        for number, job in batch.items():
            self._guard(number, job.advance)

    def _guard(self, number: int, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the border of engine code: it fails this utterance only
            self._on_failure(number, error)


class BatchJob:
    """One utterance of a board. Its steps only take and give; the work is done in the board's."""

    def __init__(self, number: int, board: BatchBoard, opening: Json, send: Send) -> None:
        self._number = number
        self._board = board
        self._options = transcription_options(opening["options"])
        self._send = send
        self._stream: BatchTranscription | None = None
        self._audio = bytearray()
        self._finished = False
        self._pending = False
        self.ended = False
        """Whether the engine has all its audio."""
        board.add(number, self)

    @property
    def stream(self) -> BatchTranscription:
        """The engine's side of it, once it is open."""
        assert self._stream is not None
        return self._stream

    @property
    def runnable(self) -> bool:
        """Something to take or give, and no step of the board to come before it."""
        return not self._pending and (self._stream is None or bool(self._audio) or self._finished)

    def receive(self, kind: int, payload: bytes) -> None:
        """Audio, until it is finished."""
        if kind == Kind.AUDIO and not self._finished:
            self._audio += payload
        elif kind == Kind.FINISH:
            self._finished = True
        else:
            raise ProtocolViolation(f"a transcription takes audio, then FINISH; not kind {kind} here")

    def step(self) -> bool:
        """Open, hand over audio until there is enough for a step of the engine, end, or give the final."""
        if self._stream is None:
            self._stream = self._board.engine.open(self._options)
        if self.ended:
            final = transcript_to_json(self._stream.finish())
            self._send(pack_json(Kind.RESULT, self._number, final | {"final": True}))
            return True
        self._hand_over(self._stream)
        if self._finished and not self._audio:
            self._stream.end()
            self.ended = True
        self._look()
        return False

    def _hand_over(self, stream: BatchTranscription) -> None:
        taken = 0
        while taken < len(self._audio) and not stream.pending:
            pcm = bytes(self._audio[taken : taken + SLICE])
            stream.send(pcm)
            taken += len(pcm)
        if taken:
            del self._audio[:taken]
            self._send(pack(Kind.CREDIT, self._number, credit(taken)))

    def advance(self) -> None:
        """A step of the engine for this one alone, unless it was done already."""
        if self.stream.pending:
            self._board.engine.advance([self.stream])

    def report(self) -> None:
        """Behind a step: the partial, and whether there is more to do."""
        partial = self.stream.poll() if self._options.partials and not self.ended else None
        if partial is not None:
            self._send(pack_json(Kind.RESULT, self._number, transcript_to_json(partial)))
        self._look()

    def _look(self) -> None:
        self._pending = self.stream.pending
        if self._pending:
            self._board.wait(self._number)

    def close(self) -> None:
        """Leave the board and close the engine's stream."""
        self._board.remove(self._number)
        if self._stream is not None:
            self._stream.close()


def earliest(rests: Sequence[float | None]) -> float | None:
    """The shortest of them, None if nobody waits."""
    return min((rest for rest in rests if rest is not None), default=None)
