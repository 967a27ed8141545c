"""Control channels of a call, and what is a candidate among their messages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vivavoce.contracts.errors import Overloaded, ProtocolViolation
from vivavoce.transports.webrtc.control import candidate_of
from vivavoce.transports.webrtc.controls import BACKLOG, MAX_ATTACHED, Controls


def test_the_first_channel_gets_all_that_was_said_and_the_greeting_first() -> None:
    controls, told = Controls(), list[str]()
    controls.put("early")
    controls.attach(told.append)
    assert told == []
    controls.open("ready")
    controls.put("later")
    assert told == ["ready", "early", "later"]


def test_messages_wait_for_a_channel_and_go_to_all_of_them() -> None:
    controls, first, second = Controls(), list[str](), list[str]()
    controls.open("ready")
    controls.put("one")
    detach = controls.attach(first.append)
    controls.attach(second.append)
    controls.put("two")
    detach()
    detach()
    controls.put("three")
    assert first == ["ready", "one", "two"] and second == ["two", "three"]


def test_a_call_nobody_listens_to_keeps_only_the_last() -> None:
    controls, told = Controls(), list[str]()
    controls.open()
    for number in range(BACKLOG + 10):
        controls.put(str(number))
    controls.attach(told.append)
    assert told == [str(number) for number in range(10, BACKLOG + 10)]


def test_channels_are_bounded_and_hear_of_the_end() -> None:
    controls, over = Controls(), list[int]()
    for _ in range(MAX_ATTACHED):
        controls.attach(lambda text: None, lambda: over.append(1))
    with pytest.raises(Overloaded):
        controls.attach(lambda text: None)
    controls.close()
    assert len(over) == MAX_ATTACHED


GOOD = {"candidate": "candidate:1 1 udp 2 127.0.0.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "candidate", "candidate": {**GOOD, "relayProtocol": "udp"}}, (True, GOOD)),
        ({"type": "candidate", "candidate": None}, (True, None)),
        ({"type": "candidate"}, (True, None)),
        ({"type": "text", "text": '"candidate"'}, (False, None)),
        (["candidate"], (False, None)),
    ],
)
def test_candidates_are_told_from_other_messages(message: Any, expected: tuple[bool, Any]) -> None:
    assert candidate_of(json.dumps(message)) == expected


@pytest.mark.parametrize("bad", ["text", 3, {"candidate": 3}, {"candidate": "x" * 2_000}, {"sdpMLineIndex": True}])
def test_bad_candidates_are_refused(bad: Any) -> None:
    with pytest.raises(ProtocolViolation):
        candidate_of(json.dumps({"type": "candidate", "candidate": bad}))


def test_no_json_is_somebody_elses_complaint() -> None:
    assert candidate_of('{"candidate"') == (False, None)
