"""OpenAI's JavaScript library at a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clients.conftest import Guarded, Served, drive_node, got, raised
from tests.clients.sounds import LONG, TEXT, decoded, question_at_24_khz, recording, understood
from tests.clients.test_openai import FORMATS, HEARD, READ, SAID
from tests.clients.test_realtime import ANSWERED, in_order
from tests.clients.test_realtime import HEARD as HEARD_TURN
from tests.conftest import require

pytestmark = [pytest.mark.engine, pytest.mark.process]

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("script")


@pytest.fixture(scope="module")
def seen(folder: Path, server: Served, guarded: Guarded) -> Seen:
    plan = {
        "url": server.url,
        "guarded": guarded.served.url,
        "key": guarded.key("javascript"),
        "folder": str(folder),
        "recording": str(recording(folder, *SAID)),
        "text": TEXT,
        "long": LONG,
        "question": "what is twelve times twelve",
        "forms": HEARD,
    }
    return drive_node("openai_javascript.mjs", json.dumps(plan))


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_can_be_played(seen: Seen, folder: Path, form: str) -> None:
    assert got(seen, form)["type"].startswith(FORMATS[form])
    samples = decoded(folder / f"script.{form}", form)
    assert abs(samples.size - decoded(folder / "script.pcm", "pcm").size) <= 4_800


def test_speech_comes_while_it_is_spoken_and_stops_with_its_reader(seen: Seen) -> None:
    streamed = got(seen, "streaming")
    assert streamed["bytes"] > 0 and streamed["at work"] == 1 and streamed["idle behind"]


def test_a_voice_may_be_an_object(seen: Seen) -> None:
    assert got(seen, "as object") > 48_000


def test_a_transcription_comes_in_every_format(seen: Seen) -> None:
    assert got(seen, "heard as json")["text"] == READ
    assert got(seen, "heard as text").strip() == READ
    assert got(seen, "heard as srt").startswith("1\n00:00:0")
    assert got(seen, "heard as vtt").startswith("WEBVTT\n")
    assert got(seen, "heard as verbose_json")["segments"][0]["text"] == "what is twelve times twelve"
    assert got(seen, "heard as diarized_json")["segments"][0]["speaker"] == "A"
    assert [word["word"] for word in got(seen, "heard words")["words"]] == READ.split()


def test_a_transcription_comes_in_pieces(seen: Seen) -> None:
    *deltas, done = got(seen, "heard in pieces")
    assert len(deltas) == 2 and "".join(delta["delta"] for delta in deltas) == done["text"] == READ


def test_models_and_answers(seen: Seen) -> None:
    assert {"tts-1", "whisper-1", "flite", "pocketsphinx"} <= set(got(seen, "models"))
    assert "144" in got(seen, "chat")["text"] and got(seen, "chat stream") == got(seen, "chat")["text"]
    assert got(seen, "chat")["request"].startswith("req_")


@pytest.mark.parametrize(
    ("act", "kind", "status", "code"),
    [
        ("bad voice", "BadRequestError", 400, "invalid_value"),
        ("translation", "BadRequestError", 400, "invalid_value"),
        ("no recording", "BadRequestError", 400, "unsupported_audio"),
        ("unknown model", "NotFoundError", 404, "model_not_found"),
        ("wrong key", "AuthenticationError", 401, "invalid_api_key"),
    ],
)
def test_errors_are_of_their_classes(seen: Seen, act: str, kind: str, status: int, code: str) -> None:
    error = raised(seen, act)
    assert (error["class"], error["status"], error["code"]) == (kind, status, code)
    assert error["requestID"].startswith("req_")


def test_a_limit_is_told_and_waited_for(seen: Seen) -> None:
    limit = got(seen, "limit")
    assert (limit["surfaced"]["class"], limit["surfaced"]["status"]) == ("RateLimitError", 429)
    assert 1 <= float(limit["surfaced"]["after"]) <= 60
    assert limit["again"]["status"] == 429 and len(limit["told"]) == 2
    assert limit["waits"] == limit["told"][:1], "the library waits as long as it is told"


@pytest.fixture(scope="module")
def talked(folder: Path, thinking: Served, guarded: Guarded) -> Seen:
    """What the Realtime half of the library saw, over TLS."""
    require(shutil.which("openssl"), "openssl is not installed (Debian: apt-get install openssl)")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    plan = {
        "url": thinking.url,
        "guarded": guarded.served.url,
        "folder": str(folder),
        "recording": str(question_at_24_khz(folder)),
        "key_file": str(key),
        "certificate": str(certificate),
        "key": guarded.key("script"),
    }
    return drive_node("openai_realtime.mjs", json.dumps(plan), NODE_EXTRA_CA_CERTS=str(certificate))


def test_text_is_answered_in_text(talked: Seen) -> None:
    assert got(talked, "text") == {"said": "You asked Where is the key?"}


def test_a_spoken_turn_is_told_in_order_and_answered_aloud(talked: Seen, folder: Path) -> None:
    turn = got(talked, "turn")
    assert understood(turn["heard"]) and turn["said"] == f"You asked {turn['heard']}"
    assert in_order(turn["types"]) == ["session.created", "session.updated", *HEARD_TURN, *ANSWERED]
    samples = decoded(folder / "script-turn.pcm", "pcm")
    assert 1.0 * 24_000 < samples.size < 5.0 * 24_000 and np.abs(samples.astype(np.int32)).max() > 3_000


def test_a_tool_is_called_and_its_answer_is_used(talked: Seen) -> None:
    wanted = {"name": "weather", "arguments": {"city": "Oslo"}, "said": "The tool says it rains."}
    assert got(talked, "tool") == wanted


def test_words_over_a_reply_cut_it(talked: Seen) -> None:
    assert got(talked, "interruption") == {"status": "cancelled", "reason": "turn_detected"}


def test_a_mistake_is_told_and_the_session_lives_on(talked: Seen) -> None:
    mistake = got(talked, "mistake")
    assert (mistake["error"]["code"], mistake["error"]["event_id"]) == ("item_delete_invalid_item_id", "mine")
    assert mistake["said"] == "You asked Where is the key?"


def test_an_ephemeral_key_opens_and_a_wrong_one_does_not(talked: Seen) -> None:
    assert got(talked, "ephemeral") == {"instructions": "Be brief."}
    assert "401" in raised(talked, "wrong key")["message"]


def test_nothing_is_left_behind(seen: Seen, talked: Seen, server: Served, thinking: Served) -> None:
    assert seen and talked
    assert server.settles(server.jobs, 0) == thinking.settles(thinking.jobs, 0) == 0
