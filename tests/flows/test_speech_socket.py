"""The speech socket from end to end: several of them, backpressure both ways, keys, limits, the end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.unit.transports.entrances import entrance
from tests.unit.transports.openai.doors import Door
from tests.wire.speech.test_dialogues import connected, socket_of
from tests.wire.stage import Client, quick
from vivavoce.contracts.access import SCOPES, Principal
from vivavoce.contracts.errors import EngineFailed
from vivavoce.sessions.speech_sessions import SpeechSessionOptions
from vivavoce.transports.openai.options import OpenAIOptions
from vivavoce.transports.options import RateOptions, ServerOptions

SENTENCE = "The ferry leaves at half past seven. "
KEYS = {f"key-{scope}": Principal(f"key:{scope}", frozenset({scope})) for scope in SCOPES}


class Speaker:
    """What one client says and hears."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.heard = 0
        self.progress: list[dict[str, Any]] = []

    async def start(self, **fields: Any) -> dict[str, Any]:
        assert (await self.client.hears())["type"] == "websocket.accept"
        self.say("start", **{"format": "pcm", **fields})
        return await self.until("started")

    def say(self, kind: str, **fields: Any) -> None:
        self.client.says({"type": kind, **fields})

    async def until(self, kind: str, seconds: float = 600.0) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                found = await self._next(seconds)
                if found.get("type") == kind:
                    return found

    async def _next(self, seconds: float) -> dict[str, Any]:
        message = await self.client.hears(seconds)
        if message["type"] == "websocket.close":
            return {"type": "close", "code": message["code"]}
        if message["type"] == "websocket.accept":
            return {}
        if "bytes" in message:
            self.heard += len(message["bytes"])
            return {}
        found: dict[str, Any] = json.loads(message["text"])
        if found["type"] == "progress":
            self.progress.append(found)
        return found


async def test_several_sockets_are_several_sessions() -> None:
    door = Door()
    socket = socket_of(door)
    async with connected(socket) as one, connected(socket) as two:
        first, second = Speaker(one), Speaker(two)
        ids = {(await speaker.start())["id"] for speaker in (first, second)}
        assert len(ids) == 2
        assert len(door.door.speech_sessions) == 2
        for speaker, text in ((first, "One. "), (second, "Another voice speaks of something else. ")):
            speaker.say("text", text=text)
            speaker.say("end")
        assert (await second.until("done"))["characters"] == 40
        assert (await first.until("done"))["characters"] == 5
        assert second.heard > 5 * first.heard > 0
    door.door.close()


async def test_the_routes_beside_it_see_the_same_session() -> None:
    door = Door()
    async with door.client() as client, connected(socket_of(door)) as own:
        speaker = Speaker(own)
        path = f"/v1/speech/sessions/{(await speaker.start())['id']}"
        assert (await client.get(path)).json()["listening"]
        assert (await client.get(f"{path}/audio")).status_code == 409
        assert (await client.post(f"{path}/text", json={"text": "From elsewhere.", "flush": True})).status_code == 202
        assert (await client.delete(path)).status_code == 204
        assert (await speaker.until("done"))["reason"] == "cancelled"


async def test_a_client_that_does_not_read_stops_the_voice_and_then_its_own_text() -> None:
    """Two full ``max_waiting`` and a message are all that is ever held of it."""
    options = SpeechSessionOptions(max_waiting=1_000, max_text=1_000_000)
    door = Door(OpenAIOptions(sessions=options))
    door.tts.rtf = 0.0
    async with connected(socket_of(door, ServerOptions(unread_timeout=1_000))) as client:
        speaker = Speaker(client)
        await speaker.start()
        client.blocked.clear()
        for _ in range(200):
            speaker.say("text", text=SENTENCE)
        await asyncio.sleep(100)
        unread = client._to_server.qsize()
        assert unread > 100
        assert len(door.tts.texts[0]) < 1_500, "the voice waits with it"
        client.blocked.set()
        speaker.say("end")
        done = await speaker.until("done", 10_000)
        assert done["reason"] == "complete"
        assert done["characters"] == 200 * len(SENTENCE)
        assert speaker.heard / 48_000 == pytest.approx(200 * len(SENTENCE.strip()) * 0.06, rel=0.01)
        assert max(entry["waiting"] for entry in speaker.progress) <= 2 * options.max_waiting + len(SENTENCE)
    door.door.close()


