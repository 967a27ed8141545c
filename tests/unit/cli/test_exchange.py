"""A conversation's events as lines and as data."""

from __future__ import annotations

import json

from vivavoce.cli.exchange import Exchanges, as_data, chart
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyStarted,
    ReplyText,
    ResponseCompleted,
    SessionFailed,
    TranscriptUpdated,
    TurnContinued,
    TurnDiscarded,
    Waterfall,
)

WATERFALL = Waterfall(
    transcript=0.12, decision=0.1, first_token=0.125, first_sentence=0.126, first_audio=0.13, first_sent=0.131, wait=0.1
)


def test_an_exchange_is_written_and_kept() -> None:
    lines: list[str] = []
    exchanges = Exchanges(lines.append)
    first, second = Stamp(1, 1, 1), Stamp(2, 1, 2)
    for event in (
        TranscriptUpdated(first, "what time", False),
        TranscriptUpdated(first, "what time is it", True),
        ReplyStarted(first),
        ReplyText(first, "It is ten."),
        ResponseCompleted(first, "It is ten.", False, WATERFALL),
        TurnDiscarded(second, "noise"),
        SessionFailed(second, "worker_lost", "the worker died", True),
    ):
        exchanges.take(event)
    assert lines[:2] == ["you   what time is it", "voice It is ten."]
    assert lines[-2:] == ["      (not a turn: noise)", "error the worker died (worker_lost)"]
    assert len(exchanges.failures) == 1
    data = json.loads(json.dumps(as_data(exchanges.finished)))
    assert data[0]["said"] == "what time is it"
    assert data[0]["waterfall"]["first_sent"] == 0.131
    assert data[0]["latency"] == {"stt": 0.12, "llm": 0.125 - 0.12, "tts": 0.13 - 0.126, "total": 0.131}


def test_a_turn_that_goes_on_is_one_exchange() -> None:
    lines: list[str] = []
    exchanges = Exchanges(lines.append)
    first, second = Stamp(1, 1, 1), Stamp(2, 1, 2)
    for event in (
        TranscriptUpdated(first, "turn on the light", True),
        ReplyStarted(first),
        ReplyInterrupted(first, 0, "", "replaced"),
        TurnContinued(second, 1),
        TranscriptUpdated(second, "turn on the light please", True),
        ResponseCompleted(second, "Done.", False, WATERFALL),
    ):
        exchanges.take(event)
    assert lines[:4] == ["you   turn on the light", "      (goes on)", "you   turn on the light please", "voice Done."]
    assert [(exchange.turn, exchange.said) for exchange in exchanges.finished] == [(2, "turn on the light please")]


def test_stages_come_in_order_of_time_and_only_where_they_happened() -> None:
    lines = chart(WATERFALL)
    assert [line.split("  ")[0] for line in lines[:2]] == ["decision", "transcript"]
    assert not any("played" in line for line in lines)
    assert "100 ms" in lines[0]
    assert "wait decided 100 ms" in lines[-1]


def test_nothing_happened_nothing_is_drawn() -> None:
    assert chart(Waterfall()) == []
