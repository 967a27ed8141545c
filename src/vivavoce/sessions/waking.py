"""The gate before the ears of a session that wants to be called first: closed until a wake word, open until it is quiet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from vivavoce.contracts.audio import AudioChunk
from vivavoce.contracts.errors import EngineMissing, Unavailable, UnknownName, VivavoceError
from vivavoce.contracts.ports import Clock, WakeWordListening
from vivavoce.contracts.speech import WakeWord
from vivavoce.sessions.ports import WakeWords

REOPEN, LONGEST_REOPEN = 0.5, 30.0
"""Seconds until a lost wake word detector is opened again; they double until a word is heard."""
NO_ENGINE = (
    "nobody listens for wake words here: pip install 'vivavoce[wakeword]', leave engines.wake at auto and restart the "
    "server, or ask for no wake_words"
)


class WakingOwner(Protocol):
    """Whose ears they are."""

    def woke(self, word: WakeWord) -> None:
        """Called: hear from ``word.at`` on."""

    def slept(self) -> None:
        """It has been quiet for long enough: hear nothing."""

    def trouble(self, error: VivavoceError) -> None:
        """Something went wrong that the client should know of."""


class Waking:
    """Asleep, all audio goes to the wake word detector and nowhere else; awake, none of it does.

    It falls asleep ``timeout`` seconds after the conversation last had anything to do. A detector that is lost is opened
    again; until then a session that sleeps cannot be woken.
    """

    def __init__(
        self, owner: WakingOwner, port: WakeWords | None, words: Sequence[str], timeout: float, clock: Clock
    ) -> None:
        self._owner = owner
        self._port = port
        self._words = tuple(words)
        self._timeout = timeout
        self._clock = clock
        self._stream: WakeWordListening | None = None
        self._sleep: Callable[[], None] | None = None
        """Cancels falling asleep."""
        self._closed = False
        self._pause = REOPEN
        self._needed = bool(words)
        self.awake = not words

    async def start(self) -> None:
        """Load the detector, open the stream. Raises EngineMissing, UnknownName, Overloaded, or what loading it raises."""
        if not self._words:
            return
        if self._port is None:
            raise EngineMissing(NO_ENGINE)
        known = (await self._port.load()).words
        strangers = [word for word in self._words if word not in known]
        if strangers:
            raise UnknownName(
                f"no wake word {strangers[0]!r} here; there is {', '.join(known)}. Others need a model: name its .tflite "
                "file in engines.options.micro_wakeword.models",
                code="unknown_wake_word",
            )
        if not self._closed:
            self._open()

    def hear(self, chunk: AudioChunk) -> None:
        """Audio of a session that sleeps."""
        if self._stream is not None:
            self._stream.send(chunk)

    def adapt(self, words: Sequence[str]) -> bool:
        """Without words none is needed from now on; with them, those of the beginning. Whether it slept until now."""
        self._needed = bool(words)
        if self._needed or not self._words:
            return False
        self._stay_awake()
        slept, self.awake = not self.awake, True
        return slept

    def settled(self, idle: bool) -> None:
        """Whether the conversation has nothing to do."""
        if not self._words or not self._needed or not self.awake:
            return
        if not idle:
            self._stay_awake()
        elif self._sleep is None:
            self._sleep = self._clock.call_later(self._timeout, self._fall_asleep)

    def close(self) -> None:
        """Idempotent."""
        self._closed = True
        self._stay_awake()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _stay_awake(self) -> None:
        if self._sleep is not None:
            self._sleep()
            self._sleep = None

    def _fall_asleep(self) -> None:
        self._sleep = None
        self.awake = False
        self._owner.slept()

    def _called(self, word: WakeWord) -> None:
        if self.awake or self._closed:
            return
        self.awake = True
        self._pause = REOPEN
        if self._stream is not None:
            self._stream.reset()
        self._owner.woke(word)

    def _open(self) -> None:
        assert self._port is not None
        self._stream = self._port.detector.open(self._words, self._called, self._lost)

    def _lost(self, error: Exception) -> None:
        if self._closed:
            return
        self._stream = None
        problem = error if isinstance(error, VivavoceError) else Unavailable("the wake word detector was lost", cause=error)
        self._owner.trouble(problem)
        self._wait()

    def _wait(self) -> None:
        self._clock.call_later(self._pause, self._reopen)
        self._pause = min(LONGEST_REOPEN, 2 * self._pause)

    def _reopen(self) -> None:
        if self._closed or self._stream is not None:
            return
        try:
            self._open()
        except VivavoceError:
            self._wait()
