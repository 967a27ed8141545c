"""OpenAI's own Python library on the Realtime protocol, three major versions of it, at a real server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.conftest import Guarded, Served, drive, got, raised
from tests.clients.sounds import decoded, question_at_24_khz, understood
from tests.clients.test_openai import VERSIONS

pytestmark = [pytest.mark.engine, pytest.mark.process]

HEARD = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]
ANSWERED = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]
ANY_TIME = ("conversation.item.input_audio_transcription", "response.output_audio_transcript.delta")

Seen = dict[str, Any]


def in_order(types: Sequence[str]) -> list[str]:
    """Without what may come at any time, and one of many deltas in a row."""
    told = [kind for kind in types if not kind.startswith(ANY_TIME)]
    return [kind for place, kind in enumerate(told) if place == 0 or told[place - 1] != kind]


@pytest.fixture(scope="module", params=VERSIONS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(f"realtime-{request.param}-")


@pytest.fixture(scope="module")
def seen(folder: Path, thinking: Served, guarded: Guarded) -> Seen:
    """All that one version saw: it is run once."""
    version = next(name for name in VERSIONS if name in folder.name)
    plan = {
        "url": thinking.url,
        "guarded": guarded.served.url,
        "folder": str(folder),
        "recording": str(question_at_24_khz(folder)),
        "key": guarded.key(f"{version} realtime"),
        "narrow": guarded.key(f"{version} realtime narrow", "listen"),
    }
    return drive(version, "openai_realtime.py", json.dumps(plan))


def test_every_frame_is_of_the_librarys_own_types(folder: Path, seen: Seen) -> None:
    assert f"openai-{seen['version'].partition('.')[0]}" in folder.name
    assert seen["nonsense"] == 2, "the judge judges"
    assert seen["frames"] > 300
    assert seen["largest"] < 64 * 1024, "some clients take no more than half a MiB"
    assert seen["invalid"] == []


def test_text_is_answered_in_text(seen: Seen) -> None:
    text = got(seen, "text")
    assert text["text"] == text["said"] == "You asked Where is the key?" and text["status"] == "completed"
    assert not [kind for kind in text["types"] if "audio" in kind]


def test_a_spoken_turn_is_told_in_order_and_answered_aloud(seen: Seen, folder: Path) -> None:
    turn = got(seen, "turn")
    assert understood(turn["heard"])
    answer = f"You asked {turn['heard']}"
    assert turn["said"].strip() == answer
    assert in_order(turn["types"]) == ["session.created", "session.updated", *HEARD, *ANSWERED]
    start, end = turn["times"]
    assert 0 <= start < end and 500 < end - start < 4_000, "the sentence is 1.7 s long"
    samples = decoded(folder / turn["file"], "pcm")
    assert 1.0 * 24_000 < samples.size < 5.0 * 24_000 and np.abs(samples.astype(np.int32)).max() > 3_000
    done = turn["done"]
    assert done["status"] == "completed" and done["output"][0]["content"][0]["transcript"] == answer
    assert done["output"][0]["role"] == "assistant"


def test_a_tool_is_called_and_its_answer_is_used(seen: Seen) -> None:
    tool = got(seen, "tool")
    assert (tool["name"], tool["arguments"]) == ("weather", {"city": "Oslo"})
    assert tool["first"] == ["function_call"]
    assert tool["said"] == "The tool says it rains."


def test_words_over_a_reply_cut_it_and_are_answered(seen: Seen) -> None:
    cut = got(seen, "interruption")
    assert cut["cut"]["status"] == "cancelled"
    assert cut["cut"]["status_details"]["reason"] == "turn_detected"
    assert "input_audio_buffer.speech_started" in cut["types"][: cut["types"].index("response.done")]
    assert "response.output_audio.delta" in cut["after"], "the second reply is spoken"
    assert cut["answered"]["status"] == "completed"
    assert understood(cut["answered"]["output"][0]["content"][0]["transcript"].removeprefix("You asked "))


def test_a_reply_is_cancelled_at_the_clients_word(seen: Seen) -> None:
    cancelled = got(seen, "cancelled")
    assert cancelled["done"]["status"] == "cancelled"
    assert cancelled["done"]["status_details"]["reason"] == "client_cancelled"
    assert 0 < cancelled["end"] < 100_000, "clamped to the audio there was"


def test_without_turn_detection_the_client_says_when(seen: Seen) -> None:
    by_hand = got(seen, "by hand")
    assert understood(by_hand["heard"]) and by_hand["early"] == []
    assert by_hand["status"] == "completed"
    assert not [kind for kind in by_hand["types"] if ".speech_" in kind]


def test_a_transcription_session_only_listens(seen: Seen) -> None:
    transcription = got(seen, "transcription")
    assert transcription["session"] == "transcription" and understood(transcription["heard"])
    assert in_order(transcription["types"])[2:] == HEARD
    assert "conversation.item.input_audio_transcription.delta" in transcription["types"]


def test_a_response_beside_the_conversation_leaves_no_trace(seen: Seen) -> None:
    beside = got(seen, "beside")
    assert beside["said"] == "You asked Is it blue?"
    assert beside["metadata"] == {"topic": "colour"}
    assert beside["conversation"] is None and beside["items"] == []


def test_items_are_kept_found_and_deleted(seen: Seen) -> None:
    items = got(seen, "items")
    assert items["found"] == "Hello."
    assert items["error"]["code"] == "item_retrieve_invalid_item_id" and items["error"]["event_id"] == "mine_again"
    assert items["error"]["type"] == "invalid_request_error"


def test_an_ephemeral_key_opens_what_was_bound_to_it(seen: Seen) -> None:
    ephemeral = got(seen, "ephemeral")
    assert ephemeral["prefix"] == "ek_" and ephemeral["instructions"] == "Be brief."
    assert "144" in ephemeral["said"]


@pytest.mark.parametrize(("act", "status"), [("wrong key", 401), ("narrow key", 403)])
def test_who_may_not_is_not_let_in(seen: Seen, act: str, status: int) -> None:
    error = raised(seen, act)
    assert error["class"] in ("InvalidStatus", "WebSocketConnectionClosedError")
    assert str(status) in error["message"]


def test_it_works_with_threads(seen: Seen) -> None:
    assert got(seen, "with threads") == "You asked Where is the key?"


def test_nothing_is_left_behind(seen: Seen, thinking: Served) -> None:
    assert seen
    assert thinking.settles(thinking.jobs, 0) == 0
