"""What is offered of what is found: services come and go, and do not flap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vivavoce.providers.discovery import Found, Presence

OLLAMA = Found("ollama", "http://127.0.0.1:11434/v1", ("a", "b"), ready=True)
STUDIO = Found("lmstudio", "http://127.0.0.1:1234/v1", ("c",), ready=True)


def after(*sightings: tuple[Found, ...]) -> Presence:
    presence = Presence()
    for found in sightings:
        presence.saw(found)
    return presence


def test_a_service_is_offered_at_once_and_dropped_when_it_was_missed_three_times() -> None:
    presence = Presence()
    assert presence.saw((OLLAMA,))
    assert presence.offered == (OLLAMA,)
    assert not presence.saw(())
    assert not presence.saw(())
    assert presence.saw(())
    assert presence.offered == ()


def test_one_that_was_lost_has_to_be_seen_twice() -> None:
    presence = after((OLLAMA,), (), (), ())
    assert not presence.saw((OLLAMA,))
    assert not presence.saw(())
    assert not presence.saw((OLLAMA,))
    assert presence.saw((OLLAMA,))
    assert presence.offered == (OLLAMA,)


def test_its_model_stays_as_long_as_the_service_has_it() -> None:
    presence = after((OLLAMA,))
    assert not presence.saw((Found("ollama", OLLAMA.url, ("b", "a"), ready=True),))
    assert presence.saw((Found("ollama", OLLAMA.url, ("b",), ready=True),))
    assert presence.offered[0].models == ("b",)


def test_one_that_is_there_but_not_ready_counts_as_missing() -> None:
    presence = after(*[(Found("ollama", OLLAMA.url, ("a",), ready=False),)] * 5)
    assert presence.offered == ()


@given(st.lists(st.sets(st.sampled_from([OLLAMA, STUDIO])), max_size=60))
def test_nothing_flaps(history: list[set[Found]]) -> None:
    """Between two changes of one service lie as many looks as it takes to be sure; what is told is what changed."""
    presence, last = Presence(), {OLLAMA.url: (0, False), STUDIO.url: (0, False)}
    for look, found in enumerate(history):
        before = presence.offered
        assert presence.saw(sorted(found, key=lambda one: one.url)) == (presence.offered != before)
        for one in (OLLAMA, STUDIO):
            since, there = last[one.url]
            if (one in presence.offered) != there:
                assert there or since == 0 or look - since >= Presence.SIGHTINGS
                assert not there or look - since >= Presence.MISSES
                last[one.url] = (look, not there)
            elif one in found and since == 0 and not there:
                raise AssertionError("a service seen for the first time is offered at once")
