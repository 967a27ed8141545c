"""What to say: the language model's answer as a stream of text, its tool calls run on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from vivavoce.contracts.errors import ProviderFailed
from vivavoce.contracts.ports import LanguageModel
from vivavoce.contracts.speech import LanguageOptions, Message, Tool, ToolCall
from vivavoce.flow.tasks import Gate

MAX_ROUNDS = 4
"""Times the model is asked again with the results of its tools, for one reply."""


class ToolRunner(Protocol):
    """Runs the tools a session offers."""

    @property
    def offered(self) -> Sequence[Tool]: ...

    async def run(self, call: ToolCall) -> str:
        """The result as JSON text; what went wrong is a result too."""

    def leave_to_client(self, call: ToolCall) -> bool:
        """Whether the client runs this one; then it is told so, and the reply ends."""


async def think(
    model: LanguageModel,
    messages: Sequence[Message],
    options: LanguageOptions,
    tools: ToolRunner,
    committed: Gate,
    record: Callable[[ToolCall, str, Message, Message], None],
) -> AsyncIterator[str]:
    """Yield the answer's text. Tools with side effects wait until the turn is ``committed``.

    ``record`` is told each call, its result and both messages as soon as a tool has run, whatever becomes of the reply.
    Raises ProviderFailed when the model goes on calling tools without end.
    """
    asked = list(messages)
    harmless = {tool.name for tool in tools.offered if not tool.side_effects}
    for _ in range(MAX_ROUNDS):
        said: list[str] = []
        calls: list[ToolCall] = []
        stream = model.stream(asked, tools.offered, options)
        try:
            async for delta in stream:
                if delta.tool_call is not None:
                    calls.append(delta.tool_call)
                if delta.text:
                    said.append(delta.text)
                    yield delta.text
        finally:
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        ours = [call for call in calls if not tools.leave_to_client(call)]
        for call in ours:
            if call.name not in harmless:
                await committed.wait()
            result = await tools.run(call)
            request = Message("assistant", "".join(said), tool_calls=(call,))
            answer = Message("tool", result, tool_call_id=call.id)
            said = []
            asked += (request, answer)
            record(call, result, request, answer)
        if not ours or len(ours) < len(calls):
            return
    raise ProviderFailed(f"the language model called tools {MAX_ROUNDS} times over without an answer", retryable=False)
