"""Clients of `/ws/audio` that come and go at random, with right tokens and wrong ones, on virtual time.

Whoever may come back gets every message and every sample once; nobody else gets any; nothing is left of those who stay away.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.test_doors import fixed, virtually
from tests.unit.transports.entrances import entrance
from tests.wire.stage import Client, ScriptedConversation, ScriptedSessions, connected
from vivavoce.contracts.audio import Stamp
from vivavoce.contracts.events import ReplyInterrupted, ReplyStarted, ReplyText, ResponseCompleted, Waterfall
from vivavoce.flow.clock import SystemClock
from vivavoce.sessions.options import SessionOptions
from vivavoce.transports.options import ResumeOptions, ServerOptions
from vivavoce.transports.ws.handler import WebSocketDoor
from vivavoce.transports.ws.protocol import decode_audio

WINDOW, MOST_AWAY, MOST_SESSIONS = 20.0, 2, 3
KEPT = 16
"""Messages kept for one who is away."""
PEOPLE = 3

Way = Literal["right", "again", "wrong token", "used token", "seq too high", "samples too high", "another's", "twice"]
WAYS: list[Way] = ["right", "again", "wrong token", "used token", "seq too high", "samples too high", "another's", "twice"]
seen: Counter[str] = Counter()
"""What happened in all examples together: the test is worth something only if everything did."""


class Person:
    """Keeps the books of what it was sent. ``client`` is its connection, if it has one."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.session = ""
        self.token = ""
        self.used: list[str] = []
        self.seq = 0
        self.audio: dict[int, int] = {}
        self.over = 0
        """The newest reply it knows to be interrupted."""
        self.generation = self.cut = 0
        """The newest reply there was, and the newest that was interrupted."""

    def take(self, most: int | None = None) -> None:
        """What has come, or the first ``most`` of it: the rest is lost on its way."""
        client = self.client
        while client is not None and client.pending() and most != 0:
            message = client._from_server.get_nowait()
            most = None if most is None else most - 1
            if message["type"] == "websocket.close":
                self.client = None
                return
            self._book(message)

    def _book(self, message: dict[str, Any]) -> None:
        if "text" not in message:
            audio = decode_audio(message["bytes"], 24_000)
            generation = audio.stamp.generation
            assert generation > self.over, "nothing of an interrupted reply comes behind the interruption"
            assert audio.chunk.offset == self.audio.get(generation, 0), "no sample is missing and none comes twice"
            assert set(audio.chunk.pcm[::2]) == {int(self.session.removeprefix("sess_golden") or 0)}, "of this session"
            self.audio[generation] = audio.chunk.offset + audio.chunk.samples
            return
        event = json.loads(message["text"])
        assert event["seq"] == self.seq + 1, "no message is missing and none comes twice"
        self.seq = event["seq"]
        if event["type"] == "interrupted":
            self.over = event["generation"]

    def forget(self) -> None:
        """The session is gone."""
        self.__init__()  # type: ignore[misc]


class World:
    def __init__(self, stack: AsyncExitStack) -> None:
        self.sessions = ScriptedSessions(SessionOptions(max_sessions=MOST_SESSIONS))
        resume = ResumeOptions(resume_window=WINDOW, resume_sessions=MOST_AWAY, resume_messages=KEPT)
        self.door = WebSocketDoor(self.sessions, ServerOptions(), SystemClock(), entrance(), None, resume)
        self.people = [Person() for _ in range(PEOPLE)]
        self._stack = stack

    async def connect(self) -> Client:
        return await self._stack.enter_async_context(connected(self.sessions, door=self.door))

    def conversation(self, person: Person) -> ScriptedConversation:
        [found] = [one for one in self.sessions.conversations if one.session == person.session]
        return found

    async def hello(self, person: Person) -> None:
        client = await self.connect()
        client.says({"type": "hello", "acknowledge": True})
        ready = await client.json()
        if ready["type"] == "error":
            assert ready["code"] == "overloaded" and len(self.sessions) == MOST_SESSIONS and not self.sessions.detached
            seen["full"] += 1
            return
        person.client, person.session, person.token, person.seq = client, ready["session"], ready["resume"]["token"], 1

    async def resume(self, person: Person, way: Way, back: int, other: Person) -> None:
        person.take(None if way == "again" else back)
        if way == "used token":
            await asyncio.sleep(0.01)  # a token is used up when its successor is known to have arrived
        if way == "twice":
            await asyncio.gather(*(self._wish(person, "right", 0, other) for _ in range(2)))
        else:
            await self._wish(person, way, back, other)

    async def _wish(self, person: Person, way: Way, back: int, other: Person) -> None:
        seq = max(0, person.seq - back) if way == "again" else person.seq
        newest = max(person.audio, default=None)
        samples = 0 if newest is None else person.audio[newest]
        wish = {"type": "resume", "session": person.session, "token": person.token, "seq": seq,
                "generation": newest, "samples": samples}  # fmt: skip
        match way:
            case "wrong token":
                wish["token"] = person.token[::-1]
            case "used token" if person.used:
                wish["token"] = person.used[-1]
            case "seq too high":
                wish["seq"] = seq + 1_000
            case "samples too high":
                wish |= {"generation": person.generation + 1, "samples": 10**6}
            case "another's" if other.session not in ("", person.session):
                wish["session"] = other.session
            case _:
                way = "right"
        conversation = self.conversation(person)
        wanted = json.loads(json.dumps(wish))
        client = await self.connect()
        client.says(wanted)
        answer = await client.json()
        seen[f"{way}: {answer.get('code', answer['type'])}"] += 1
        if answer["type"] == "session_resumed":
            assert way == "right" or person is other, way
            assert answer["replayed"] <= KEPT
            if person.client is not None:  # what still comes over the old connection has no effect
                person.client.says({"type": "commit"})
            person.used.append(person.token)
            person.client, person.token, person.seq = client, answer["resume"]["token"], seq
            client.says({"type": "ping"})
            return
        if way == "right" and answer["code"] != "resume_gap":
            assert answer["code"] in ("session_not_found", "draining")
            assert conversation.closed or person.client is not None or person.session not in self.sessions._live
        client.disconnects(1000)

    def check(self) -> None:
        counts = self.door.snapshot()
        assert counts["detached"] <= MOST_AWAY + 1 and len(self.sessions) <= MOST_SESSIONS
        assert all(conversation.closed <= 1 for conversation in self.sessions.conversations)


