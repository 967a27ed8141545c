"""OpenAI's own Python library, three major versions of it, at a real server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.conftest import Guarded, Served, drive, got, raised
from tests.clients.sounds import LONG, MOST_WORD_ERRORS, SENTENCES, TEXT, decoded, recording, word_errors, words
from vivavoce.transports.aliases import SPEECH_MODELS, TRANSCRIPTION_MODELS

pytestmark = [pytest.mark.engine, pytest.mark.process]

VERSIONS = ("openai-1", "openai-2", "openai-3")
FORMATS = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
HEARD = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
SAID = ("What is twelve times twelve?", "Please open the window and close the door.")
READ = "what is twelve times twelve please open the window and close the door"
CHARACTERS = 1_000
"""What the fixture ``guarded`` lets a key say in a minute."""

Seen = dict[str, Any]


@pytest.fixture(scope="module", params=VERSIONS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(str(request.param))


@pytest.fixture(scope="module")
def seen(folder: Path, server: Served, thinking: Served, guarded: Guarded) -> Seen:
    """All that one version saw: it is run once."""
    version = next(name for name in VERSIONS if folder.name.startswith(name))
    plan = {
        "url": server.url,
        "thinking": thinking.url,
        "guarded": guarded.served.url,
        "folder": str(folder),
        "recording": str(recording(folder, *SAID)),
        "text": TEXT,
        "long": LONG,
        "sentences": SENTENCES,
        "question": "what is twelve times twelve",
        "forms": HEARD,
        "key": guarded.key(version),
        "narrow": guarded.key(f"{version} narrow", "listen"),
    }
    return drive(version, "openai_sdk.py", json.dumps(plan))


def test_it_is_the_version_it_should_be(folder: Path, seen: Seen) -> None:
    assert f"openai-{seen['version'].partition('.')[0]}" in folder.name


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_can_be_played_and_is_as_long_as_the_others(seen: Seen, folder: Path, form: str) -> None:
    assert got(seen, form)["type"].startswith(FORMATS[form])
    assert got(seen, "pcm")
    exact = decoded(folder / "speech.pcm", "pcm")
    assert 3 * 24_000 < exact.size < 8 * 24_000
    samples = decoded(folder / f"speech.{form}", form)
    assert abs(samples.size - exact.size) <= 4_800, "encoders pad by 2 050 samples; no two takes of this voice are alike"
    assert np.abs(samples.astype(np.int32)).max() > 3_000, "it can be heard"


def test_speech_comes_while_it_is_spoken_and_stops_with_its_reader(seen: Seen) -> None:
    streamed = got(seen, "streaming")
    assert streamed["bytes"] > 0
    assert streamed["at work"] == 1, "the first piece came before the last was made"
    assert streamed["idle behind"], "the voice is free again"


def test_a_voice_is_a_name_or_an_object(seen: Seen) -> None:
    assert got(seen, "voices")


def test_speech_as_events_is_the_same_speech(seen: Seen) -> None:
    events = got(seen, "events")
    assert set(events["types"][:-1]) == {"speech.audio.delta"} and events["types"][-1] == "speech.audio.done"
    assert events["usage"]["total_tokens"] == events["usage"]["input_tokens"] + events["usage"]["output_tokens"] > 0
    assert events["same"]


def test_a_transcription_comes_in_every_format(seen: Seen) -> None:
    assert got(seen, "heard as json")["text"] == READ
    assert got(seen, "heard as text").strip() == READ
    assert got(seen, "heard as srt").startswith("1\n00:00:0") and "what is twelve" in got(seen, "heard as srt")
    assert got(seen, "heard as vtt").startswith("WEBVTT\n") and "what is twelve" in got(seen, "heard as vtt")
    usage = got(seen, "heard as json").get("usage")
    assert usage is None or usage["type"] == "duration", "the oldest version has no such field"


def test_the_long_format_has_the_times(seen: Seen) -> None:
    verbose = got(seen, "heard as verbose_json")
    assert verbose["text"] == READ and verbose["language"] == "english"
    assert verbose["duration"] == pytest.approx(verbose["segments"][-1]["end"], abs=2.0)
    assert [segment["id"] for segment in verbose["segments"]] == list(range(len(verbose["segments"])))
    assert verbose["segments"][0]["text"] == "what is twelve times twelve"
    assert verbose.get("words") is None, "only for who asks"
    timed = got(seen, "heard words")
    assert [word["word"] for word in timed["words"]] == READ.split()
    edges = [edge for word in timed["words"] for edge in (word["start"], word["end"])]
    assert edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= timed["duration"]


def test_speakers_have_names(seen: Seen) -> None:
    diarized = got(seen, "heard as diarized_json")
    assert diarized["text"] == READ
    assert {segment["speaker"] for segment in diarized["segments"]} == {"A"}


def test_a_transcription_comes_in_pieces(seen: Seen) -> None:
    *deltas, done = got(seen, "heard in pieces")
    assert {delta["type"] for delta in deltas} == {"transcript.text.delta"} and len(deltas) == 2
    assert done["type"] == "transcript.text.done"
    assert "".join(delta["delta"] for delta in deltas) == done["text"] == READ


def test_who_cannot_translate_says_so(seen: Seen) -> None:
    error = raised(seen, "translation")
    assert error["class"] == "BadRequestError"
    assert "pocketsphinx does not translate" in error["message"] and "choose a model that does" in error["message"]


def test_models_are_listed_and_found(seen: Seen) -> None:
    models = got(seen, "models")
    assert set(models["ids"]) >= {*SPEECH_MODELS, *TRANSCRIPTION_MODELS, "flite", "pocketsphinx"}
    assert models["one"]["id"] == "tts-1" and models["one"]["object"] == "model"
    assert models["request"].startswith("req_")
    assert raised(seen, "unknown model")["class"] == "NotFoundError"


def test_the_language_model_answers(seen: Seen) -> None:
    whole, streamed = got(seen, "chat"), got(seen, "chat stream")
    assert "144" in whole["choices"][0]["message"]["content"]
    assert whole["choices"][0]["finish_reason"] == streamed["finish"] == "stop"
    assert whole["request"].startswith("req_")
    assert streamed["text"] == whole["choices"][0]["message"]["content"]
    assert streamed["chunks"] >= 3 and streamed["usage"]["total_tokens"] > 0


def test_a_tool_is_called_and_its_answer_is_used(seen: Seen) -> None:
    tool = got(seen, "tool")
    assert tool["reasons"] == ["tool_calls", "tool_calls"] and tool["ids"] == [True, True]
    for call in (tool["whole"], tool["streamed"]):
        assert (call["name"], json.loads(call["arguments"])) == ("weather", {"city": "Oslo"})
    assert tool["said"] == "The tool says it rains."


def test_what_it_says_it_understands(seen: Seen) -> None:
    texts = got(seen, "round trip")
    wrong = sum(word_errors(wanted, found) for wanted, found in zip(SENTENCES, texts, strict=True))
    assert wrong / len(words(" ".join(SENTENCES))) <= MOST_WORD_ERRORS, texts


@pytest.mark.parametrize(
    ("act", "kind", "code", "param"),
    [
        ("bad voice", "BadRequestError", "invalid_value", "voice"),
        ("bad speed", "BadRequestError", "invalid_value", "speed"),
        ("bad model", "NotFoundError", "model_not_found", "model"),
        ("unknown model", "NotFoundError", "model_not_found", "model"),
        ("no recording", "BadRequestError", "unsupported_audio", None),
        ("wrong key", "AuthenticationError", "invalid_api_key", None),
        ("narrow key", "PermissionDeniedError", "insufficient_scope", None),
    ],
)
def test_errors_are_of_their_classes(seen: Seen, act: str, kind: str, code: str, param: str | None) -> None:
    error = raised(seen, act)
    assert (error["class"], error["code"], error["param"]) == (kind, code, param)
    assert error["type"] == "invalid_request_error"
    assert error["request_id"].startswith("req_")
    assert len(error["message"]) > 20


def test_a_key_opens(seen: Seen) -> None:
    assert got(seen, "right key") > 0


def test_a_limit_is_told_and_waited_for(seen: Seen) -> None:
    limit = got(seen, "limit")
    assert limit["surfaced"]["class"] == "RateLimitError" and limit["surfaced"]["type"] == "rate_limit_error"
    assert str(CHARACTERS) in limit["surfaced"]["message"].replace(" ", "").replace(",", "")
    told = float(limit["surfaced"]["retry-after"])
    assert 1 <= told <= 60
    assert limit["waits"] == [pytest.approx(told, abs=2)], "the library waits as long as it is told"


def test_many_at_a_time(seen: Seen) -> None:
    asynchronous = got(seen, "asynchronous")
    assert len(asynchronous["sizes"]) == 8 and len(set(asynchronous["sizes"])) == 1
    assert asynchronous["text"] == READ


def test_nothing_is_left_behind(seen: Seen, server: Served, guarded: Guarded) -> None:
    assert seen
    assert server.settles(server.jobs, 0) == 0
