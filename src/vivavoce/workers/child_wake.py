"""A stream that is listened to for wake words, in bounded steps. Runs in the child."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from vivavoce.contracts.engines import WakeWordEngine, WakeWordStream
from vivavoce.contracts.errors import ProtocolViolation
from vivavoce.workers.messages import Json
from vivavoce.workers.wire import Kind, credit, pack, pack_json, read_json

Send = Callable[[bytes], None]

SLICE = 3_200
"""Bytes of HEARING PCM given to a detector at once: 100 ms, some 2 ms of work for four words."""


class WakeJob:
    """One stream, until it is cancelled. Input is audio, and resets that say where the audio behind them begins."""

    def __init__(self, number: int, engine: WakeWordEngine, opening: Json, send: Send) -> None:
        self._number = number
        self._engine = engine
        self._words = tuple(str(word) for word in opening.get("words", ()))
        self._send = send
        self._stream: WakeWordStream | None = None
        self._input: deque[bytes | int] = deque()
        """Audio, or the offset a reset goes on at."""
        self._base = 0
        self._fresh = True

    @property
    def runnable(self) -> bool:
        """Opening is work, too."""
        return self._stream is None or bool(self._input)

    def receive(self, kind: int, payload: bytes) -> None:
        """Audio and resets, in order."""
        if kind == Kind.AUDIO:
            self._input.append(payload)
        elif kind == Kind.RESET:
            self._input.append(int(read_json(payload).get("at", 0)))
        else:
            raise ProtocolViolation(f"a wake word stream takes audio and resets, not kind {kind}")

    def step(self) -> bool:
        """Open, or listen to a slice, or forget."""
        if self._stream is None:
            self._stream = self._engine.open(self._words)
            return False
        item = self._input.popleft()
        if isinstance(item, int):
            if not self._fresh:
                self._stream.reset()
            self._base, self._fresh = item, True
            return False
        if len(item) > SLICE:
            self._input.appendleft(item[SLICE:])
            item = item[:SLICE]
        self._fresh = False
        heard = self._stream.send(item)
        self._send(pack(Kind.CREDIT, self._number, credit(len(item))))
        for word, at in heard:
            self._send(pack_json(Kind.RESULT, self._number, {"word": word, "at": self._base + at}))
        return False

    def close(self) -> None:
        """Close the engine's stream."""
        if self._stream is not None:
            self._stream.close()
