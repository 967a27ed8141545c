"""``POST /v1/chat/completions``: the configured language model, for programs that want its text."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vivavoce.contracts.errors import VivavoceError
from vivavoce.contracts.ports import Clock, LanguageModel
from vivavoce.contracts.speech import Delta, LanguageOptions, Message, Tool, ToolCall
from vivavoce.transports.ids import fresh
from vivavoce.transports.openai.catalogue import Catalogue
from vivavoce.transports.openai.errors import Parameter, body_of
from vivavoce.transports.openai.streaming import Made, Streamed, event

MAX_MESSAGES = 1_000
MAX_CHARACTERS = 1_000_000
"""Of all messages together."""


class StreamOptions(BaseModel):
    """How a stream is told."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The body. Unknown fields are ignored, as upstream does."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field("", description="A name of `GET /v1/models`; empty is the default.")
    messages: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    tools: list[dict[str, Any]] = []
    tool_choice: Any = None
    n: Literal[1] = 1
    modalities: list[Literal["text", "audio"]] = ["text"]


class Chatting:
    """Makes answers to chat requests."""

    def __init__(self, catalogue: Catalogue, clock: Clock, language: str) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._language = language

    def answer(self, request: ChatRequest) -> Streamed:
        """The answer, streamed or whole. Raises Parameter and what the model raises."""
        if "audio" in request.modalities:
            raise Parameter("modalities", "this endpoint answers in text; POST its answer to /v1/audio/speech")
        name, model = self._catalogue.language(request.model)
        messages = [_message(row, place) for place, row in enumerate(request.messages)]
        if sum(len(message.text) for message in messages) > MAX_CHARACTERS:
            raise Parameter("messages", f"the messages have more than {MAX_CHARACTERS} characters together")
        tools = [] if request.tool_choice == "none" else [_tool(row, place) for place, row in enumerate(request.tools)]
        limit = request.max_completion_tokens or request.max_tokens
        options = LanguageOptions(self._language, limit, request.temperature)
        head = {"id": fresh("chatcmpl"), "created": int(self._clock.wall()), "model": request.model or name}
        answer = _deltas(model, messages, tools, options)
        if request.stream:
            usage = bool(request.stream_options and request.stream_options.include_usage)
            return Streamed(Made(_events(answer, head, usage), "text/event-stream"), _told)
        return Streamed(Made(_whole(answer, head), "application/json"))


async def _deltas(
    model: LanguageModel, messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions
) -> AsyncIterator[Delta]:
    stream: Any = model.stream(messages, tools, options)
    try:
        async for delta in stream:
            yield delta
    finally:
        await stream.aclose()


async def _whole(answer: AsyncIterator[Delta], head: dict[str, Any]) -> AsyncIterator[bytes]:
    text, calls, count = [], [], 0
    async for delta in answer:
        count += 1
        text.append(delta.text)
        if delta.tool_call is not None:
            calls.append(_call(delta.tool_call))
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text) or None, "refusal": None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if calls else "stop"}
    yield json.dumps(
        {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(count)}, ensure_ascii=False
    ).encode()


async def _events(answer: AsyncIterator[Delta], head: dict[str, Any], with_usage: bool) -> AsyncIterator[bytes]:
    calls = count = 0

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event(json.dumps({**head, "object": "chat.completion.chunk", "choices": [choice]}, ensure_ascii=False))

    begun = False
    async for delta in answer:
        if not begun:  # behind the first delta, so that an error before it is a proper one
            begun = True
            yield chunk({"role": "assistant", "content": ""})
        count += 1
        if delta.text:
            yield chunk({"content": delta.text})
        if delta.tool_call is not None:
            yield chunk({"tool_calls": [{"index": calls, **_call(delta.tool_call)}]})
            calls += 1
    if not begun:
        yield chunk({"role": "assistant", "content": ""})
    yield chunk({}, "tool_calls" if calls else "stop")
    if with_usage:
        yield event(json.dumps({**head, "object": "chat.completion.chunk", "choices": [], "usage": _usage(count)}))
    yield event("[DONE]")


def _usage(deltas: int) -> dict[str, int]:
    """Ports do not count tokens; a delta counts as one, and what went in is not known."""
    return {"prompt_tokens": 0, "completion_tokens": deltas, "total_tokens": deltas}


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}


def _told(error: VivavoceError) -> bytes:
    return event(json.dumps(body_of(error)))


def _message(row: dict[str, Any], place: int) -> Message:
    param = f"messages.{place}"
    role, text = row.get("role"), _text(row.get("content"), param)
    match role:
        case "system" | "developer":
            return Message("system", text)
        case "user":
            return Message("user", text)
        case "assistant":
            calls = tuple(_asked(call, param) for call in row.get("tool_calls") or ())
            return Message("assistant", text, tool_calls=calls)
        case "tool":
            return Message("tool", text, tool_call_id=str(row.get("tool_call_id", "")))
    raise Parameter(f"{param}.role", f"there is no role {role!r}; use system, user, assistant or tool")


def _text(content: Any, param: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Parameter(f"{param}.content", "content is text, or a list of parts")
    parts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("text", "input_text", "output_text"):
            raise Parameter(f"{param}.content", f"parts of type {kind!r} are not read here; send text")
        parts.append(str(part.get("text", "")))
    return "".join(parts)


def _asked(call: Any, param: str) -> ToolCall:
    try:
        function = call["function"]
        arguments = json.loads(function["arguments"] or "{}")
        return ToolCall(str(call["id"]), str(function["name"]), dict(arguments))
    except (KeyError, TypeError, ValueError) as error:
        message = "a tool call has an id and a function with a name and JSON arguments"
        raise Parameter(f"{param}.tool_calls", message) from error


def _tool(row: dict[str, Any], place: int) -> Tool:
    function = row.get("function")
    if row.get("type") != "function" or not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Parameter(f"tools.{place}", "a tool is a function with a name")
    parameters = function.get("parameters")
    return Tool(function["name"], str(function.get("description", "")), parameters if isinstance(parameters, dict) else {})
