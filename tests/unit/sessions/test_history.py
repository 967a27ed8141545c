"""What a client may do to the record of a conversation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.contracts.speech import Message, ToolCall
from vivavoce.sessions.history import History


def texts(history: History) -> list[str]:
    return [message.text for message in history.messages]


def test_messages_are_put_where_they_are_wanted() -> None:
    history = History(10)
    history.add(1, Message("user", "one"))
    history.add(1, Message("assistant", "two"))
    history.insert(-1, Message("user", "last"))
    history.insert(-2, Message("system", "first"), [])
    history.insert(-3, Message("user", "behind the turn"), [1])
    history.insert(-4, Message("user", "behind the first"), [7, -2, 1])
    assert texts(history) == ["first", "behind the first", "one", "two", "behind the turn", "last"]
    history.remove(1, "user")
    history.remove(-4, "user")
    assert texts(history) == ["first", "two", "behind the turn", "last"]


def test_a_reply_is_shortened_to_what_was_heard_and_its_calls_stay() -> None:
    call = Message("assistant", "", tool_calls=(ToolCall("c", "weather", {}),))
    history = History(10)
    history.add(1, Message("assistant", "one two three"))
    history.add(1, call)
    history.add(2, Message("assistant", "four five"))
    history.shorten(1, "one")
    assert history.messages == (Message("assistant", "one", interrupted=True), call, Message("assistant", "four five"))
    history.shorten(2, "")
    assert history.messages == (Message("assistant", "one", interrupted=True), call)


@given(st.lists(st.tuples(st.sampled_from(["add", "insert", "front", "remove"]), st.integers(1, 6)), max_size=60))
def test_it_stays_bounded_and_forgets_the_oldest(steps: list[tuple[str, int]]) -> None:
    history = History(5)
    for number, (kind, key) in enumerate(steps):
        before = texts(history)
        if kind == "add":
            history.add(key, Message("user", str(number)))
        elif kind == "insert":
            history.insert(-key, Message("user", str(number)))
        elif kind == "front":
            history.insert(-key, Message("user", str(number)), [])
        else:
            history.remove(key, "user")
        after = texts(history)
        assert len(after) <= 5
        if kind in ("add", "insert"):
            assert after == [*before, str(number)][-5:]
