"""``POST /v1/audio/speech`` on virtual time."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.unit.transports.openai.doors import Door
from vivavoce.contracts.errors import EngineFailed, Overloaded
from vivavoce.transports.aliases import SPEECH_MODELS, VOICES

SENTENCE = "The ferry leaves at half past seven and comes back at noon. "


def body(**changes: Any) -> dict[str, Any]:
    return {"model": "tts-1", "input": SENTENCE, "voice": "alloy", "response_format": "pcm", **changes}


async def test_the_whole_text_comes_as_24_khz_pcm() -> None:
    door = Door()
    async with door.client() as client:
        answer = await client.post("/v1/audio/speech", json=body())
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("audio/pcm")
    assert len(answer.content) / 48_000 == pytest.approx(len(SENTENCE) * door.tts.seconds_per_character, rel=0.05)


async def test_wav_streams_behind_a_header_of_unknown_length() -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/speech", json=body(response_format="wav"))
    assert answer.content[:4] == b"RIFF"
    assert answer.content[4:8] == b"\xff\xff\xff\xff"
    assert "content-length" not in answer.headers


@pytest.mark.parametrize("model", [*SPEECH_MODELS, "mouth"])
async def test_every_known_model_name_speaks(model: str) -> None:
    async with Door().client() as client:
        assert (await client.post("/v1/audio/speech", json=body(model=model))).status_code == 200


@pytest.mark.parametrize("voice", [*VOICES, "tone", "", {"id": "nova"}])
async def test_every_known_voice_speaks(voice: Any) -> None:
    async with Door().client() as client:
        assert (await client.post("/v1/audio/speech", json=body(voice=voice))).status_code == 200


async def test_one_of_their_voices_is_always_the_same_one_here() -> None:
    door = Door()
    async with door.client() as client:
        for _ in range(2):
            for voice in ("alloy", "onyx"):
                await client.post("/v1/audio/speech", json=body(voice=voice))
    chosen = [options.voice for options in door.tts.asked]
    assert chosen[:2] == chosen[2:]


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"input": "  "}, 400, "input"),
        ({"input": "🙂"}, 400, "input"),
        ({"model": "nobody"}, 404, "model"),
        ({"voice": "nobody"}, 400, "voice"),
        ({"speed": 9}, 400, "speed"),
        ({"response_format": "ogg-vorbis"}, 400, "response_format"),
        ({"input": 3}, 400, "input"),
    ],
)
async def test_what_is_wrong_is_named(changes: dict[str, Any], status: int, param: str) -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/speech", json=body(**changes))
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) >= {"message", "type", "param", "code"}
    assert error["param"] == param
    assert answer.headers["x-should-retry"] == "false"


async def test_a_field_nobody_knows_and_other_names_are_taken() -> None:
    async with Door().client() as client:
        answer = await client.post(
            "/v1/audio/speech", json={"model": "tts-1", "text": SENTENCE, "format": "pcm", "stream": True, "sample_rate": 1}
        )
    assert answer.status_code == 200


async def test_a_full_voice_says_when_to_come_back() -> None:
    door = Door()
    door.tts.fail, door.tts.fail_after = Overloaded("full", retry_after=3), 0.0
    async with door.client() as client:
        answer = await client.post("/v1/audio/speech", json=body())
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-should-retry"]) == (429, "3", "true")


async def test_an_error_before_the_first_audio_is_no_success() -> None:
    door = Door()
    door.tts.fail, door.tts.fail_after = EngineFailed("broken"), 0.0
    async with door.client() as client:
        answer = await client.post("/v1/audio/speech", json=body())
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "engine_failed"


async def test_an_error_in_the_middle_breaks_the_answer_off() -> None:
    door = Door()
    door.tts.fail, door.tts.fail_after = EngineFailed("broken"), 0.5
    visit = door.visit("/v1/audio/speech", body())
    assert (await visit.next())["status"] == 200
    await visit.task
    messages = []
    while visit._messages:
        messages.append(await visit.next())
    assert all(message["more_body"] for message in messages)
    door.door.close()


async def test_sse_carries_the_same_audio_and_ends_with_usage() -> None:
    door = Door()
    async with door.client() as client:
        plain = (await client.post("/v1/audio/speech", json=body())).content
        answer = await client.post("/v1/audio/speech", json=body(stream_format="sse"))
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert b"".join(base64.b64decode(e["audio"]) for e in events if e["type"] == "speech.audio.delta") == plain
    assert events[-1]["type"] == "speech.audio.done"
    usage = events[-1]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


async def test_sse_tells_an_error_in_the_middle() -> None:
    door = Door()
    door.tts.fail, door.tts.fail_after = EngineFailed("broken"), 0.5
    async with door.client() as client:
        answer = await client.post("/v1/audio/speech", json=body(stream_format="sse"))
    last = json.loads(answer.text.split("\n\n")[-2][6:])
    assert last["error"]["code"] == "engine_failed"


async def test_the_first_audio_does_not_wait_for_a_long_text() -> None:
    waits = []
    for text in (SENTENCE, SENTENCE * 500):
        door = Door()
        began = asyncio.get_running_loop().time()
        visit = door.visit("/v1/audio/speech", body(input=text))
        assert (await visit.next())["status"] == 200
        waits.append(asyncio.get_running_loop().time() - began)
        await visit.leave()
        door.door.close()
    assert waits[0] == pytest.approx(waits[1])


@pytest.mark.parametrize("pieces", [0, 3])
async def test_a_client_that_leaves_frees_the_voice(pieces: int) -> None:
    """Before the first audio as well as in the middle of it."""
    door = Door()
    door.tts.first_latency = 5.0 if not pieces else 0.06
    visit = door.visit("/v1/audio/speech", body(input=SENTENCE * 500))
    for _ in range(pieces):
        await visit.next()
    await asyncio.sleep(0.5)
    assert door.tts.tally.opened == 1
    assert door.tts.tally.live == 1
    await visit.leave()
    assert door.tts.tally.live == 0
    door.door.close()