async def test_a_slow_voice_takes_any_text_and_says_how_far_it_is() -> None:
    door = Door(OpenAIOptions(sessions=SpeechSessionOptions(max_waiting=500, patience=1.0)))
    door.tts.rtf = 2.0
    async with connected(socket_of(door)) as client:
        speaker = Speaker(client)
        await speaker.start()
        speaker.say("text", text=SENTENCE * 40)
        speaker.say("end")
        done = await speaker.until("done", 3_000)
        assert (done["reason"], done["characters"]) == ("complete", 40 * len(SENTENCE))
        waiting = [entry["waiting"] for entry in speaker.progress]
        assert max(waiting) > 500
        assert waiting[-1] == 0
    door.door.close()


async def test_a_cancellation_overtakes_text_that_waits_for_the_voice() -> None:
    door = Door(OpenAIOptions(sessions=SpeechSessionOptions(max_waiting=1_000)))
    door.tts.rtf = 1.0
    async with connected(socket_of(door)) as client:
        speaker = Speaker(client)
        await speaker.start()
        speaker.say("text", text=SENTENCE * 40)
        await asyncio.sleep(1)
        speaker.say("cancel")
        assert (await speaker.until("done", 0.1))["reason"] == "cancelled"
        assert door.tts.tally.live == 0
    door.door.close()


async def test_a_client_that_takes_nothing_for_too_long_is_let_go() -> None:
    door = Door()
    socket = socket_of(door, ServerOptions(unread_timeout=5))
    async with connected(socket) as client:
        speaker = Speaker(client)
        await speaker.start()
        client.blocked.clear()
        speaker.say("text", text=SENTENCE)
        await asyncio.sleep(10)
        assert socket.connections == 0
        assert len(door.door.speech_sessions) == 0
        assert door.tts.tally.live == 0
    door.door.close()


async def test_a_client_that_vanishes_takes_its_session_along() -> None:
    door = Door()
    async with connected(socket_of(door)) as client:
        speaker = Speaker(client)
        await speaker.start()
        speaker.say("text", text=SENTENCE * 100)
    assert len(door.door.speech_sessions) == 0
    assert door.tts.tally.live == 0
    door.door.close()


async def test_a_voice_that_fails_is_told_and_is_no_end() -> None:
    door = Door()
    door.tts.fail, door.tts.fail_after = EngineFailed("the voice choked"), 0.5
    async with connected(socket_of(door)) as client:
        speaker = Speaker(client)
        await speaker.start()
        speaker.say("text", text=SENTENCE)
        speaker.say("end")
        error = (await speaker.until("error"))["error"]
        assert (error["code"], error["type"]) == ("engine_failed", "server_error")
        assert (await speaker.until("close"))["code"] == 1011
        assert speaker.heard > 0
    door.door.close()


async def test_a_full_server_refuses_a_session_and_says_when_to_come_back() -> None:
    door = Door(OpenAIOptions(sessions=SpeechSessionOptions(max_sessions=1)))
    socket = socket_of(door)
    async with connected(socket) as one, connected(socket) as two:
        await Speaker(one).start()
        late = Speaker(two)
        await late.client.hears()
        late.say("start")
        assert (await late.until("error"))["error"]["retry_after"] == 5
        assert (await late.until("close"))["code"] == 1013
    door.door.close()


@pytest.mark.parametrize(
    ("key", "status"), [("", 401), ("wrong", 401), ("key-listen", 403), ("key-speak", 0), ("key-converse", 0)]
)
async def test_who_may_not_speak_is_refused_before_the_upgrade(key: str, status: int) -> None:
    door = Door()
    headers = ((b"authorization", f"Bearer {key}".encode()),) if key else ()
    async with connected(socket_of(door, guarding=entrance(KEYS)), headers) as client:
        answer = await client.hears()
        assert answer["type"] == ("websocket.http.response.start" if status else "websocket.accept")
        assert answer.get("status", 0) == status
    door.door.close()


