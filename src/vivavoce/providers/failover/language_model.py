"""Several language models as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import LanguageModel
from vivavoce.contracts.speech import Capabilities, Delta, LanguageOptions, Message, Tool
from vivavoce.providers.failover.chain import Chain, fails_over


class FailoverLanguageModel:
    """A model that fails before its first delta is replaced by the next, unnoticed; behind it the answer has begun, and
    the failure is told."""

    def __init__(self, chain: Chain[LanguageModel]) -> None:
        self._chain = chain

    @property
    def capabilities(self) -> Capabilities:
        """See Chain."""
        return self._chain.capabilities

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> AsyncIterator[Delta]:
        """Raises what the model raised, or the last error with all causes where none of them answers."""
        return self._answer(tuple(messages), tuple(tools), options)

    async def _answer(
        self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions
    ) -> AsyncIterator[Delta]:
        errors: list[VivavoceError] = []
        for attempt in self._chain.attempts():
            with attempt:
                stream, began = None, False
                try:
                    stream = attempt.port.stream(messages, tools, options)
                    async for delta in stream:
                        began = True
                        attempt.succeeded()
                        yield delta
                    attempt.succeeded()
                    return
                except VivavoceError as error:
                    attempt.failed(error)
                    if began or not fails_over(error):
                        raise
                    errors.append(error)
                finally:
                    close = getattr(stream, "aclose", None)
                    if close is not None:
                        await close()
        raise self._chain.exhausted(errors)
