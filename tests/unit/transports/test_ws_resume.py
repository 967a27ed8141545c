"""Lost connections, from the door's side: who may come back, until when, and what gives way."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.unit.transports.entrances import entrance
from tests.wire.stage import STAMP, Client, ScriptedSessions, connected
from vivavoce.contracts.access import Principal
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import ReplyInterrupted, ReplyStarted, ReplyText, SessionFailed
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.conversation import EXPIRED
from vivavoce.sessions.options import SessionOptions
from vivavoce.transports.options import ResumeOptions, ServerOptions
from vivavoce.transports.ws.handler import WebSocketDoor
from vivavoce.transports.ws.protocol import decode_audio

FRAME = bytes(640)
KEYS = {name: Principal(name, frozenset({"converse"})) for name in ("anna", "bert")}


def door_of(sessions: ScriptedSessions, *, keys: bool = False, **resume: Any) -> WebSocketDoor:
    doorkeeper = entrance(KEYS if keys else None)
    return WebSocketDoor(sessions, ServerOptions(), SystemClock(), doorkeeper, None, ResumeOptions(**resume))


async def opened(client: Client, **hello: Any) -> dict[str, Any]:
    client.says({"type": "hello", **hello})
    return await client.json("ready")


def wish(told: dict[str, Any], seq: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "resume", "session": told["session"], "token": told["resume"]["token"], "seq": seq, **more}


async def lose(client: Client) -> None:
    client.disconnects(1006)
    await asyncio.sleep(0.01)


async def test_a_lost_session_waits_and_goes_on() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as first:
        ready = await opened(first)
        for _ in range(3):
            first.says(FRAME)
        await asyncio.sleep(0.01)
        await lose(first)
        conversation = sessions.conversations[0]
        assert conversation.calls[-1] == ("detach",) and conversation.closed == 0
        assert (door.connections, door.snapshot()["detached"], sessions.detached) == (0, 1, 1)
        assert [info.attached for info in sessions] == [False]
        conversation.emit(ReplyStarted(STAMP))
        await asyncio.sleep(50)
        async with connected(sessions, door=door) as second:
            second.says(wish(ready))
            resumed = await second.json()
            assert (resumed["type"], resumed["seq"], resumed["replayed"]) == ("session_resumed", 1, 1)
            assert resumed["input_samples"] == 960
            assert resumed["resume"]["token"] != ready["resume"]["token"]
            assert (await second.json())["seq"] == 2
            assert conversation.calls[-1] == ("attach", None, 0)
            assert [info.attached for info in sessions] == [True]
            await asyncio.sleep(60)
            second.says({"type": "ping"})
            assert (await second.json())["seq"] == 3
            assert conversation.closed == 0, "the window of the first loss is over and has no meaning"
    assert conversation.closed == 1
    counts = door.snapshot()
    assert (counts["resumed"], counts["resume_expired"], counts["detached"]) == (1, 0, 0)


async def test_nobody_comes_back() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions, resume_window=20.0)
    async with connected(sessions, door=door) as client:
        ready = await opened(client)
        await lose(client)
        await asyncio.sleep(19.9)
        assert sessions.conversations[0].closed == 0
        await asyncio.sleep(0.2)
        assert sessions.conversations[0].closed == 1 and len(sessions) == 0
        assert door.snapshot()["resume_expired"] == 1 and door.snapshot()["detached"] == 0
    async with connected(sessions, door=door) as late:
        late.says(wish(ready))
        assert (await late.json())["code"] == "session_not_found"
        assert (await opened(late))["seq"] == 2, "hello may follow on the same connection"


@pytest.mark.parametrize("how", ["goodbye", "close"])
async def test_who_leaves_on_purpose_is_not_waited_for(how: str) -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as client:
        ready = await opened(client)
        client.says({"type": "goodbye"}) if how == "goodbye" else client.disconnects(1000)
        await asyncio.sleep(0.01)
        assert sessions.conversations[0].closed == 1 and door.snapshot()["detached"] == 0
    async with connected(sessions, door=door) as late:
        late.says(wish(ready))
        assert (await late.json())["code"] == "session_not_found"


async def test_switched_off_means_off() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions, resume_window=0.0)
    async with connected(sessions, door=door) as client:
        assert (await opened(client))["resume"] is None
        await lose(client)
        assert sessions.conversations[0].closed == 1
    async with connected(sessions, door=door) as client:
        session = (await opened(client))["session"]
        async with connected(sessions, door=door) as thief:
            thief.says({"type": "resume", "session": session, "token": "x", "seq": 1})
            assert (await thief.json())["code"] == "session_not_found"


async def test_an_answer_that_is_lost_takes_no_token_with_it() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with AsyncExitStack() as connections:
        first = await connections.enter_async_context(connected(sessions, door=door))
        ready = resumed = await opened(first)
        await lose(first)
        for _ in range(3):  # each time the answer never arrives
            again = await connections.enter_async_context(connected(sessions, door=door))
            again.says(wish(ready))
            resumed = await again.json("session_resumed")
            await lose(again)
        last = await connections.enter_async_context(connected(sessions, door=door))
        last.says(wish(resumed))
        await last.json("session_resumed")
        last.says({"type": "goodbye"})


async def test_a_token_is_good_for_once_and_every_refusal_is_the_same() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions, keys=True)
    anna, bert = ({"authorization": f"Bearer {name}"} for name in ("anna", "bert"))
    refusals = []

    async def refused(message: dict[str, Any], headers: dict[str, str]) -> None:
        async with connected(sessions, door=door, headers=headers) as client:
            client.says(message)
            error = await client.json()
            refusals.append(error)

    async with connected(sessions, door=door, headers=anna) as first:
        ready = await opened(first)
        await lose(first)
        await refused(wish(ready) | {"token": "x" * 32}, anna)  # a wrong token
        await refused(wish(ready), bert)  # somebody else's
        await refused(wish(ready) | {"session": "sess_nobody"}, anna)  # an unknown session
        async with connected(sessions, door=door, headers=anna) as second:
            second.says(wish(ready))
            resumed = await second.json("session_resumed")
            second.says({"type": "ping"})
            await second.json("pong")
            await lose(second)
            await refused(wish(ready), anna)  # used up
            async with connected(sessions, door=door, headers=anna) as third:
                third.says(wish(resumed))
                await third.json("session_resumed")
    assert all(refusal == refusals[0] for refusal in refusals) and len(refusals) == 4
    assert refusals[0]["code"] == "session_not_found"
    assert door.snapshot()["resume_refused"] == 4


async def test_guessing_is_refused_for_a_while() -> None:
    sessions = ScriptedSessions()
    async with connected(sessions) as client:
        for n in range(100):
            client.says({"type": "resume", "session": "sess_x", "token": f"guess{n}", "seq": 1})
        await asyncio.sleep(0.1)
        answers = [await client.json() for _ in range(client.pending())]
        assert len(answers) <= 23 and answers[-1]["code"] == "limit_exceeded"


async def test_a_session_that_seems_to_live_is_taken_over() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as first:
        ready = await opened(first)
        first.says(FRAME)
        await asyncio.sleep(0.01)
        async with connected(sessions, door=door) as second:
            second.says(wish(ready))
            assert (await second.json())["type"] == "session_resumed"
            assert (await first.hears())["type"] == "websocket.close"
            assert first.closed == 4001
            conversation = sessions.conversations[0]
            assert conversation.calls[-2:] == [("detach",), ("attach", None, 0)]
            first.says({"type": "commit"})  # what still comes over the old one
            first.says(FRAME)
            second.says(FRAME)
            await asyncio.sleep(0.01)
            assert conversation.calls[-1] == ("hear", 640) and ("commit",) not in conversation.calls
            assert len(sessions.conversations) == 1, "the old connection opens nothing"
            conversation.emit(ReplyStarted(STAMP))
            assert (await second.json())["type"] == "reply_started"
            assert conversation.closed == 0
    assert conversation.closed == 1


async def test_a_gap_is_refused_and_the_session_waits_on() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions, resume_messages=16)
    async with connected(sessions, door=door) as first:
        ready = await opened(first)
        await lose(first)
        for n in range(40):
            sessions.conversations[0].emit(ReplyText(STAMP, f"word {n} "))
        async with connected(sessions, door=door) as second:
            second.says(wish(ready))
            assert (await second.json())["code"] == "resume_gap"
            second.says(wish(ready, seq=30))  # the client makes do with less
            assert (await second.json())["replayed"] == 11


async def test_audio_of_an_interrupted_reply_is_not_sent_again() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as first:
        ready = await opened(first, acknowledge=True)
        conversation = sessions.conversations[0]
        conversation.say(Stamp(1, 1, 1), 480)
        await lose(first)
        conversation.emit(ReplyInterrupted(STAMP, 0, "", "speech"))
        conversation.say(Stamp(2, 1, 2), 100)
        async with connected(sessions, door=door) as second:
            second.says(wish(ready))
            assert (await second.json())["replayed"] == 1
            assert (await second.json())["type"] == "interrupted"
            audio = decode_audio((await second.hears())["bytes"], 24_000)
            assert (audio.stamp.generation, audio.chunk.samples) == (2, 100)
            assert second.pending() == 0


async def test_a_full_server_ends_who_is_away_longest() -> None:
    sessions = ScriptedSessions(SessionOptions(max_sessions=2))
    door = door_of(sessions)
    async with connected(sessions, door=door) as first, connected(sessions, door=door) as second:
        await opened(first)
        kept = await opened(second)
        await lose(first)
        await lose(second)
        async with connected(sessions, door=door) as third:
            await opened(third)
            await asyncio.sleep(0.01)
            assert [conversation.closed for conversation in sessions.conversations] == [1, 0, 0]
            assert door.snapshot()["resume_displaced"] == 1 and len(sessions) == 2
            async with connected(sessions, door=door) as back:
                back.says(wish(kept))
                assert (await back.json())["type"] == "session_resumed"
                async with connected(sessions, door=door) as fourth:
                    fourth.says({"type": "hello"})
                    assert (await fourth.json())["code"] == "overloaded", "nobody is away"


async def test_only_so_many_are_waited_for() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions, resume_sessions=2, resume_window=20.0)
    async with connected(sessions, door=door) as a, connected(sessions, door=door) as b, connected(sessions, door=door) as c:
        for client in (a, b, c):
            await opened(client)
        for client in (a, b, c):
            await lose(client)
        assert [conversation.closed for conversation in sessions.conversations] == [1, 0, 0]
        assert door.snapshot()["detached"] == 2


async def test_draining_ends_who_is_away_at_once() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as away, connected(sessions, door=door) as late:
        ready = await opened(away)
        await lose(away)
        draining = asyncio.get_running_loop().create_task(door.drain(10))
        await asyncio.sleep(0.01)
        assert sessions.conversations[0].closed == 1 and door.snapshot()["detached"] == 0
        late.says(wish(ready))
        await draining
        assert late.closed == 1001
    async with connected(sessions, door=door) as later:
        later.says(wish(ready))
        assert (await later.json())["code"] == "draining"
        await later.hears()
        assert later.closed == 1013


async def test_a_session_whose_time_is_up_is_not_waited_for() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as client:
        await opened(client)
        await lose(client)
        sessions.conversations[0].emit(SessionFailed(STAMP, EXPIRED, "a session lasts 4 h at most", False))
        await asyncio.sleep(0.01)
        assert sessions.conversations[0].closed == 1


async def test_ten_seconds_of_backlog_are_taken_at_once() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as first:
        ready = await opened(first, audio={"input_rate": 48_000})
        first.says(bytes(9_600))
        await asyncio.sleep(0.01)
        await lose(first)
        await asyncio.sleep(10)
        async with connected(sessions, door=door) as second:
            second.says(wish(ready))
            assert (await second.json())["input_samples"] == 4_800, "at the client's rate"
            for _ in range(100):
                second.says(bytes(9_600))
            await asyncio.sleep(0.1)
            assert second.pending() == 0, "no complaint"
            heard = sum(call[1] for call in sessions.conversations[0].calls if call[0] == "hear")
            assert 10.05 < heard / 32_000 <= 10.1


async def test_lost_again_and_again_while_the_answer_is_on_its_way() -> None:
    sessions = ScriptedSessions()
    door = door_of(sessions)
    async with connected(sessions, door=door) as first:
        told = await opened(first)
        first.disconnects(1006)
        await asyncio.sleep(0)
        for _ in range(20):
            client = Client()
            client._to_server.put_nowait({"type": "websocket.connect"})
            scope = {"type": "websocket", "headers": [(b"host", b"127.0.0.1")], "extensions": {}}
            serving = asyncio.get_running_loop().create_task(door(scope, client.receive, client.send))
            client.says(wish(told))
            client.disconnects(1006)
            await client.hears()
            told = await client.json("session_resumed")
            assert serving.cancelled() is False
        assert door.snapshot()["resumed"] == 20
        async with connected(sessions, door=door) as last:
            last.says(wish(told))
            await last.json("session_resumed")
            await asyncio.sleep(0.01)
            assert door.snapshot()["detached"] == 0 and len(sessions) == 1
    assert sessions.conversations[0].closed == 1
