"""The contracts' dataclasses as JSON objects, for both ends of the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vivavoce.contracts.errors import EngineFailed, ProtocolViolation, VivavoceError, error_types
from vivavoce.contracts.speech import (
    Capabilities,
    Delta,
    LanguageOptions,
    Message,
    SynthesisOptions,
    Tool,
    ToolCall,
    Transcript,
    TranscriptionOptions,
    Voice,
    Word,
)

Json = dict[str, Any]


def transcript_to_json(transcript: Transcript) -> Json:
    """Words as rows, absent fields left out: a partial is some 30 bytes longer than its text."""
    value: Json = {"text": transcript.text}
    for name in ("final", "stable", "language", "command"):
        content = getattr(transcript, name)
        if content:
            value[name] = content
    if transcript.confidence is not None:
        value["confidence"] = transcript.confidence
    if transcript.words:
        value["words"] = [(word.text, word.start, word.end, word.confidence) for word in transcript.words]
    return value


def transcript_from_json(value: Json) -> Transcript:
    """Raises ProtocolViolation."""
    try:
        words = tuple(Word(*row) for row in value.pop("words", ()))
        return Transcript(words=words, **value)
    except TypeError as error:
        raise ProtocolViolation("this is no transcript", cause=error) from error


def capabilities_from_json(value: Json) -> Capabilities:
    """Raises ProtocolViolation. (``asdict`` is the other direction.)"""
    try:
        voices = tuple(Voice(**voice) for voice in value.pop("voices", ()))
        languages, tasks, words = (tuple(value.pop(name, ())) for name in ("languages", "tasks", "words"))
        return Capabilities(voices=voices, languages=languages, tasks=tasks, words=words, **value)
    except TypeError as error:
        raise ProtocolViolation("these are no capabilities", cause=error) from error


def delta_to_json(delta: Delta) -> Json:
    """Text, or a tool call, or both."""
    return asdict(delta) if delta.tool_call else {"text": delta.text}


def delta_from_json(value: Json) -> Delta:
    """Raises ProtocolViolation."""
    try:
        call = value.get("tool_call")
        return Delta(value.get("text", ""), None if call is None else ToolCall(**call))
    except TypeError as error:
        raise ProtocolViolation("this is no delta", cause=error) from error


def request_to_json(messages: Sequence[Message], tools: Sequence[Tool], options: LanguageOptions) -> Json:
    """What a language model is asked."""
    return {
        "messages": [asdict(message) for message in messages],
        "tools": [asdict(tool) for tool in tools],
        "options": asdict(options),
    }


def request_from_json(value: Json) -> tuple[list[Message], list[Tool], LanguageOptions]:
    """Raises ProtocolViolation."""
    try:
        messages = []
        for row in value["messages"]:
            calls = tuple(ToolCall(**call) for call in row.pop("tool_calls", ()))
            messages.append(Message(tool_calls=calls, **row))
        return messages, [Tool(**tool) for tool in value["tools"]], LanguageOptions(**value["options"])
    except (KeyError, TypeError) as error:
        raise ProtocolViolation("this is no request", cause=error) from error


def transcription_options(value: Json) -> TranscriptionOptions:
    """Raises ProtocolViolation."""
    try:
        return TranscriptionOptions(vocabulary=tuple(value.pop("vocabulary", ())), **value)
    except TypeError as error:
        raise ProtocolViolation("these are no options of a transcription", cause=error) from error


def synthesis_options(value: Json) -> SynthesisOptions:
    """Raises ProtocolViolation."""
    try:
        return SynthesisOptions(**value)
    except TypeError as error:
        raise ProtocolViolation("these are no options of a synthesis", cause=error) from error


def error_to_json(error: VivavoceError) -> Json:
    """The class by its own code, and what this instance overrides. The cause stays in the child's log."""
    value: Json = {"type": type(error).code, "message": error.message}
    if error.code != type(error).code:
        value["code"] = error.code
    if error.retryable != type(error).retryable:
        value["retryable"] = error.retryable
    if error.retry_after is not None:
        value["retry_after"] = error.retry_after
    return value


_TYPES = error_types()


def error_from_json(value: Json) -> VivavoceError:
    """The same error on this side; a class nobody here knows becomes EngineFailed with its code."""
    known = _TYPES.get(value.get("type", ""))
    return (known or EngineFailed)(
        str(value.get("message", "the worker gave no reason")),
        code=value.get("code") if known else value.get("code", value.get("type")),
        retryable=value.get("retryable"),
        retry_after=value.get("retry_after"),
    )
