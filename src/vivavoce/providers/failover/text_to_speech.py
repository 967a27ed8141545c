"""Several voices as one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from vivavoce.contracts.audio import AudioChunk
from vivavoce.contracts.errors import EngineFailed, ProtocolViolation, VivavoceError
from vivavoce.contracts.ports import Synthesis, TextToSpeech
from vivavoce.contracts.speech import Capabilities, SpokenAudio, SynthesisOptions
from vivavoce.providers.failover.chain import Attempt, Chain, fails_over


class FailoverTextToSpeech:
    """A voice that fails is replaced by the next: unnoticed before the first sound, and in the middle of a text from the
    word where it broke off."""

    def __init__(self, chain: Chain[TextToSpeech]) -> None:
        self._chain = chain

    @property
    def capabilities(self) -> Capabilities:
        """See Chain."""
        return self._chain.capabilities

    def open(self, options: SynthesisOptions) -> Synthesis:
        """Begin an utterance. Raises what the last voice raised where none can begin."""
        return FailoverSynthesis(self._chain, options)


class FailoverSynthesis:
    """One utterance. All text is kept until it is spoken, so that another voice can go on with it."""

    def __init__(self, chain: Chain[TextToSpeech], options: SynthesisOptions) -> None:
        self._chain = chain
        self._options = options
        self._attempts: Iterator[Attempt[TextToSpeech]] = chain.attempts()
        self._errors: list[VivavoceError] = []
        self._text = ""
        self._starts: list[int] = []
        self._reached = 0
        self._started = 0
        self._offset = 0
        self._base = 0
        self._finished = False
        self._cancelled = False
        self._attempt: Attempt[TextToSpeech] | None = None
        self._inner: Synthesis | None = None
        self._next_voice()

    def send(self, text: str) -> None:
        """Raises what the voice raises for it, ProtocolViolation after finish."""
        if self._cancelled or not text:
            return
        if self._finished:
            raise ProtocolViolation("this utterance is finished; open another")
        if not self._text and self._attempt is not None:
            self._attempt.asked()
        if self._inner is not None:
            self._inner.send(text)
        self._starts.append(len(self._text))
        self._text += text

    def flush(self) -> None:
        """See Synthesis."""
        if self._inner is not None:
            self._inner.flush()

    def finish(self) -> None:
        """Idempotent."""
        self._finished = True
        if self._inner is not None:
            self._inner.finish()

    def cancel(self) -> None:
        """Idempotent."""
        self._cancelled = True
        self._leave()

    def __aiter__(self) -> AsyncIterator[SpokenAudio]:
        return self

    async def __anext__(self) -> SpokenAudio:
        while not self._cancelled and self._inner is not None:
            inner = self._inner
            try:
                audio = await anext(aiter(inner))
            except StopAsyncIteration:
                self._ended(inner)
            except VivavoceError as error:
                self._failed(inner, error)
            else:
                if self._inner is inner and not self._cancelled:
                    return self._placed(audio)
        raise StopAsyncIteration

    def _placed(self, audio: SpokenAudio) -> SpokenAudio:
        assert self._attempt is not None
        self._attempt.succeeded()
        chunk = AudioChunk(audio.chunk.pcm, audio.chunk.format, self._offset)
        self._offset = chunk.end
        self._started = max(self._started, self._base + audio.text_start)
        self._reached = max(self._started, self._base + audio.text_end)
        return SpokenAudio(chunk, self._started, self._reached, audio.exact)

    def _ended(self, inner: Synthesis) -> None:
        if self._inner is not inner:
            return
        assert self._attempt is not None
        left = self._text[self._reached :]
        if any(character.isalnum() for character in left.partition(" ")[2]):
            self._failed(inner, EngineFailed(f"the voice {self._attempt.name} left out words"))
            return
        self._attempt.succeeded()
        self._leave()

    def _failed(self, inner: Synthesis, error: VivavoceError) -> None:
        """On to the next voice. Raises ``error`` where that is no help, or the last error with all causes."""
        if self._cancelled or self._inner is not inner:
            return
        assert self._attempt is not None
        self._attempt.failed(error)
        self._leave()
        if not fails_over(error):
            raise error
        self._errors.append(error)
        self._next_voice()

    def _next_voice(self) -> None:
        rest = self._rest()
        for attempt in self._attempts:
            self._attempt = attempt
            try:
                inner = attempt.port.open(self._options_for(attempt.port))
                self._inner = inner
                for text in rest:
                    inner.send(text)
                if rest:
                    inner.flush()
            except VivavoceError as error:
                attempt.failed(error)
                self._leave()
                if not fails_over(error):
                    raise
                self._errors.append(error)
                continue
            if self._finished:
                inner.finish()
            return
        raise self._chain.exhausted(self._errors)

    def _rest(self) -> list[str]:
        """The pieces that are not spoken, the first of them from the word that was being spoken. Sets their base."""
        at = self._reached
        if at not in self._starts and at < len(self._text):
            piece = max((start for start in self._starts if start <= at), default=0)
            at = max(piece, self._text.rfind(" ", 0, at) + 1)
        self._base = at
        bounds = [at, *(start for start in self._starts if start > at), len(self._text)]
        return [self._text[a:b] for a, b in itertools.pairwise(bounds) if a < b]

    def _options_for(self, port: TextToSpeech) -> SynthesisOptions:
        """A voice is a name of the port it was chosen from; another one speaks with its own, if it has none of that name."""
        stands_in = bool(self._errors)
        if stands_in and self._options.voice not in [voice.id for voice in port.capabilities.voices]:
            return replace(self._options, voice="")
        return self._options

    def _leave(self) -> None:
        if self._inner is not None:
            self._inner.cancel()
            self._inner = None
        if self._attempt is not None:
            self._attempt.end()
            self._attempt = None