async def test_a_foreign_page_and_a_full_house_are_refused_before_the_upgrade() -> None:
    door = Door()
    socket = socket_of(door, quick(max_connections=1))
    async with connected(socket, ((b"origin", b"https://evil.example"),)) as client:
        assert (await client.hears())["status"] == 403
    async with connected(socket) as one:
        assert (await one.hears())["type"] == "websocket.accept"
        scope_refused = Client()
        scope_refused._to_server.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "headers": [(b"host", b"127.0.0.1")], "extensions": {"websocket.http.response": {}}}
        await socket(scope, scope_refused.receive, scope_refused.send)
        assert (await scope_refused.hears())["status"] == 503
    door.door.close()


async def test_a_one_time_token_opens_one_socket() -> None:
    door, guarding = Door(), entrance(KEYS)
    token = await guarding.access.one_time_token(KEYS["key-speak"])
    for expected in ("websocket.accept", "websocket.http.response.start"):
        async with connected(socket_of(door, guarding=guarding), query=f"token={token}") as client:
            assert (await client.hears())["type"] == expected
    door.door.close()


async def test_characters_are_taken_from_the_budget_over_socket_and_routes() -> None:
    guarding = entrance(rates=RateOptions(characters_per_minute=100))
    door = Door(rates=guarding.rates)
    async with door.client() as http, connected(socket_of(door, guarding=guarding)) as client:
        speaker = Speaker(client)
        path = f"/v1/speech/sessions/{(await speaker.start())['id']}"
        speaker.say("text", text=SENTENCE * 2)
        speaker.say("text", text=SENTENCE)
        error = (await speaker.until("error"))["error"]
        assert (error["code"], error["retryable"]) == ("rate_limit_exceeded", True)
        assert error["retry_after"] >= 1
        speaker.say("end")
        assert (await speaker.until("done"))["characters"] == 2 * len(SENTENCE), "the session lives on"
        path = "/v1/speech/sessions/" + (await http.post("/v1/speech/sessions", json={})).json()["id"]
        codes = [(await http.post(f"{path}/text", json={"text": SENTENCE * 2})).status_code for _ in range(2)]
        assert codes == [202, 429]


async def test_a_client_that_never_starts_and_one_that_talks_nonsense_are_sent_away() -> None:
    door = Door()
    async with connected(socket_of(door, quick(first_message=3.0))) as client:
        speaker = Speaker(client)
        assert (await speaker.until("error", 10))["error"]["code"] == "idle_timeout"
        assert (await speaker.until("close"))["code"] == 1008
    async with connected(socket_of(door, quick(bad_messages=3))) as client:
        speaker = Speaker(client)
        for _ in range(5):
            client.says("nonsense")
        assert (await speaker.until("close"))["code"] == 1008
    door.door.close()


async def test_a_server_that_stops_lets_what_has_begun_be_said() -> None:
    door = Door()
    socket = socket_of(door)
    async with connected(socket) as one, connected(socket) as two:
        speaking, silent = Speaker(one), Speaker(two)
        await speaking.start()
        speaking.say("text", text=SENTENCE)
        speaking.say("end")
        await silent.client.hears()
        draining = asyncio.get_running_loop().create_task(socket.drain(60))
        assert (await silent.until("close"))["code"] == 1001
        assert (await speaking.until("done"))["reason"] == "complete"
        await draining
        assert socket.connections == 0
    door.door.close()


async def test_a_voice_that_cannot_be_opened_is_told_with_its_reason() -> None:
    door = Door()
    async with connected(socket_of(door)) as client:
        speaker = Speaker(client)
        await speaker.client.hears()
        for wrong, param in (
            ({"model": "nothing-here"}, "model"),
            ({"voice": "nobody"}, "voice"),
            ({"format": "mid"}, "format"),
        ):
            speaker.say("start", **wrong)
            error = (await speaker.until("error"))["error"]
            assert (error["type"], error["param"]) == ("invalid_request_error", param)
        speaker.say("start", format="pcm")
        await speaker.until("started")
    door.door.close()
