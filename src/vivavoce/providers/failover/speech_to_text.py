"""Several recognisers as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.errors import InternalError, InvalidRequest, Overloaded, ProtocolViolation, VivavoceError
from vivavoce.contracts.ports import SpeechToText, Transcription
from vivavoce.contracts.speech import Capabilities, Transcript, TranscriptionOptions
from vivavoce.providers.failover.chain import Attempt, Chain, fails_over

MAX_KEPT = 300.0
"""Seconds of an utterance kept for another recogniser."""
_LIMIT = HEARING.samples(MAX_KEPT) * HEARING.frame_width


class FailoverSpeechToText:
    """A recogniser that fails is replaced by the next, which is given the utterance from its beginning."""

    def __init__(self, chain: Chain[SpeechToText]) -> None:
        self._chain = chain

    @property
    def capabilities(self) -> Capabilities:
        """See Chain."""
        return self._chain.capabilities

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Begin an utterance. Raises what the last recogniser raised where none can begin."""
        return FailoverTranscription(self._chain, options)


class FailoverTranscription:
    """One utterance. Nothing that was read is stable: another recogniser may read it differently."""

    def __init__(self, chain: Chain[SpeechToText], options: TranscriptionOptions) -> None:
        self._chain = chain
        self._options = options
        self._attempts: Iterator[Attempt[SpeechToText]] = chain.attempts()
        self._errors: list[VivavoceError] = []
        self._kept: list[AudioChunk] = []
        self._size = 0
        self._fed = 0
        self._finished = False
        self._over = False
        self._attempt: Attempt[SpeechToText] | None = None
        self._inner: Transcription | None = None
        self._live = True
        self._next_recogniser()

    def send(self, chunk: AudioChunk) -> None:
        """Raises what the recogniser raises for it, Overloaded above the bound, ProtocolViolation after finish."""
        if self._over:
            return
        if self._finished:
            raise ProtocolViolation("this utterance is finished; open another")
        if self._size + len(chunk.pcm) > _LIMIT:
            raise Overloaded(f"an utterance is {MAX_KEPT:g} s at most; finish it and open another")
        if self._live and self._inner is not None:
            try:
                self._inner.send(chunk)
            except (InvalidRequest, Overloaded):
                raise
            except VivavoceError:
                self._live = False  # its iteration says so, too, and there the next one is opened
            else:
                self._fed += 1
        self._kept.append(chunk)
        self._size += len(chunk.pcm)

    async def drain(self) -> None:
        """See Transcription."""
        if self._inner is not None:
            await self._inner.drain()

    def finish(self) -> None:
        """Idempotent."""
        if not self._finished:
            self._finished = True
            if self._attempt is not None:
                self._attempt.asked()
            if self._live and self._inner is not None:
                self._inner.finish()

    def cancel(self) -> None:
        """Idempotent."""
        self._end()

    def __aiter__(self) -> AsyncIterator[Transcript]:
        return self

    async def __anext__(self) -> Transcript:
        while not self._over and self._inner is not None:
            inner = self._inner
            try:
                if not self._live:
                    await self._replay(inner)
                transcript = await anext(aiter(inner))
            except StopAsyncIteration:
                self._failed(inner, InternalError("a transcription ended without a final reading"))
            except VivavoceError as error:
                self._failed(inner, error)
            else:
                if self._inner is inner:  # it is not, where the utterance was withdrawn meanwhile
                    return self._taken(transcript)
        raise StopAsyncIteration

    def _taken(self, transcript: Transcript) -> Transcript:
        if not transcript.final:
            return replace(transcript, stable=0)
        assert self._attempt is not None
        self._attempt.succeeded()
        self._end()
        return transcript

    async def _replay(self, inner: Transcription) -> None:
        """All audio so far, and what comes meanwhile."""
        while self._fed < len(self._kept):
            self._fed += 1
            inner.send(self._kept[self._fed - 1])
            await inner.drain()
            if self._over:
                return
        self._live = True
        if self._finished:
            inner.finish()

    def _failed(self, inner: Transcription, error: VivavoceError) -> None:
        """On to the next one. Raises ``error`` where that is no help, or the last error with all causes."""
        if self._over or self._inner is not inner:
            return
        assert self._attempt is not None
        self._attempt.failed(error)
        self._leave()
        if not fails_over(error):
            self._end()
            raise error
        self._errors.append(error)
        self._live, self._fed = False, 0
        self._next_recogniser()

    def _next_recogniser(self) -> None:
        for attempt in self._attempts:
            self._attempt = attempt
            try:
                self._inner = attempt.port.open(self._options)
            except VivavoceError as error:
                attempt.failed(error)
                self._leave()
                if not fails_over(error):
                    raise
                self._errors.append(error)
            else:
                return
        self._end()
        raise self._chain.exhausted(self._errors)

    def _end(self) -> None:
        self._over = True
        self._kept.clear()
        self._leave()

    def _leave(self) -> None:
        if self._inner is not None:
            self._inner.cancel()
            self._inner = None
        if self._attempt is not None:
            self._attempt.end()
            self._attempt = None
