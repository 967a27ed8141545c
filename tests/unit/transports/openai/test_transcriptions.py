"""``POST /v1/audio/transcriptions`` and translations."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from typing import Any

import pytest

from tests.laws.laws import silence, tone
from tests.unit.transports.openai.doors import Door
from vivavoce.audio.codecs import wav
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import EngineFailed
from vivavoce.transports.openai.options import OpenAIOptions
from vivavoce.transports.options import RateOptions
from vivavoce.transports.rates import Rates

pytestmark = pytest.mark.real_time  # decoding runs in threads

PCM = silence(0.3) + tone(1.0) + silence(1.0) + tone(0.8) + silence(0.5)
RECORDING = wav.write(PCM, HEARING)


def form(**fields: Any) -> dict[str, Any]:
    return {"files": {"file": ("speech.bin", RECORDING)}, "data": {"model": "whisper-1", **fields}}


async def test_json_is_the_default() -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/transcriptions", **form())
    assert answer.json() == {"text": "hello there how are you", "usage": {"type": "duration", "seconds": 4}}


async def test_text_srt_and_vtt_are_plain() -> None:
    async with Door().client() as client:
        text = await client.post("/v1/audio/transcriptions", **form(response_format="text"))
        srt = await client.post("/v1/audio/transcriptions", **form(response_format="srt"))
        vtt = await client.post("/v1/audio/transcriptions", **form(response_format="vtt"))
    assert (text.text, text.headers["content-type"]) == ("hello there how are you\n", "text/plain; charset=utf-8")
    assert srt.text.startswith("1\n00:00:00,")
    assert "hello there" in srt.text
    assert vtt.text.startswith("WEBVTT\n\n00:00:00.")


async def test_verbose_json_has_segments_at_their_place_and_words_if_asked() -> None:
    door = Door()
    door.stt.word_times = True
    async with door.client() as client:
        plain = (await client.post("/v1/audio/transcriptions", **form(response_format="verbose_json"))).json()
        both = (
            await client.post(
                "/v1/audio/transcriptions",
                **form(response_format="verbose_json", **{"timestamp_granularities[]": ["word", "segment"]}),
            )
        ).json()
    assert (plain["task"], plain["language"], plain["duration"]) == ("transcribe", "english", 3.6)
    first, second = plain["segments"]
    assert 0.0 <= first["start"] < 0.35 < 1.2 < first["end"] <= second["start"] + 0.7
    assert first["text"] == "hello there"
    assert isinstance(first["id"], int)
    assert isinstance(first["seek"], int)
    assert "words" not in plain
    words = both["words"]
    assert [word["word"] for word in words] == ["hello", "there", "how", "are", "you"]
    assert all(a["end"] <= b["start"] + 0.01 for a, b in itertools.pairwise(words))
    assert first["start"] <= words[0]["start"] < words[1]["end"] <= first["end"] + 0.01
    assert second["start"] <= words[2]["start"]


async def test_times_of_words_that_nobody_told_are_refused_and_not_left_out() -> None:
    asked = {"timestamp_granularities[]": ["word"]}
    async with Door().client() as client:
        answer = await client.post("/v1/audio/transcriptions", **form(response_format="verbose_json", **asked))
        error = answer.json()["error"]
        assert (answer.status_code, error["param"], error["code"]) == (400, "timestamp_granularities", "unsupported_value")
        assert "2 of 2" in error["message"] and "segment" in error["message"]
        plain = await client.post("/v1/audio/transcriptions", **form(response_format="json", **asked))
        assert plain.json()["text"] == "hello there how are you", "other formats have no place for them"
        quiet = {"files": {"file": wav.write(silence(2.0), HEARING)}}
        data = {"model": "whisper-1", "response_format": "verbose_json", **asked}
        assert (await client.post("/v1/audio/transcriptions", **quiet, data=data)).json()["words"] == []


async def test_diarized_json_has_one_speaker() -> None:
    async with Door().client() as client:
        body = (await client.post("/v1/audio/transcriptions", **form(response_format="diarized_json"))).json()
    assert {segment["speaker"] for segment in body["segments"]} == {"A"}
    assert body["segments"][0]["id"] == "seg_001"


async def test_a_stream_tells_each_stretch_and_then_all() -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/transcriptions", **form(stream="true"))
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
    assert [event["type"] for event in events] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert "".join(event["delta"] for event in events[:2]) == events[-1]["text"] == "hello there how are you"


async def test_a_diarized_stream_says_when_each_stretch_was_spoken() -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/transcriptions", **form(stream="true", response_format="diarized_json"))
        whole = (await client.post("/v1/audio/transcriptions", **form(response_format="diarized_json"))).json()
    events = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line]
    kinds = [event["type"] for event in events]
    assert kinds == ["transcript.text.delta", "transcript.text.segment"] * 2 + ["transcript.text.done"]
    assert events[1:4:2] == whole["segments"]


async def test_json_bodies_with_base64_are_taken() -> None:
    data = {
        "model": "ears",
        "language": "en",
        "input_audio": {"data": base64.b64encode(RECORDING).decode(), "format": "wav"},
    }
    async with Door().client() as client:
        answer = await client.post("/v1/audio/transcriptions", json=data)
    assert answer.json()["text"] == "hello there how are you"


@pytest.mark.parametrize(("given", "asked"), [("auto", "en"), ("", "en"), ("de", "de"), ("EN", "en")])
async def test_language(given: str, asked: str) -> None:
    door = Door()
    async with door.client() as client:
        await client.post("/v1/audio/transcriptions", **form(language=given))
    assert {options.language for options in door.stt.asked} == {asked}


async def test_keywords_in_brackets_or_not_are_vocabulary() -> None:
    door = Door()
    async with door.client() as client:
        await client.post("/v1/audio/transcriptions", **form(**{"keywords[]": ["Vivavoce", "barge-in"]}))
        await client.post("/v1/audio/transcriptions", **form(keywords="Vivavoce, barge-in"))
    assert {options.vocabulary for options in door.stt.asked} == {("Vivavoce", "barge-in")}


async def test_silence_is_an_empty_text_in_every_format() -> None:
    quiet = wav.write(silence(2.0), HEARING)
    async with Door().client() as client:
        for form_, text in (("json", '"text": ""'), ("text", "\n"), ("srt", "\n"), ("vtt", "WEBVTT\n")):
            answer = await client.post(
                "/v1/audio/transcriptions", files={"file": quiet}, data={"model": "whisper-1", "response_format": form_}
            )
            assert answer.status_code == 200
            assert text in answer.text


@pytest.mark.parametrize(
    ("request_", "status", "param"),
    [
        ({"files": {"file": b"RIFFnonsense"}, "data": {"model": "whisper-1"}}, 400, None),
        ({"files": {"file": b""}, "data": {"model": "whisper-1"}}, 400, "file"),
        ({"data": {"model": "whisper-1"}, "files": {"sound": RECORDING}}, 400, "file"),
        ({"files": {"file": RECORDING}, "data": {"model": "nobody"}}, 404, "model"),
        ({"files": {"file": RECORDING}, "data": {"model": "whisper-1", "response_format": "docx"}}, 400, "response_format"),
        (
            {"files": {"file": RECORDING}, "data": {"model": "whisper-1", "timestamp_granularities[]": "vowel"}},
            400,
            "timestamp_granularities",
        ),
        ({"content": b"plain"}, 400, "file"),
        ({"json": {"model": "whisper-1"}}, 400, "input_audio"),
        ({"json": {"input_audio": {"data": "@@@"}}}, 400, "input_audio.data"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "body"),
    ],
)
async def test_what_is_wrong_is_named(request_: dict[str, Any], status: int, param: str | None) -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/transcriptions", **request_)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param), error


async def test_uploads_are_bounded_whether_declared_or_not() -> None:
    door = Door(OpenAIOptions(max_upload=2_000))

    async def endless() -> Any:
        yield b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(10_000):
            yield b"y" * 65_536

    async with door.client() as client:
        declared = await client.post("/v1/audio/transcriptions", files={"file": bytes(3_000_000)}, data={"model": "ears"})
        small = await client.post("/v1/audio/transcriptions", files={"file": bytes(2_001)}, data={"model": "ears"})
        undeclared = await client.post(
            "/v1/audio/transcriptions", content=endless(), headers={"content-type": "multipart/form-data; boundary=x"}
        )
    assert [answer.status_code for answer in (declared, small, undeclared)] == [413, 413, 413]
    assert {answer.json()["error"]["code"] for answer in (declared, small, undeclared)} == {"too_large"}


async def test_an_engine_that_does_not_translate_says_so() -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/translations", **form())
    assert answer.status_code == 400
    assert "translate" in answer.json()["error"]["message"]


async def test_a_failing_engine_is_no_success() -> None:
    door = Door()
    door.stt.fail = EngineFailed("broken")
    async with door.client() as client:
        whole = await client.post("/v1/audio/transcriptions", **form())
        stream = await client.post("/v1/audio/transcriptions", **form(stream="true"))
    assert (whole.status_code, stream.status_code) == (500, 500)


async def test_a_client_that_leaves_frees_the_recogniser() -> None:
    door = Door()
    door.stt.final_latency = 30.0
    data = {"model": "ears", "input_audio": {"data": base64.b64encode(RECORDING).decode()}}
    visit = door.visit("/v1/audio/transcriptions", data)
    async with asyncio.timeout(20):
        while not door.stt.tally.live:  # noqa: ASYNC110 - the scripted recogniser has nothing to wait for
            await asyncio.sleep(0.01)
    await visit.leave()
    assert door.stt.tally.live == 0
    door.door.close()


async def test_seconds_and_bytes_of_recordings_have_budgets() -> None:
    for options in (RateOptions(audio_seconds_per_minute=6), RateOptions(upload_mb_per_minute=1)):
        door = Door(rates=Rates(options))
        size = 1 if options.audio_seconds_per_minute else 5
        recording = wav.write(PCM * size, HEARING)
        async with door.client() as client:
            body = {"files": {"file": recording}, "data": {"model": "ears"}}
            answers = [await client.post("/v1/audio/transcriptions", **body) for _ in range(2)]  # type: ignore[arg-type]
        assert [answer.status_code for answer in answers] == [200, 429]


@pytest.mark.parametrize("data", ["é", "AAA", "A*==", "\U00012c20"])
async def test_what_is_no_base64_is_named(data: str) -> None:
    async with Door().client() as client:
        answer = await client.post("/v1/audio/transcriptions", json={"model": "whisper-1", "input_audio": {"data": data}})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input_audio.data"


async def test_a_sender_who_leaves_in_the_middle_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    visit = Door().visit("/v1/audio/transcriptions")
    visit._scope["headers"] = [(b"host", b"127.0.0.1"), (b"content-type", b"multipart/form-data; boundary=b")]
    visit._body = None
    await visit.leave()
    assert visit.task.exception() is None
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
