"""Replays the golden dialogues of the Realtime door; their format is described in README.md beside them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.wire.realtime.stage import Desk, Line

HERE = Path(__file__).parent
SCRIPTS = {
    path.stem: [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    for path in sorted(HERE.glob("*.jsonl"))
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_dialogue(name: str) -> None:
    head, *lines = SCRIPTS[name]
    assert head["dialogue"] == name
    desk = Desk(transcription=head.get("transcription", False))
    told = called = 0
    for number, line in enumerate(lines, start=2):
        place = f"{name}.jsonl line {number}"
        if "wait" in line:
            await asyncio.sleep(line["wait"])
        elif line.get("to") == "session":
            assert desk.conversation.calls[called : called + 1] == [line["call"]], place
            called += 1
        elif line["from"] == "server":
            assert desk.told[told : told + 1] == [line["json"]], place
            told += 1
        else:
            assert len(desk.told) == told, f"{place}: unexpected before it: {desk.told[told]}"
            _speak(desk, line)
            await asyncio.sleep(0.001)
    assert len(desk.told) == told, f"unexpected at the end: {desk.told[told]}"
    assert len(desk.conversation.calls) == called, f"unexpected: {desk.conversation.calls[called]}"
    desk.core.close()


def _speak(desk: Desk, line: Line) -> None:
    if line["from"] == "client":
        desk.client(line["json"])
    else:
        desk.session(line)


def test_the_dialogues_cover_what_clients_may_say() -> None:
    said = {line["json"]["type"] for lines in SCRIPTS.values() for line in lines if line.get("from") == "client"}
    known = {
        "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
        "conversation.item.create", "conversation.item.retrieve", "conversation.item.delete",
        "conversation.item.truncate", "response.create", "response.cancel", "output_audio_buffer.clear",
    }  # fmt: skip
    assert known <= said
