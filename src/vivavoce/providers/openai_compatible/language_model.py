"""A language model behind ``/chat/completions``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from vivavoce.contracts.errors import InvalidRequest, ProviderFailed
from vivavoce.contracts.speech import Capabilities, Delta, LanguageOptions, Message, Tool
from vivavoce.providers._http import Body, Json, Reply, Service
from vivavoce.providers.openai_compatible.catalogue import model_name
from vivavoce.providers.openai_compatible.chat import AnswerReader, request_body
from vivavoce.providers.openai_compatible.profiles import Profile
from vivavoce.providers.openai_compatible.sse import SseParser
from vivavoce.providers.options import Scalar

PATH = "/chat/completions"
GOODBYE = 0.1
"""Seconds given to the end of the stream behind the last event, so that the connection can be used again."""
LOADING = 120.0
"""Seconds a service may take to load a model ahead of the first question."""
AUTO = "auto"


class OpenAiLanguageModel:
    """LanguageModel of one service. A model called ``auto`` is the first the service lists, asked for once."""

    def __init__(
        self, service: Service, model: str, profile: Profile, capabilities: Capabilities, extra: Mapping[str, Scalar]
    ) -> None:
        self.capabilities = capabilities
        self._service = service
        self._model = model
        self._profile = profile
        self._extra = extra
        self._takes_tools = True

    async def warm(self) -> None:
        """Open a connection ahead and find the model; where the service loads a model on demand, have it loaded.

        Raises ProviderFailed, InvalidRequest.
        """
        model = await self._find_model()
        if self._profile.preload:
            messages = [{"role": "user", "content": "Hi"}]
            body: Json = {"model": model, "messages": messages, "stream": False, self._profile.max_tokens: 1}
            await self._service.fetch("POST", PATH, Body(json=body), first=LOADING)
        elif self._model != AUTO:
            await self._service.fetch("GET", "/models")

    def stream(self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> AsyncIterator[Delta]:
        """The request goes out with the first step of the iteration; closing the iterator drops its connection.

        Raises ProviderFailed, and InvalidRequest where the service finds fault with what was asked.
        """
        return self._answer(tuple(messages), tuple(tools), options)

    async def _answer(
        self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions
    ) -> AsyncIterator[Delta]:
        if tools and self._takes_tools:
            try:
                async with contextlib.aclosing(self._ask(messages, tools, options)) as deltas:
                    async for delta in deltas:
                        yield delta
            except InvalidRequest as error:
                if "tool" not in error.message.lower():
                    raise
                self._takes_tools = False  # many small models have no template for tools and say so: they can still talk
            else:
                return
        async with contextlib.aclosing(self._ask(messages, (), options)) as deltas:
            async for delta in deltas:
                yield delta

    async def _ask(
        self, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions
    ) -> AsyncGenerator[Delta, None]:
        model = await self._find_model()
        body = request_body(model, messages, tools, options, self._profile, self._extra)
        reader = AnswerReader(self._service.name)
        try:
            async with (
                self._service.stream("POST", PATH, Body(json=body)) as reply,
                contextlib.aclosing(self._deltas(reply, reader)) as deltas,
            ):
                async for delta in deltas:
                    yield delta
        except (ProviderFailed, InvalidRequest) as error:
            error.message = self._service.clean(error.message)
            error.args = (error.message,)
            raise

    async def _deltas(self, reply: Reply, reader: AnswerReader) -> AsyncGenerator[Delta, None]:
        kind = reply.content_type
        if kind == "application/json":  # it does not stream
            for delta in reader.take(self._service.parse(await reply.read())):
                yield delta
        elif kind.startswith(("text/html", "audio/", "image/")):
            raise ProviderFailed(f"{self._service.name} answered with {kind}; is its url right?", retryable=False)
        else:
            async with contextlib.aclosing(reply.chunks()) as pieces:
                async for event in _events(pieces, reader):
                    for delta in reader.feed(event):
                        yield delta
        for delta in reader.finish():
            yield delta

    async def _find_model(self) -> str:
        if self._model == AUTO:
            self._model = await model_name(self._service)
        return self._model


async def _events(pieces: AsyncIterator[bytes], reader: AnswerReader) -> AsyncIterator[str]:
    parser = SseParser()
    async for piece in pieces:
        for event in parser.feed(piece):
            yield event
            if reader.done:
                await _farewell(pieces)
                return
    for event in parser.finish():
        yield event


async def _farewell(pieces: AsyncIterator[bytes]) -> None:
    """Read the end of the stream, so that the connection can be used again; what it says does not matter any more."""
    with contextlib.suppress(ProviderFailed, TimeoutError):
        async with asyncio.timeout(GOODBYE):
            async for _ in pieces:
                pass
