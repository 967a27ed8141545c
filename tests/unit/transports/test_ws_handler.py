"""One connection from end to end, on virtual time, with a scripted session behind it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.unit.transports.entrances import entrance
from tests.wire.stage import STAMP, ScriptedSessions, connected, quick
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.errors import Overloaded, UnknownName
from vivavoce.contracts.events import (
    ReplyInterrupted,
    ReplyPaused,
    ReplyStarted,
    ReplyText,
    ResponseCompleted,
    SessionEvent,
    Waterfall,
)
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.options import ConversationOptions, ReplyOptions, SessionOptions
from vivavoce.transports.options import ServerOptions
from vivavoce.transports.ws.handler import WebSocketDoor
from vivavoce.transports.ws.protocol import decode_audio

FRAME = bytes(640)


async def test_audio_alone_opens_a_session_with_defaults() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says(FRAME)
        ready = await client.json()
        assert ready["type"] == "ready"
        assert ready["audio"]["input"]["rate"] == 16_000
        assert ready["audio"]["output"] == {
            "rate": 24_000, "frame_ms": 20, "header_bytes": 16, "encoding": "pcm_s16le", "channels": 1,
        }  # fmt: skip
        assert sessions.conversations[0].calls == [("start",), ("hear", 640)]
    assert sessions.conversations[0].closed == 1
    assert len(sessions) == 0


async def test_hello_decides_formats_and_settings() -> None:
    sessions = ScriptedSessions()
    hello = {
        "type": "hello", "audio": {"input_rate": 48_000, "output_rate": 8_000, "frame_ms": 40}, "language": "es-MX",
        "voice": "lucia", "provider": {"stt": "spare"}, "mode": "manual", "hint": "digits", "instructions": "Be brief.",
        "eagerness": 0.9, "silence_ms": 700, "acknowledge": True,
    }  # fmt: skip
    async with connected(sessions) as client:
        client.says(hello)
        ready = await client.json("ready")
        conversation = sessions.conversations[0]
        client.says(bytes(1920))
        client.says({"type": "ping"})
        await client.json("pong")
        options = conversation.options
        assert (options.language, options.voice, options.mode, options.hint) == ("es", "lucia", "manual", "digits")
        assert (options.instructions, options.endpointing.eagerness) == ("Be brief.", 0.9)
        assert options.endpointing.fixed_silence == 0.7
        assert options.reply.frame == 0.04
        assert conversation.sink.format.rate == 8_000
        assert ("set_provider", "stt", "spare") in conversation.calls
        heard = conversation.calls[-1]
        assert heard[0] == "hear"
        assert 500 < heard[1] <= 640
        assert [voice["id"] for voice in ready["voices"]] == ["lucia"]
        assert ready["settings"]["stt"] == "spare"


async def test_a_client_cannot_ask_for_more_speculation_than_the_server_pays_for() -> None:
    for server, wish, result in (("off", "always", "off"), ("always", "local", "local"), ("local", "always", "local")):
        options = SessionOptions(conversation=ConversationOptions(reply=ReplyOptions(speculation=server)))  # type: ignore[arg-type]
        sessions = ScriptedSessions(options)
        async with connected(sessions) as client:
            client.says({"type": "hello", "speculation": wish})
            assert (await client.json("ready"))["settings"]["speculation"] == result
            assert sessions.conversations[0].options.reply.speculation == result


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"language": "fr"}, "unknown_language"),
        ({"voice": "nobody"}, "unknown_voice"),
        ({"provider": {"llm": "nobody"}}, "unknown_provider"),
    ],
)
async def test_an_unknown_wish_is_refused_and_another_hello_may_follow(hello: dict[str, Any], code: str) -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "hello", **hello})
        error = await client.json()
        assert (error["type"], error["code"], error["retryable"]) == ("error", code, False)
        assert "there is" in error["message"]
        assert not sessions.conversations
        client.says({"type": "hello"})
        await client.json("ready")


async def test_a_second_hello_is_an_error_and_the_session_lives_on() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "hello"})
        await client.json("ready")
        client.says({"type": "hello"})
        assert (await client.json())["code"] == "protocol_violation"
        client.says({"type": "commit"})
        client.says({"type": "ping", "id": 7})
        assert (await client.json("pong"))["id"] == 7
        assert len(sessions.conversations) == 1
        assert sessions.conversations[0].calls[-1] == ("commit",)


async def test_every_control_message_reaches_the_session() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        for message in (
            {"type": "text", "text": "  hi  "}, {"type": "commit"}, {"type": "interrupt"},
            {"type": "played", "generation": 3, "samples": 480}, {"type": "setLanguage", "language": "es"},
            {"type": "setProvider", "kind": "stt", "name": "spare"}, {"type": "setProvider", "provider": "mind"},
            {"type": "setVoice", "voice": "anna"}, {"type": "setMode", "mode": "manual"}, {"type": "reset"},
        ):  # fmt: skip
            client.says(message)
        client.says({"type": "ping"})
        await client.json("pong")
        assert sessions.conversations[0].calls[1:] == [
            ("type", "hi"), ("commit",), ("interrupt",), ("played", 3, 480), ("set_language", "es"),
            ("set_provider", "stt", "spare"), ("set_provider", "llm", "mind"), ("set_voice", "anna"),
            ("set_mode", "manual"), ("reset",),
        ]  # fmt: skip


async def test_errors_of_the_session_are_told_and_it_lives_on() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "setVoice", "voice": "nobody"})
        await client.json("ready")
        assert (await client.json())["code"] == "unknown_voice"
        client.says({"type": "text", "text": "forbidden"})
        assert (await client.json())["code"] == "invalid_text"
        client.says(b"odd")
        assert (await client.json())["code"] == "invalid_audio"
        client.says({"type": "ping"})
        await client.json("pong")


async def test_reply_audio_arrives_framed_and_stamped() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "hello"})
        await client.json("ready")
        sessions.conversations[0].say(Stamp(2, 3, 4), 480, offset=960, value=-5)
        frame = (await client.hears())["bytes"]
        audio = decode_audio(frame, 24_000)
        assert audio.stamp == Stamp(2, 3, 4)
        assert (audio.chunk.offset, audio.chunk.samples, audio.chunk.pcm[:2]) == (960, 480, b"\xfb\xff")


async def test_a_pause_overtakes_audio_and_an_interruption_drops_it() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "hello", "acknowledge": True})
        await client.json("ready")
        conversation = sessions.conversations[0]
        client.blocked.clear()
        conversation.emit(ReplyStarted(STAMP))
        for n in range(4):
            conversation.say(STAMP, 480, offset=480 * n)
        conversation.emit(ReplyText(STAMP, "Hello."))
        conversation.emit(ReplyPaused(STAMP))
        await asyncio.sleep(0)
        client.blocked.set()
        kinds = [json.loads(m["text"])["type"] if "text" in m else "audio" for m in [await client.hears() for _ in range(7)]]
        assert kinds == ["reply_started", "text", "paused", "audio", "audio", "audio", "audio"]

        client.blocked.clear()
        await asyncio.sleep(0)
        for n in range(4, 8):
            conversation.say(STAMP, 480, offset=480 * n)
        conversation.emit(ReplyInterrupted(STAMP, 480, "Hel", "speech"))
        conversation.say(STAMP, 480, offset=480 * 8)
        conversation.say(Stamp(2, 1, 2), 480)
        client.blocked.set()
        assert (await client.json())["type"] == "interrupted"
        assert decode_audio((await client.hears())["bytes"], 24_000).stamp == Stamp(2, 1, 2)
        assert client.pending() == 0


@pytest.mark.parametrize("acknowledge", [True, False])
async def test_the_session_is_told_whether_the_client_acknowledges(acknowledge: bool) -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "hello", "acknowledge": acknowledge})
        await client.json("ready")
        assert sessions.conversations[0].options.acknowledged is acknowledge


async def test_ready_comes_before_what_the_session_tells_while_it_starts() -> None:
    sessions = ScriptedSessions()

    def greet(call: tuple[Any, ...]) -> None:
        if call == ("start",):
            sessions.conversations[0].emit(ReplyStarted(STAMP))

    sessions.react = greet
    async with connected(sessions) as client:
        client.says({"type": "hello"})
        assert (await client.json())["type"] == "ready"
        assert (await client.json())["type"] == "reply_started"


async def test_goodbye_is_answered_and_closes() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "hello"})
        await client.json("ready")
        client.says({"type": "goodbye"})
        assert (await client.json())["type"] == "goodbye"
        await client.hears()
        assert client.closed == 1000
    assert sessions.conversations[0].closed == 1


async def test_a_full_server_refuses_with_a_reason() -> None:
    sessions = ScriptedSessions(SessionOptions(max_sessions=1))
    door = WebSocketDoor(sessions, ServerOptions(), SystemClock(), entrance())
    async with connected(sessions, door=door) as first, connected(sessions, door=door) as second:
        first.says({"type": "hello"})
        await first.json("ready")
        second.says({"type": "hello"})
        error = await second.json()
        assert (error["type"], error["code"], error["retryable"]) == ("error", "overloaded", True)
        assert error["retry_after"] > 0
        await second.hears()
        assert second.closed == 1013
        first.says({"type": "ping"})
        await first.json("pong")


async def test_too_many_connections_are_refused_before_the_upgrade() -> None:
    sessions = ScriptedSessions()
    door = WebSocketDoor(sessions, quick(max_connections=1), SystemClock(), entrance())
    async with connected(sessions, door=door), connected(sessions, door=door, accept=False) as second:
        start = await second.hears()
        assert start["status"] == 503
        assert (b"retry-after", b"10") in start["headers"]
        assert json.loads((await second.hears())["body"])["error"]["code"] == "overloaded"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "host_not_allowed"),
        ({"host": "127.0.0.1.evil.example:8765"}, "host_not_allowed"),
        ({"origin": "https://evil.example"}, "origin_not_allowed"),
        ({"origin": "null"}, "origin_not_allowed"),
        ({"origin": "https://127.0.0.1.evil.example"}, "origin_not_allowed"),
    ],
)
async def test_strangers_are_refused_before_the_upgrade(headers: dict[str, str], code: str) -> None:
    async with connected(ScriptedSessions(), headers=headers, accept=False) as client:
        assert (await client.hears())["status"] == 403
        assert json.loads((await client.hears())["body"])["error"]["code"] == code


async def test_a_flood_of_control_messages_is_refused_for_a_while_and_audio_goes_on() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions, quick(control_per_minute=10, refusal=5.0)) as client:
        client.says({"type": "hello"})
        await client.json("ready")
        for _ in range(200):
            client.says({"type": "ping"})
        client.says(FRAME)
        await asyncio.sleep(0.1)
        answers = [await client.json() for _ in range(client.pending())]
        assert [answer["type"] for answer in answers] == ["pong"] * 9 + ["error"]
        assert answers[-1]["code"] == "limit_exceeded"
        assert answers[-1]["retryable"]
        assert answers[-1]["retry_after"] == 5.0
        assert sessions.conversations[0].calls[-1] == ("hear", 640)
        await asyncio.sleep(60)
        client.says({"type": "ping"})
        await client.json("pong")


async def test_bad_messages_are_each_explained_until_there_are_too_many() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions, quick(bad_messages=5, refusal=5.0)) as client:
        for n in range(50):
            client.says("nonsense" if n % 2 else b"odd")
        await asyncio.sleep(0.1)
        answers = [await client.json() for _ in range(client.pending())]
        assert [answer["type"] for answer in answers] == ["error"] * len(answers)
        assert answers[-1]["code"] == "limit_exceeded"
        assert len(answers) <= 8
        await asyncio.sleep(6)
        client.says({"type": "ping"})
        await client.json("pong")


async def test_audio_faster_than_the_budget_is_dropped_and_counted() -> None:
    sessions = ScriptedSessions()
    door = WebSocketDoor(sessions, quick(audio_speed=2.0, audio_burst=1.0), SystemClock(), entrance())
    async with connected(sessions, door=door) as client:
        for _ in range(100):  # two seconds at once
            client.says(FRAME)
        await client.json("ready")
        await asyncio.sleep(0.1)
        errors = [await client.json() for _ in range(client.pending())]
        assert [error["code"] for error in errors] == ["audio_limit_exceeded"]
        heard = sum(call[0] == "hear" for call in sessions.conversations[0].calls)
        assert 50 <= heard <= 52
        assert door.snapshot()["audio_dropped_bytes"] == (100 - heard) * 640
        await asyncio.sleep(1)
        client.says(FRAME)
        await asyncio.sleep(0.1)
        assert sum(call[0] == "hear" for call in sessions.conversations[0].calls) == heard + 1


async def test_a_client_that_does_not_read_is_closed_and_its_session_ended() -> None:
    sessions = ScriptedSessions()
    door = WebSocketDoor(sessions, quick(outbox_messages=100), SystemClock(), entrance())
    async with connected(sessions, door=door) as client:
        client.says({"type": "hello"})
        await client.json("ready")
        client.blocked.clear()
        conversation = sessions.conversations[0]
        for n in range(1_000):
            conversation.say(STAMP, 480, offset=480 * n)
        assert door.snapshot()["outbox_bytes_max"] <= 100 * 1024
        await asyncio.sleep(20)
        assert conversation.closed == 1
        assert door.snapshot()["slow_clients"] == 1
        assert door.connections == 0


async def test_a_slow_client_that_reads_again_hears_why() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions, quick(outbox_messages=10)) as client:
        client.says({"type": "hello"})
        await client.json("ready")
        client.blocked.clear()
        for n in range(50):
            sessions.conversations[0].say(STAMP, 480, offset=480 * n)
        client.blocked.set()
        error = await client.json("error")
        assert error["code"] == "slow_client"
        await client.hears()
        assert client.closed == 1013


async def test_silence_before_the_first_message_ends_the_connection() -> None:
    async with connected(ScriptedSessions(), quick(first_message=30.0)) as client:
        farewell = await client.json(seconds=40)
        assert farewell["type"] == "goodbye"
        await client.hears()
        assert client.closed == 1008


async def test_draining_lets_a_reply_end_first() -> None:
    sessions = ScriptedSessions()
    door = WebSocketDoor(sessions, ServerOptions(), SystemClock(), entrance())
    async with connected(sessions, door=door) as idle, connected(sessions, door=door) as busy:
        for client in (idle, busy):
            client.says({"type": "hello"})
            await client.json("ready")
        sessions.conversations[1].emit(ReplyStarted(STAMP))
        await busy.json("reply_started")
        draining = asyncio.get_running_loop().create_task(door.drain(10))
        assert (await idle.json())["reason"] == "server is stopping"
        await asyncio.sleep(3)
        assert busy.pending() == 0
        sessions.conversations[1].emit(ResponseCompleted(STAMP, "Hi.", False, Waterfall()))
        assert (await busy.json())["type"] == "response_complete"
        assert (await busy.json())["type"] == "goodbye"
        await draining
        assert (idle.closed, busy.closed) == (1001, 1001)
        assert door.connections == 0


async def test_draining_does_not_wait_for_ever() -> None:
    sessions = ScriptedSessions()
    door = WebSocketDoor(sessions, ServerOptions(), SystemClock(), entrance())
    async with connected(sessions, door=door) as busy, connected(sessions, door=door) as stuck:
        for client in (busy, stuck):
            client.says({"type": "hello"})
            await client.json("ready")
        for conversation in sessions.conversations:
            conversation.emit(ReplyStarted(STAMP))
        stuck.blocked.clear()
        await asyncio.wait_for(door.drain(2), 30)
        assert busy.closed == 1001
        assert stuck.closed is None
        assert door.connections == 0
        assert len(sessions) == 0
    async with connected(sessions, door=door) as late:
        late.says({"type": "hello"})
        assert (await late.json())["code"] == "draining"


async def test_a_bug_in_the_session_closes_only_this_connection(caplog: pytest.LogCaptureFixture) -> None:
    sessions = ScriptedSessions()

    def explode(call: tuple[Any, ...]) -> None:
        if call[0] == "commit":
            raise ZeroDivisionError

    sessions.react = explode
    async with connected(sessions) as client:
        client.says({"type": "commit"})
        await client.json("ready")
        error = await client.json()
        assert (error["type"], error["code"]) == ("error", "internal_error")
        await client.hears()
        assert client.closed == 1011
    assert sessions.conversations[0].closed == 1
    assert "ZeroDivisionError" in caplog.text


async def test_a_refusal_that_may_pass_closes_with_try_again_later() -> None:
    sessions = ScriptedSessions()
    sessions.refusal = Overloaded("busy", retry_after=3)
    async with connected(sessions) as client:
        client.says(FRAME)
        assert (await client.json())["retry_after"] == 3
        await client.hears()
        assert client.closed == 1013


async def test_a_flood_on_a_misconfigured_server_is_not_answered_for_ever() -> None:
    sessions = ScriptedSessions()
    sessions.refusal = UnknownName("no llm is installed")
    async with connected(sessions) as client:
        for _ in range(500):
            client.says(FRAME)
        await asyncio.sleep(0.1)
        assert client.pending() < 30


async def test_an_observer_sees_what_the_client_sees() -> None:
    seen: list[SessionEvent] = []
    sessions = ScriptedSessions()
    async with connected(sessions, observer=seen.append) as client:
        client.says({"type": "hello"})
        await client.json("ready")
        sessions.conversations[0].emit(ReplyStarted(STAMP))
        assert seen == [ReplyStarted(STAMP)]


async def test_a_client_that_vanishes_while_the_session_opens_leaves_nothing_behind() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        client.says({"type": "hello"})
        client.disconnects()
    assert len(sessions) == 0
