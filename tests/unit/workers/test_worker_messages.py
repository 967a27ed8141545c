from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from vivavoce.contracts import errors
from vivavoce.contracts.errors import ProtocolViolation, VivavoceError
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
from vivavoce.workers import messages


def wired(value: Any) -> Any:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(
    "transcript",
    [
        Transcript(""),
        Transcript("half", stable=2),
        Transcript("all", True, 3, (Word("all", 0.0, 0.4, 0.0), Word("x", 1, 2)), 0.0, "en", command=True),
    ],
)
def test_transcripts_survive(transcript: Transcript) -> None:
    assert messages.transcript_from_json(wired(messages.transcript_to_json(transcript))) == transcript


def test_deltas_survive() -> None:
    for delta in (Delta("a"), Delta(tool_call=ToolCall("1", "timer", {"minutes": 3})), Delta("a", ToolCall("2", "x", {}))):
        assert messages.delta_from_json(wired(messages.delta_to_json(delta))) == delta


def test_requests_survive() -> None:
    asked = [
        Message("user", "hello"),
        Message("assistant", "", interrupted=True, tool_calls=(ToolCall("1", "time", {}),)),
        Message("tool", "noon", tool_call_id="1"),
    ]
    tools = [Tool("time", "what time it is", {"type": "object"}, side_effects=False)]
    options = LanguageOptions("de", 100, 0.5)
    assert messages.request_from_json(wired(messages.request_to_json(asked, tools, options))) == (asked, tools, options)


def test_capabilities_and_options_survive() -> None:
    capabilities = Capabilities("x", ("en", "de"), voices=(Voice("a", "A", "en"),), concurrency=3)
    assert messages.capabilities_from_json(wired(asdict(capabilities))) == capabilities
    hearing = TranscriptionOptions("de", "s", ("stop",), partials=False)
    assert messages.transcription_options(wired(asdict(hearing))) == hearing
    speaking = SynthesisOptions("v", "fr", 8_000, 1.5)
    assert messages.synthesis_options(wired(asdict(speaking))) == speaking


@pytest.mark.parametrize("kind", errors.error_types().values(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_survives(kind: type[VivavoceError]) -> None:
    plain = messages.error_from_json(wired(messages.error_to_json(kind("it broke"))))
    assert (type(plain), plain.code, plain.message, plain.retryable) == (kind, kind.code, "it broke", kind.retryable)
    special = kind("full", code="very_special", retryable=not kind.retryable, retry_after=3.0)
    got = messages.error_from_json(wired(messages.error_to_json(special)))
    assert (type(got), got.code, got.retryable, got.retry_after) == (kind, "very_special", not kind.retryable, 3.0)


def test_an_unknown_error_keeps_its_code() -> None:
    got = messages.error_from_json({"type": "from_the_future", "message": "m"})
    assert (type(got), got.code) == (errors.EngineFailed, "from_the_future")


@pytest.mark.parametrize(
    "read",
    [
        messages.transcript_from_json,
        messages.capabilities_from_json,
        messages.transcription_options,
        messages.synthesis_options,
        messages.request_from_json,
    ],
)
def test_nonsense_is_refused(read: Any) -> None:
    with pytest.raises(ProtocolViolation):
        read({"nonsense": 1})
