"""Chat completions without input or output: a conversation as a request, and the events of an answer as deltas."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vivavoce.contracts.errors import ProviderFailed
from vivavoce.contracts.speech import Delta, LanguageOptions, Message, Tool, ToolCall
from vivavoce.providers._http import status_error
from vivavoce.providers.openai_compatible.profiles import Profile
from vivavoce.providers.openai_compatible.reasoning import ReasoningFilter
from vivavoce.providers.options import Scalar

MAX_TEXT = 1_000_000
"""Characters of one answer, reasoning included."""
MAX_ARGUMENTS = 200_000
"""Characters of the arguments of one tool call."""
MAX_CALLS = 32
CUT_OFF = " …"
"""Stands behind words of a reply that was interrupted there."""
DONE = "[DONE]"

Json = dict[str, Any]


def request_body(
    model: str,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    options: LanguageOptions,
    profile: Profile,
    extra: Mapping[str, Scalar],
) -> Json:
    """The body of a request for a streamed answer."""
    body: Json = {"model": model, "messages": wire_messages(messages), "stream": True}
    if tools:
        body["tools"] = [_wire_tool(tool) for tool in tools]
    if options.max_tokens is not None:
        body[profile.max_tokens] = options.max_tokens
    if options.temperature is not None:
        body["temperature"] = options.temperature
    return {**body, **extra}


def wire_messages(messages: Sequence[Message]) -> list[Json]:
    """Messages as the API has them.

    Neighbours of the user become one message, because templates of many models insist on alternation. Calls without their
    result, and results without their call (history is cut somewhere), are left out: services refuse them.
    """
    called = {call.id for message in messages for call in message.tool_calls}
    answered = {message.tool_call_id for message in messages if message.role == "tool"}
    found: list[Json] = []
    for message in messages:
        wire = _wire_message(message, called, answered)
        if wire is None:
            continue
        if found and wire["role"] == "user" == found[-1]["role"]:
            found[-1]["content"] += "\n" + wire["content"]
        else:
            found.append(wire)
    return found


def _wire_message(message: Message, called: set[str], answered: set[str | None]) -> Json | None:
    if message.role == "tool":
        if message.tool_call_id not in called:
            return None
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    text = message.text.rstrip() + CUT_OFF if message.interrupted else message.text
    wire: Json = {"role": message.role, "content": text}
    calls = [_wire_call(call) for call in message.tool_calls if call.id in answered]
    if calls:
        wire["tool_calls"] = calls
    elif message.tool_calls and not message.text:
        return None
    return wire


def _wire_call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}


def _wire_tool(tool: Tool) -> Json:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": parameters}}


@dataclass(slots=True)
class _Call:
    """A tool call in the making; its fragments are joined at the end."""

    id: str
    name: str
    fragments: list[str]
    size: int = 0


class AnswerReader:
    """The events of one answer to deltas of text; its tool calls follow at the end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reasoning = ReasoningFilter()
        self._calls: dict[object, _Call] = {}
        self._latest: object = None
        self._size = 0
        self._ended = False
        self.done = False
        """Whether the service said that nothing more comes."""

    def feed(self, data: str) -> list[Delta]:
        """One event. Raises ProviderFailed for errors of the service and for what is not understood."""
        if data.strip() == DONE:
            self.done = True
            return []
        try:
            event = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ProviderFailed(f"{self._name} sent an event that is not JSON", cause=error) from error
        return self.take(event)

    def take(self, event: object) -> list[Delta]:
        """One event, or a whole answer that was not streamed. Raises ProviderFailed."""
        if not isinstance(event, dict):
            raise ProviderFailed(f"{self._name} sent an event that is no object")
        if event.get("error"):
            raise self._error(event["error"])
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):  # usage, keep-alive and the like
            return []
        part = choice.get("delta") or choice.get("message")
        found = self._part(part) if isinstance(part, dict) else []
        self._ended = self._ended or bool(choice.get("finish_reason"))
        return found

    def finish(self) -> list[Delta]:
        """At the end of the stream: held text and the tool calls. Raises ProviderFailed where the answer is cut off."""
        if not (self._ended or self.done):
            raise ProviderFailed(f"{self._name} stopped in the middle of an answer")
        rest = self._reasoning.finish()
        texts = [Delta(rest)] if rest else []
        return texts + [Delta(tool_call=self._call(call)) for call in self._calls.values()]

    def _part(self, part: Json) -> list[Delta]:
        calls = part.get("tool_calls")
        for fragment in calls if isinstance(calls, list) else ():
            if isinstance(fragment, dict):
                self._fragment(fragment)
        text = _text(part.get("content"))
        thought = part.get("reasoning_content") or part.get("reasoning")
        self._size += len(text) + (len(thought) if isinstance(thought, str) else 0)
        if self._size > MAX_TEXT:
            raise ProviderFailed(f"{self._name} wrote more than {MAX_TEXT} characters without an end", retryable=False)
        spoken = self._reasoning.feed(text) if text else ""
        return [Delta(spoken)] if spoken else []

    def _fragment(self, fragment: Json) -> None:
        """Fragments belong together by index; services that send none send whole calls, each with an id."""
        function = fragment.get("function")
        function = function if isinstance(function, dict) else {}
        key = fragment.get("index")
        if not isinstance(key, int):
            key = str(fragment.get("id") or "") or self._latest
        if key not in self._calls:
            if len(self._calls) >= MAX_CALLS:
                raise ProviderFailed(f"{self._name} called more than {MAX_CALLS} tools at once", retryable=False)
            self._calls[key] = _Call("", "", [])
        self._latest = key
        call = self._calls[key]
        call.id = call.id or str(fragment.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        arguments = function.get("arguments")
        written = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
        call.fragments.append(written)
        call.size += len(written)
        if call.size > MAX_ARGUMENTS:
            text = f"{self._name} called {call.name[:60]} with more than {MAX_ARGUMENTS} characters"
            raise ProviderFailed(text, retryable=False)

    def _call(self, call: _Call) -> ToolCall:
        written = "".join(call.fragments).strip() or "{}"
        try:
            arguments = json.loads(written)
        except (ValueError, RecursionError) as error:
            raise self._bad_call(call, "arguments that are not JSON", error) from error
        if not isinstance(arguments, dict):
            raise self._bad_call(call, "arguments that are no object", None)
        if not call.name:
            raise self._bad_call(call, "no name", None)
        number = list(self._calls.values()).index(call) + 1
        return ToolCall(call.id or f"call_{number}", call.name, arguments)

    def _bad_call(self, call: _Call, what: str, cause: Exception | None) -> ProviderFailed:
        text = f"{self._name} called the tool {call.name[:60]!r} with {what}; a larger model may do better"
        return ProviderFailed(text, code="provider_bad_tool_call", cause=cause)

    def _error(self, error: object) -> ProviderFailed:
        said = error.get("message", "") if isinstance(error, dict) else error
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code < 600:
            mapped = status_error(self._name, code, _short(said), None)
            if isinstance(mapped, ProviderFailed):
                return mapped
        return ProviderFailed(f"{self._name} broke off its answer: {_short(said) or 'no reason given'}")


def _text(content: object) -> str:
    """Content is text, or a list of parts of which some are text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict) and part.get("type") == "text")


def _short(text: object) -> str:
    return " ".join(str(text).split())[:300]