async def speak(world: World, person: Person, amount: int) -> None:
    """The server answers: a reply of messages and sound, which may be interrupted."""
    conversation = world.conversation(person)
    if conversation.closed:
        return
    value = int(person.session.removeprefix("sess_golden") or 0)
    if person.cut:  # a voice that had not heard of it goes on for a moment
        conversation.say(Stamp(1, 1, person.cut), 100, 1_000, value * 257)
    person.generation += 1
    stamp = Stamp(1, 1, person.generation)
    conversation.emit(ReplyStarted(stamp))
    for number in range(amount):
        conversation.emit(ReplyText(stamp, f"word {number} "))
        conversation.say(stamp, 100, 100 * number, value * 257)
    if amount % 3 == 0:
        conversation.emit(ReplyInterrupted(stamp, 0, "", "speech"))
        person.cut = person.generation
    else:
        conversation.emit(ResponseCompleted(stamp, "Hi.", False, Waterfall()))


async def lose(person: Person, most: int, code: int) -> None:
    """The connection is gone, and with it what was on its way."""
    client = person.client
    if client is None:
        return
    person.take(most)
    client.disconnects(code)
    person.client = None
    await asyncio.sleep(0)
    if code == 1000:
        person.forget()


Move = tuple[Literal["speak", "lose", "leave", "back", "wait", "stall", "talk"], int, Way, int, int]
moves = st.lists(
    st.tuples(
        st.sampled_from(
            ["speak", "speak", "speak", "lose", "lose", "leave", "back", "back", "back", "wait", "stall", "talk"]
        ),
        st.integers(0, PEOPLE - 1),
        st.sampled_from([*WAYS, "right", "right"]),
        st.integers(0, PEOPLE - 1),
        st.integers(0, 9),
    ),
    min_size=16,
    max_size=48,
)


async def move(world: World, one: Move) -> None:
    kind, who, way, whose, amount = one
    person = world.people[who]
    if not person.session:
        await world.hello(person)
    elif kind == "speak":
        await speak(world, person, amount)
    elif kind in ("lose", "leave"):
        await lose(person, amount, 1006 if kind == "lose" else 1000)
    elif kind == "back":
        await world.resume(person, way, amount, world.people[whose])
        if world.conversation(person).closed:
            person.forget()
    elif kind == "wait":
        await asyncio.sleep((0.0, 0.01, 1.0, 5.0, WINDOW + 1)[amount % 5])
    elif kind == "stall" and person.client is not None:
        person.client.blocked.clear() if amount % 2 else person.client.blocked.set()
    elif kind == "talk" and person.client is not None:
        person.client.says(bytes(640) if amount % 2 else {"type": "ping"})
    if amount % 4 == 0:
        await asyncio.sleep(0.001)
    world.check()


@fixed(250)
@given(moves)
def test_who_comes_back_has_every_word_once(doing: list[Move]) -> None:
    async def talk() -> None:
        async with AsyncExitStack() as stack:
            world = World(stack)
            for one in doing:
                await move(world, one)
            for person in world.people:
                if person.client is not None:
                    person.client.blocked.set()
            await asyncio.sleep(1.0)
            for person in world.people:
                person.take()
        assert len(world.sessions) == 0 and world.sessions.detached == 0
        assert all(conversation.closed == 1 for conversation in world.sessions.conversations)
        assert all(("commit",) not in conversation.calls for conversation in world.sessions.conversations)
        counts = world.door.snapshot()
        assert counts["detached"] == counts["connections"] == 0
        assert not world.door._links._links

    virtually(talk())


def test_all_of_it_happened() -> None:
    """The examples above reach every answer; alone this test makes them."""
    if not seen:
        test_who_comes_back_has_every_word_once()
    for kind in ("right: session_resumed", "right: session_not_found", "right: resume_gap", "wrong token: session_not_found",
                 "used token: session_not_found", "seq too high: resume_gap", "samples too high: resume_gap",
                 "another's: session_not_found"):  # fmt: skip
        assert seen[kind] >= 5, seen
