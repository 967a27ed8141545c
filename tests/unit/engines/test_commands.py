"""The built-in agent: what people say and type, through messages, as a session uses it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.errors import ConfigurationError, UnknownName
from vivavoce.contracts.speech import Delta, LanguageOptions, Message, Tool, ToolCall
from vivavoce.engines.commands import CommandAgent
from vivavoce.text.commands import COMMAND_TOOLS, examples, load
from vivavoce.text.commands.results import result_sentence

NOW = 1_790_000_000.0  # Monday 2026-09-21, 14:13:20 UTC
AGENT = CommandAgent({"timezone": "UTC"}, now=lambda: NOW, chance=random.Random(1))
REPLIES = load("en").replies
TOOLS = {tool.name: tool for tool in COMMAND_TOOLS}


def ask(*messages: str | Message, tools: Sequence[Tool] = COMMAND_TOOLS) -> Delta:
    said = [Message("user", message) if isinstance(message, str) else message for message in messages]
    deltas = list(AGENT.stream(said, tools, LanguageOptions()))
    assert len(deltas) == 1
    return deltas[0]


def answer(text: str) -> str:
    delta = ask(text)
    assert delta.tool_call is None
    return delta.text


def call(text: str) -> tuple[str, dict[str, Any]]:
    made = ask(text).tool_call
    assert made is not None and made.id
    jsonschema.validate(made.arguments, TOOLS[made.name].parameters)
    return made.name, made.arguments


@pytest.mark.parametrize(("sentence", "intent"), examples(load("en")))
def test_every_example_is_understood(sentence: str, intent: str) -> None:
    request = AGENT.understand(sentence)
    assert request is not None and request.intent == intent
    assert ask(sentence).text != REPLIES["unmatched"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what is twelve times twelve", "That is 144."),
        ("What's 15% of 80?", "That is 12."),
        ("12 * 12", "That is 144."),
        ("what is two plus three times four", "That is 14."),
        ("(2+3)*4 =", "That is 20."),
        ("0.1 + 0.2", "That is 0.3."),
        ("what is ten divided by three", "That is about 3.3333."),
        ("how much is one hundred and five minus seven please", "That is 98."),
        ("the square root of eighty-one", "That is 9."),
        ("what is the square root of two", "That is about 1.4142."),
        ("seven cubed", "That is 343."),
        ("two to the power of ten", "That is 1024."),
        ("minus five plus three", "That is minus 2."),
        ("5 minus minus 3", "That is 8."),
        ("2^3^2", "That is 512."),
        ("what is half of ninety", "That is 45."),
        ("add two and three", "That is 5."),
        ("subtract two from nine", "That is 7."),
        ("two hundred million times fifty", "That is 10000000000."),
        ("1,234 + 1", "That is 1235."),
        ("3.5 million x 2", "That is 7000000."),
        ("one divided by zero", REPLIES["divide_by_zero"]),
        ("divide ten by zero", REPLIES["divide_by_zero"]),
        ("0 ^ -1", REPLIES["divide_by_zero"]),
        ("square root of minus four", REPLIES["not_real"]),
        ("9 ^ 999999999", REPLIES["too_large"]),
        ("9^9^9^9", REPLIES["too_large"]),
        ("0.001 ^ 99999999", REPLIES["too_large"]),
        ("999999999999 * 999999999999", "That is about 1 times 10 to the power of 24."),
    ],
)
def test_sums(question: str, expected: str) -> None:
    assert answer(question) == expected


@pytest.mark.parametrize("text", ["what is 7", "seven", "plus", "(", "2 +", "* 3", "()", "(2", "1 2 3", "-", "what is", "="])
def test_what_is_no_sum_is_not_calculated(text: str) -> None:
    assert answer(text) == REPLIES["unmatched"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what is ten miles in kilometers", "10 miles is about 16.09 kilometres."),
        ("convert minus forty celsius to fahrenheit", "minus 40 degrees Celsius is minus 40 degrees Fahrenheit."),
        ("100°F in °C", "100 degrees Fahrenheit is about 37.78 degrees Celsius."),
        ("how many feet in a mile", "1 mile is 5280 feet."),
        ("how many pounds are in five kilos", "5 kilograms is about 11.02 pounds."),
        ("5km in miles", "5 kilometres is about 3.11 miles."),
        ("how many seconds are there in an hour", "1 hour is 3600 seconds."),
        ("5 in in cm", "5 inches is 12.7 centimetres."),
        ("convert 5 km to pounds", "I cannot convert kilometres to pounds."),
    ],
)
def test_conversions(question: str, expected: str) -> None:
    assert answer(question) == expected


def test_time_and_date_come_from_the_injected_clock() -> None:
    assert answer("what time is it") == "It is thirteen minutes past two in the afternoon."
    assert answer("what's the date") == "It is Monday, September 21, 2026."
    assert answer("what day is it tomorrow") == "It will be Tuesday, September 22, 2026."
    assert answer("what is yesterday's date".replace("'s", "")) == "It was Sunday, September 20, 2026."
    tokyo = CommandAgent({"timezone": "Asia/Tokyo"}, now=lambda: NOW)
    (delta,) = tokyo.stream([Message("user", "what time is it")], (), LanguageOptions())
    assert delta.text == "It is thirteen minutes past eleven at night."


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("set a timer for ten minutes", {"seconds": 600}),
        ("Set a timer for 5 minutes.", {"seconds": 300}),
        ("please set a 10 min egg timer", {"seconds": 600, "label": "egg"}),
        ("start a pasta timer for eight minutes", {"seconds": 480, "label": "pasta"}),
        ("set a timer for an hour and a half", {"seconds": 5400}),
        ("set a timer for two and a half minutes", {"seconds": 150}),
        ("set a timer for 2 hours and 5 minutes", {"seconds": 7500}),
        ("set a timer for 1 hour 2 minutes and 3 seconds", {"seconds": 3723}),
        ("set a timer for half an hour called cold tea", {"seconds": 1800, "label": "cold tea"}),
        ("5 minute timer", {"seconds": 300}),
        ("remind me in a minute", {"seconds": 60}),
    ],
)
def test_timers_are_asked_of_the_session(text: str, arguments: dict[str, Any]) -> None:
    assert call(text) == ("set_timer", arguments)


def test_timer_bounds_and_questions() -> None:
    assert answer("set a timer for 90 hours") == REPLIES["timer_too_long"]
    assert answer("set a timer for 0 seconds") == REPLIES["timer_too_short"]
    assert answer("set a timer") == REPLIES["timer_for_how_long"]
    assert call("how long is left on the pasta timer") == ("list_timers", {"label": "pasta"})
    assert call("how long is left") == ("list_timers", {})
    assert call("cancel the ten minute timer") == ("cancel_timer", {"seconds": 600})
    assert call("cancel the timer") == ("cancel_timer", {})
    assert call("cancel all timers") == ("cancel_timer", {"all": True})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("volume up", ("set_volume", {"change": 0.15})),
        ("turn it down", ("set_volume", {"change": -0.15})),
        ("set the volume to fifty percent", ("set_volume", {"level": 0.5})),
        ("volume 3", ("set_volume", {"level": 0.3})),
        ("volume 3%", ("set_volume", {"level": 0.03})),
        ("mute", ("set_volume", {"level": 0.0})),
        ("speak faster", ("set_speed", {"change": 0.2})),
        ("slow down", ("set_speed", {"change": -0.2})),
        ("normal speed", ("set_speed", {"speed": 1.0})),
    ],
)
def test_volume_and_speed(text: str, expected: tuple[str, dict[str, Any]]) -> None:
    assert call(text) == expected
    assert answer("set the volume to 300 percent") == REPLIES["volume_bounds"]


@pytest.mark.parametrize(
    "text", ["set a timer for ten minutes", "how long is left", "cancel all timers", "volume up", "speak faster"]
)
def test_what_is_not_offered_is_not_called(text: str) -> None:
    others = [Tool("weather", "The weather.")]
    for tools in ([], others):
        delta = ask(text, tools=tools)
        assert delta.tool_call is None and delta.text.startswith("I cannot do that here")


def _tool_exchange(name: str, arguments: dict[str, Any], result: object) -> str:
    made = ToolCall("1", name, arguments)
    text = result if isinstance(result, str) else json.dumps(result)
    delta = ask("whatever was said", Message("assistant", "", tool_calls=(made,)), Message("tool", text, tool_call_id="1"))
    assert delta.tool_call is None
    return delta.text


def _timer(seconds: float, remaining: float, label: str | None = None) -> dict[str, Any]:
    return {"seconds": seconds, "remaining": remaining, "label": label}


@pytest.mark.parametrize(
    ("name", "arguments", "result", "expected"),
    [
        ("set_timer", {"seconds": 600}, {"timer": _timer(600, 600)}, "Timer set for 10 minutes."),
        ("set_timer", {}, {"timer": _timer(3660, 3660, "pasta")}, "Pasta timer set for 1 hour and 1 minute."),
        ("list_timers", {}, {"timers": [_timer(600, 240.2, "pasta")]}, "You have 4 minutes left on the pasta timer."),
        ("list_timers", {}, {"timers": [_timer(600, 61)]}, "You have 1 minute and 1 second left."),
        ("list_timers", {}, {"timers": []}, "There is no timer running."),
        ("list_timers", {"label": "tea"}, {"timers": []}, "There is no such timer running."),
        (
            "list_timers",
            {},
            {"timers": [_timer(60, 5, "egg"), _timer(60, 30)]},
            "You have 2 timers: 5 seconds left on the egg timer and 30 seconds left.",
        ),
        ("cancel_timer", {}, {"cancelled": [_timer(60, 5)], "timers": []}, "Timer cancelled."),
        ("cancel_timer", {"all": True}, {"cancelled": [_timer(60, 5)] * 2, "timers": []}, "2 timers cancelled."),
        ("cancel_timer", {}, {"cancelled": [], "timers": []}, "There is no timer running."),
        ("cancel_timer", {"label": "tea"}, {"cancelled": [], "timers": [_timer(60, 5)]}, "There is no such timer running."),
        (
            "cancel_timer",
            {},
            {"cancelled": [], "timers": [_timer(60, 5)] * 3},
            "You have 3 timers. Say which one to cancel, or say cancel all timers.",
        ),
        ("set_volume", {"change": 0.15}, {"volume": 0.65}, "Volume at 65 percent."),
        ("set_speed", {"change": 0.2}, {"speed": 1.2}, "I will speak faster."),
        ("set_speed", {"speed": 1.0}, {"speed": 1.0}, "Back to normal speed."),
        ("set_timer", {"seconds": 1}, {"error": "too many timers."}, "That did not work: too many timers."),
        ("set_timer", {"seconds": 1}, "not JSON", "Done."),
        ("set_timer", {"seconds": 1}, {"timer": "?"}, "Done."),
        ("someone_elses", {}, {"a": 1}, "Done."),
    ],
)
def test_results_become_sentences(name: str, arguments: dict[str, Any], result: object, expected: str) -> None:
    assert _tool_exchange(name, arguments, result) == expected


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["timer", "timers", "cancelled", "volume", "speed", "label", "seconds", "remaining"]), inner
        )
    ),
    max_leaves=8,
)


@given(tool=st.sampled_from(sorted(TOOLS)), result=_json)
def test_no_result_breaks_the_agent(tool: str, result: object) -> None:
    assert result_sentence(load("en"), tool, {}, json.dumps(result))


def test_a_result_without_its_call_is_acknowledged() -> None:
    assert ask(Message("tool", '{"volume": 1}', tool_call_id="gone")).text == "Done."


def test_coin_and_dice_are_fair_and_bounded() -> None:
    assert {answer("flip a coin") for _ in range(40)} == {"Heads.", "Tails."}
    assert {answer("roll a die") for _ in range(200)} == {f"You rolled {n}." for n in range(1, 7)}
    assert {answer("roll a twenty sided die") for _ in range(600)} == {f"You rolled {n}." for n in range(1, 21)}
    assert answer("roll two dice").startswith("You rolled ") and "Together that is" in answer("roll two dice")
    for text in ("roll 500 dice", "roll a 1 sided die", "roll a 5000 sided die", "roll zero dice"):
        assert answer(text) == REPLIES["dice_bounds"]
    assert answer("pick a number between 5 and 5") == "I picked 5."


def test_the_same_seed_rolls_the_same() -> None:
    first, second = (CommandAgent({}, chance=random.Random(9)) for _ in range(2))
    for _ in range(10):
        asked = ([Message("user", "roll ten dice")], (), LanguageOptions())
        assert list(first.stream(*asked)) == list(second.stream(*asked))


def test_repeat_says_what_was_last_heard() -> None:
    assert ask("say that again").text == REPLIES["nothing_said"]
    heard = Message("assistant", "It is", interrupted=True)
    assert ask("what time is it", heard, "repeat that").text == "It is"
    assert ask("hi", Message("assistant", "Hello."), "x", Message("assistant", "  "), "repeat that").text == "Hello."


@pytest.mark.parametrize(
    "text",
    [
        "tell me a joke",
        "what is love",
        "",
        "   ",
        "?",
        "who won the world cup",
        "x" * 5000,
        "set",
        "timer",
        "the",
        "it was the best of times",
    ],
)
def test_anything_else_is_answered_honestly(text: str) -> None:
    said = answer(text)
    assert "built-in command agent" in said and "vivavoce connect" in said


def test_stop_and_small_talk() -> None:
    for text in ("stop", "never mind", "Be quiet!", "shut up", "cancel"):
        assert answer(text) == "Okay."
    assert answer("thank you") == REPLIES["thanks"]
    assert answer("Bye.") == "Goodbye."
    assert "not a language model" in answer("who are you?")


def test_wrong_settings_and_languages_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Nowhere"):
        CommandAgent({"timezone": "Mars/Nowhere"})
    with pytest.raises(UnknownName):
        CommandAgent({"language": "xx"})
    with pytest.raises(UnknownName):
        list(AGENT.stream([Message("user", "hello")], (), LanguageOptions(language="de")))
    assert (
        next(iter(AGENT.stream([Message("user", "hello")], (), LanguageOptions(language="en-GB")))).text == REPLIES["hello"]
    )


_words = sorted({word for sentence, _ in examples(load("en")) for word in sentence.lower().strip(".?").split()})


@given(
    st.lists(st.sampled_from([*_words, "0", "1e9", "999999999", "-", "(", ")", "^", "/", "%", "point", "and"]), max_size=14)
)
def test_no_words_break_it(words: list[str]) -> None:
    delta = ask(" ".join(words))
    assert bool(delta.text) != bool(delta.tool_call)


@given(st.text(max_size=80))
def test_no_text_breaks_it(text: str) -> None:
    delta = ask(text)
    assert bool(delta.text) != bool(delta.tool_call)


def test_matching_costs_little() -> None:
    """CPU time, generous: a hostile sentence of the longest length must not stall the worker."""
    hostile = [
        "set a " + "timer for " * 29,
        "set a a a a a " * 21,
        "1 + " * 74 + "1",
        "(" * 150 + "1" + ")" * 149,
        "how many " * 33,
    ]
    for text in hostile:
        start = time.process_time()
        ask(text[:300])
        assert time.process_time() - start < 0.5, text
