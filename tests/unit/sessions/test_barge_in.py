"""Speech over a reply: interruption or not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.sessions.barge_in import Harmless, Interrupts, Overheard, judge
from vivavoce.sessions.options import BargeInOptions

OPTIONS = BargeInOptions()
overheards = st.builds(
    Overheard,
    voiced=st.floats(0, 5),
    ended=st.booleans(),
    late=st.booleans(),
    text=st.booleans(),
    words=st.integers(0, 9),
    stop=st.booleans(),
    echo=st.floats(0, 1),
    read=st.booleans(),
    overdue=st.booleans(),
)


@given(overheards)
def test_once_late_there_is_always_a_decision(heard: Overheard) -> None:
    verdict = judge(heard, OPTIONS)
    assert verdict is not None or not heard.late or (not heard.ended and not heard.overdue)
    if heard.ended and heard.read and (heard.late or heard.voiced < OPTIONS.brief):
        assert verdict is not None, "what is over and read is decided on"


@given(overheards)
def test_a_reply_goes_on_early_only_behind_a_click_or_its_own_echo(heard: Overheard) -> None:
    if not heard.late and not heard.overdue and isinstance(judge(heard, OPTIONS), Harmless):
        assert heard.ended and (heard.voiced < OPTIONS.brief or heard.echo >= OPTIONS.echo_similarity)


@given(overheards)
def test_a_reply_that_may_have_come_too_soon_stands_still_for_longer_and_gives_way_sooner(heard: Overheard) -> None:
    usual, premature = judge(heard, OPTIONS), judge(replace(heard, premature=True), OPTIONS)
    if isinstance(usual, Interrupts) and not (heard.late and not heard.overdue):
        assert premature == usual, "what ends a reply ends it all the more"
    if isinstance(premature, Harmless):
        assert usual is not None and (heard.overdue or heard.ended), "it never goes on while words may still come"


@pytest.mark.parametrize(
    ("heard", "verdict"),
    [
        (Overheard(0.3, False, False, text=True, words=0, stop=True), Interrupts("command")),
        (Overheard(0.4, False, False, text=True, words=3), Interrupts("speech")),
        (Overheard(0.1, False, False, text=True, words=3), None),
        (Overheard(0.3, False, False), None),
        (Overheard(0.5, False, True), None),
        (Overheard(1.25, False, True), Interrupts("speech")),
        (Overheard(0.5, False, True, overdue=True), Harmless("noise")),
        (Overheard(0.06, True, False, read=True), Harmless("noise")),
        (Overheard(0.15, True, False), None),
        (Overheard(0.15, True, True), Harmless("noise")),
        (Overheard(0.15, True, False, text=True, stop=True), Interrupts("command")),
        (Overheard(0.35, True, False, text=True, words=0, read=True), None),
        (Overheard(0.35, True, True, text=True, words=0, read=True), Harmless("backchannel")),
        (Overheard(0.35, True, False, text=True, words=0, read=True, echo=0.9), Harmless("echo")),
        (Overheard(0.35, True, False, text=True, words=1, read=True), Interrupts("speech")),
        (Overheard(0.6, True, True, read=True), Harmless("noise")),
        (Overheard(1.3, True, False, read=True), Interrupts("speech")),
        (Overheard(1.5, False, True, text=True, words=1, echo=0.9), Harmless("echo")),
        (Overheard(1.5, True, False, text=True, words=5, echo=0.9, read=True), Harmless("echo")),
        (Overheard(0.6, False, True, text=True, words=0), None),  # "eh" was read, and the voice goes on
        (Overheard(0.6, True, True, text=True, words=0), Harmless("backchannel")),
        (Overheard(1.7, False, True, text=True, words=0, overdue=True), Harmless("backchannel")),
        (Overheard(0.6, False, True, text=True, words=1), Interrupts("speech")),
        (Overheard(0.3, False, False, text=True, words=1, premature=True), Interrupts("speech")),
        (Overheard(0.6, False, True, text=True, words=0, premature=True), None),
        (Overheard(0.6, True, True, text=True, words=0, premature=True), None),
        (Overheard(0.6, True, True, text=True, words=0, read=True, premature=True), Harmless("backchannel")),
        (Overheard(0.3, False, False, text=True, words=0, premature=True, hesitation=True), Interrupts("speech")),
        (Overheard(0.3, True, True, text=True, words=0, read=True, hesitation=True), Harmless("backchannel")),
        (Overheard(0.6, True, True, text=True, words=0, overdue=True, premature=True), Harmless("backchannel")),
    ],
)
def test_decisions(heard: Overheard, verdict: object) -> None:
    assert judge(heard, OPTIONS) == verdict
