from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.text.backchannel import (
    echo_similarity,
    is_backchannel,
    is_command_to_stop,
    is_hesitation,
    may_become_backchannel,
    new_words,
)

REPLY = "The train to Berlin leaves at half past nine from platform four, and the ticket costs thirty euros."


@pytest.mark.parametrize("text", ["um", "uh uhm", "Er, erm.", "ehm"])
def test_hesitation_holds_the_floor_and_is_no_backchannel(text: str) -> None:
    assert is_hesitation(text) and not is_backchannel(text)


@pytest.mark.parametrize("text", ["", "mm-hm", "uh huh", "yeah", "um the dentist", "umbrella"])
def test_what_is_no_hesitation(text: str) -> None:
    assert not is_hesitation(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", text) for text in ("mhm", "mm-hm", "mm hmm", "uh huh", "uh-huh", "hmm", "Yeah.", "right", "okay okay",
    "i see",
                               "oh i see", "sure", "yeah okay right", "got it", "that makes sense", "mmhmm yeah",
                               "OK", "ah")]
    + [("de", "ja genau"), ("de", "ach so"), ("es", "sí claro"), ("es", "ya veo"), ("fr", "d'accord"), ("fr",
    "ah bon oui")],
)  # fmt: skip
def test_backchannels(language: str, text: str) -> None:
    assert is_backchannel(text, language)
    assert new_words(text, language, "") == 0
    assert not is_command_to_stop(text, language)


@pytest.mark.parametrize(
    "text", ["", "...", "yeah but", "stop", "okay what about paris", "no", "right yeah so tell me", "um"]
)
def test_no_backchannels(text: str) -> None:
    assert not is_backchannel(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", text) for text in ("stop", "Stop!", "please stop", "wait", "wait wait", "hold on", "hold on a second",
    "no no",
                               "no no no", "be quiet", "enough", "okay that's enough", "cancel", "never mind",
                               "shut up",
                               "can you stop please", "hey stop talking", "um wait")]
    + [("de", "halt"), ("de", "bitte sei still"), ("es", "para por favor"), ("es", "espera"), ("fr", "arrête"),
    ("fr", "ça suffit")],
)  # fmt: skip
def test_commands_to_stop(language: str, text: str) -> None:
    assert is_command_to_stop(text, language)


@pytest.mark.parametrize(
    "text", ["", "no", "please", "stop the timer", "wait for the train", "cancel my order", "i can't stop"]
)
def test_no_commands_to_stop(text: str) -> None:
    assert not is_command_to_stop(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("yeah what about paris", 3),
        ("um what about", 2),
        ("leaves at half past nine", 0),
        ("leafs at half past nine", 1),  # misread at the edge: it might be new
        ("at have past nine", 0),
        ("platform for and the ticket", 0),  # one word misread
        ("berlin", 0),
        ("stop the train", 1),  # "the train" is echo
        ("what does it cost", 4),
        ("half past nine but i wanted eight", 4),
        ("", 0),
    ],
)
def test_new_words(text: str, count: int) -> None:
    assert new_words(text, "en", REPLY) == count


def test_echo_similarity() -> None:
    assert echo_similarity("leaves at half past nine", REPLY) == 1.0
    assert echo_similarity("leaves at have past nine", REPLY) >= 0.75
    assert echo_similarity("what about tomorrow evening", REPLY) < 0.3
    assert echo_similarity("", REPLY) == 0.0
    assert echo_similarity("hello", "") == 0.0
    assert echo_similarity("the costs platform past train", REPLY) < 0.6  # the words are there, the order is not


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["en", "de", "xx"]))
def test_any_text(heard: str, spoken: str, language: str) -> None:
    assert 0.0 <= echo_similarity(heard, spoken) <= 1.0
    assert new_words(heard, language, spoken) <= new_words(heard, language, "")
    assert not (is_backchannel(heard, language) and new_words(heard, language, ""))


@pytest.mark.parametrize("text", ["i", "i see", "of", "makes", "mm", "that makes"])
def test_the_beginning_of_a_backchannel(text: str) -> None:
    assert may_become_backchannel(text)


@pytest.mark.parametrize("text", ["", "i want", "see", "what", "make it stop"])
def test_what_is_no_beginning_of_a_backchannel(text: str) -> None:
    assert not may_become_backchannel(text)
