"""Conversations as requests, events as deltas, and reasoning that stays unheard."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import ProviderFailed
from vivavoce.contracts.speech import Delta, Message, ToolCall
from vivavoce.providers.openai_compatible.chat import AnswerReader, wire_messages
from vivavoce.providers.openai_compatible.reasoning import ReasoningFilter


def pieces(text: str, places: list[int]) -> list[str]:
    bounds = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in itertools.pairwise(bounds)]


def heard(parts: list[str]) -> str:
    reasoning = ReasoningFilter()
    return "".join(reasoning.feed(part) for part in parts) + reasoning.finish()


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Hello.", "Hello."),
        ("<think>hm</think>Hello.", "Hello."),
        ("<think>hm</think>\n\n Hello.", "Hello."),
        ("<THINK>a < b </THINK>Yes", "Yes"),
        ("<thinking>a</thinking>b<reasoning>c</reasoning>d", "bd"),
        ("<think>never ends", ""),
        ("a <think>b", "a "),
        ("template opened it</think>Hello.", "template opened itHello."),
        ("1 < 2 and <b>bold</b> <thin", "1 < 2 and <b>bold</b> <thin"),
        ("<think></think>", ""),
        ("<think>a<think>b</think>c", "c"),
        ("\n\nHello ", "Hello "),
    ],
)
@given(places=st.lists(st.integers(0, 200), max_size=6))
def test_reasoning_is_not_spoken_however_it_is_cut(written: str, spoken: str, places: list[int]) -> None:
    assert heard(pieces(written, places)) == spoken
    assert heard(list(written)) == spoken


@given(st.text(st.sampled_from("<>/think a"), max_size=40), st.lists(st.integers(0, 200), max_size=6))
def test_cuts_make_no_difference(written: str, places: list[int]) -> None:
    assert heard(pieces(written, places)) == heard([written])


def test_plain_text_is_not_held_back() -> None:
    assert ReasoningFilter().feed("Hello, ") == "Hello, "
    assert ReasoningFilter().feed("a <t") == "a "


def read(*events: Any) -> list[Delta]:
    reader = AnswerReader("test")
    found = [delta for event in events for delta in reader.feed(event if isinstance(event, str) else json.dumps(event))]
    return found + reader.finish()


def part(end: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta, "finish_reason": end}]}


def called(arguments: Any, **more: Any) -> dict[str, Any]:
    return {"function": {"name": "f", "arguments": arguments}, **more}


def test_reasoning_fields_usage_and_strangers_are_passed_over() -> None:
    answer = read(
        part(role="assistant", content=None),
        part(reasoning_content="hm"),
        part(reasoning="hm"),
        {"choices": [], "usage": {"total_tokens": 3}},
        {"object": "ping"},
        part(content=[{"type": "text", "text": "Hel"}, {"type": "image"}]),
        part("stop", content="lo"),
    )
    assert answer == [Delta("Hel"), Delta("lo")]


def test_a_whole_answer_in_one() -> None:
    assert read({"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}]}) == [Delta("Hello.")]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([[called("", index=0, id="x")], [called("{}", index=0)]], [ToolCall("x", "f", {})]),
        ([[called("", index=0)]], [ToolCall("call_1", "f", {})]),
        (
            [[called({"a": 1}, id="x"), called({"a": 2}, id="y")]],
            [ToolCall("x", "f", {"a": 1}), ToolCall("y", "f", {"a": 2})],
        ),
        ([[called('{"a":', id="x")], [{"function": {"arguments": "1}"}}]], [ToolCall("x", "f", {"a": 1})]),
    ],
)
def test_tool_calls(calls: list[Any], expected: list[ToolCall]) -> None:
    answer = read(*(part(tool_calls=fragments) for fragments in calls), part("tool_calls"))
    assert [delta.tool_call for delta in answer] == expected


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (["{broken"], "not JSON"),
        (["[1]"], "no object"),
        ([{"error": "overloaded"}], "overloaded"),
        ([{"error": {"message": "no credit", "code": 429}}], "no credit"),
        ([part(content="half an")], "in the middle"),
        ([part(tool_calls=[called("{not json", index=0)]), "[DONE]"], "'f' with arguments that are not JSON"),
        ([part(tool_calls=[called("[1]", index=0)]), "[DONE]"], "no object"),
        ([part(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]), "[DONE]"], "no name"),
        ([part(tool_calls=[called("{}", index=i) for i in range(40)])], "more than 32 tools"),
        ([part(tool_calls=[called("x" * 150_000, index=0)])] * 2, "more than 200000"),
        ([part(content="x" * 600_000)] * 2, "more than 1000000"),
        ([part(reasoning="x" * 600_000)] * 2, "more than 1000000"),
    ],
)
def test_what_is_refused(events: list[Any], text: str) -> None:
    with pytest.raises(ProviderFailed, match=text):
        read(*events)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda c: (
            st.lists(c)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "message", "content", "tool_calls", "function", "index", "id", "error", "text"]
                ),
                c,
            )
        ),
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    reader = AnswerReader("test")
    try:
        reader.take(value)
        reader.take({"choices": [{"delta": value}]})
        reader.take({"choices": [{"delta": {"tool_calls": value}}]})
        reader.take({"choices": [{"delta": {"tool_calls": [value]}}]})
        reader.finish()
    except ProviderFailed:
        pass


def test_messages() -> None:
    call, lost = ToolCall("1", "f", {"a": "é"}), ToolCall("2", "g", {})
    wire = wire_messages(
        [
            Message("system", "Be kind."),
            Message("tool", "orphan", tool_call_id="0"),
            Message("user", "One"),
            Message("user", "two."),
            Message("assistant", "I was say", interrupted=True),
            Message("user", "Go on."),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", "{}", tool_call_id="1"),
            Message("assistant", "", tool_calls=(lost,)),
        ]
    )
    assert [message["role"] for message in wire] == ["system", "user", "assistant", "user", "assistant", "tool"]
    assert wire[1]["content"] == "One\ntwo."
    assert wire[2]["content"] == "I was say …"
    assert wire[4]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": "é"}'}
    assert wire[5] == {"role": "tool", "tool_call_id": "1", "content": "{}"}
