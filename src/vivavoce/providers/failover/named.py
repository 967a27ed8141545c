"""A port that is asked by name: it and no other, observed as a member of a chain is.

Its breaker refuses nobody here, since nobody could stand in: it tells how the port fares, and an answer closes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from vivavoce.contracts.audio import AudioChunk
from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import LanguageModel, SpeechToText, Synthesis, TextToSpeech, Transcription
from vivavoce.contracts.speech import (
    Capabilities,
    Delta,
    LanguageOptions,
    Message,
    SpokenAudio,
    SynthesisOptions,
    Tool,
    Transcript,
    TranscriptionOptions,
)
from vivavoce.providers.failover.chain import Attempt, Chain


class NamedLanguageModel:
    """The model of a chain of one."""

    def __init__(self, chain: Chain[LanguageModel]) -> None:
        self._chain = chain

    @property
    def capabilities(self) -> Capabilities:
        """The model's own."""
        return self._chain.first.capabilities

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions
    ) -> AsyncIterator[Delta]:
        """Raises what the model raises."""
        with self._chain.ask() as attempt:
            stream = None
            try:
                stream = attempt.port.stream(messages, tools, options)
                async for delta in stream:
                    attempt.succeeded()
                    yield delta
                attempt.succeeded()
            except VivavoceError as error:
                attempt.failed(error)
                raise
            finally:
                close = getattr(stream, "aclose", None)
                if close is not None:
                    await close()


class NamedSpeechToText:
    """The recogniser of a chain of one."""

    def __init__(self, chain: Chain[SpeechToText]) -> None:
        self._chain = chain

    @property
    def capabilities(self) -> Capabilities:
        """The recogniser's own."""
        return self._chain.first.capabilities

    def open(self, options: TranscriptionOptions) -> Transcription:
        """Raises what the recogniser raises."""
        attempt = self._chain.ask()
        with _observed(attempt):
            return _NamedTranscription(attempt, attempt.port.open(options))


class _NamedTranscription:
    def __init__(self, attempt: Attempt[SpeechToText], inner: Transcription) -> None:
        self._attempt = attempt
        self._inner = inner
        self._results = aiter(inner)
        self._finished = False

    def send(self, chunk: AudioChunk) -> None:
        self._inner.send(chunk)

    async def drain(self) -> None:
        await self._inner.drain()

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._attempt.asked()
        self._inner.finish()

    def cancel(self) -> None:
        self._inner.cancel()
        self._attempt.end()

    def __aiter__(self) -> AsyncIterator[Transcript]:
        return self

    async def __anext__(self) -> Transcript:
        with _observed(self._attempt):
            transcript = await anext(self._results)
        if transcript.final:
            self._attempt.succeeded()
            self._attempt.end()
        return transcript


class NamedTextToSpeech:
    """The voice of a chain of one."""

    def __init__(self, chain: Chain[TextToSpeech]) -> None:
        self._chain = chain

    @property
    def capabilities(self) -> Capabilities:
        """The voice's own."""
        return self._chain.first.capabilities

    def open(self, options: SynthesisOptions) -> Synthesis:
        """Raises what the voice raises."""
        attempt = self._chain.ask()
        with _observed(attempt):
            return _NamedSynthesis(attempt, attempt.port.open(options))


class _NamedSynthesis:
    def __init__(self, attempt: Attempt[TextToSpeech], inner: Synthesis) -> None:
        self._attempt = attempt
        self._inner = inner
        self._results = aiter(inner)
        self._asked = False

    def send(self, text: str) -> None:
        if text and not self._asked:
            self._asked = True
            self._attempt.asked()
        self._inner.send(text)

    def flush(self) -> None:
        self._inner.flush()

    def finish(self) -> None:
        self._inner.finish()

    def cancel(self) -> None:
        self._inner.cancel()
        self._attempt.end()

    def __aiter__(self) -> AsyncIterator[SpokenAudio]:
        return self

    async def __anext__(self) -> SpokenAudio:
        with _observed(self._attempt):
            audio = await anext(self._results)
        self._attempt.succeeded()
        return audio


@contextmanager
def _observed(attempt: Attempt[SpeechToText] | Attempt[TextToSpeech]) -> Iterator[None]:
    """The request ends with the results, or with what is raised here."""
    try:
        yield
    except StopAsyncIteration:
        attempt.end()
        raise
    except VivavoceError as error:
        attempt.failed(error)
        attempt.end()
        raise
