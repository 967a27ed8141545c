"""Voice activity of many streams in one batch per tick. Runs in the child."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.engines import VoiceActivityEngine
from vivavoce.workers.wire import Kind, pack, pack_judgement, read_voice

MAX_BATCH = 64
"""Streams judged at once: some 4 ms of work, so a newcomer never waits longer."""


class _Stream:
    __slots__ = ("frames", "slot")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.frames: deque[tuple[int, bytes] | None] = deque()  # None is a reset


class VoiceBoard:
    """All voice activity streams of one process.

    A batch takes the oldest frame of each stream, so one stream that sends a minute at once delays nobody.
    """

    def __init__(self, engine: VoiceActivityEngine, on_failure: Callable[[int, Exception], None]) -> None:
        self._engine = engine
        self._frame_bytes = 2 * engine.FRAME_SAMPLES
        self._on_failure = on_failure
        self._streams: dict[int, _Stream] = {}
        self._waiting: dict[int, _Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, number: int) -> bool:
        return number in self._streams

    @property
    def pending(self) -> bool:
        """Whether a frame waits."""
        return bool(self._waiting)

    def open(self, number: int) -> None:
        """A new stream. Raises whatever the engine raises."""
        self._streams[number] = _Stream(self._engine.open())

    def close(self, number: int) -> None:
        """Forget a stream. Idempotent."""
        self._waiting.pop(number, None)
        stream = self._streams.pop(number, None)
        if stream is not None:
            self._engine.release(stream.slot)

    def reset(self, number: int) -> None:
        """Forget a stream's past, behind the frames it has sent so far."""
        stream = self._streams.get(number)
        if stream is not None:
            stream.frames.append(None)
            self._waiting[number] = stream

    def receive(self, payload: bytes) -> None:
        """Frames of any streams; those of unknown ones are stale."""
        streams, waiting = self._streams, self._waiting
        for number, end, pcm in read_voice(payload, self._frame_bytes):
            stream = streams.get(number)
            if stream is not None:
                stream.frames.append((end, pcm))
                waiting[number] = stream

    def step(self) -> bytes:
        """Judge one frame of every waiting stream; the frame to be sent, or nothing."""
        batch = self._gather()
        if not batch:
            return b""
        frames = [(slot, pcm) for _, slot, _, pcm in batch]
        try:
            judgements = self._engine.detect(frames)
        except Exception:  # noqa: BLE001 - the border of engine code; the culprit is found one by one
            return self._one_by_one(batch)
        records = [
            pack_judgement(number, end, probability, level)
            for (number, _, end, _), (probability, level) in zip(batch, judgements, strict=True)
        ]
        return pack(Kind.VOICE, 0, b"".join(records))

    def _gather(self) -> list[tuple[int, int, int, bytes]]:
        batch = []
        for number in list(self._waiting)[:MAX_BATCH]:
            stream = self._waiting.pop(number)
            frame = stream.frames.popleft()
            if frame is None:
                self._engine.reset(stream.slot)
            else:
                batch.append((number, stream.slot, *frame))
            if stream.frames:
                self._waiting[number] = stream  # behind the others
        return batch

    def _one_by_one(self, batch: list[tuple[int, int, int, bytes]]) -> bytes:
        records = []
        for number, slot, end, pcm in batch:
            try:
                ((probability, level),) = self._engine.detect([(slot, pcm)])
            except Exception as error:  # noqa: BLE001 - the border of engine code
                self.close(number)
                self._on_failure(number, error)
            else:
                records.append(pack_judgement(number, end, probability, level))
        return pack(Kind.VOICE, 0, b"".join(records)) if records else b""
