"""Configured and discovered services in the object graph, and whole conversations with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.providers.services import KEY
from vivavoce.app.graph import Parts, parts_of
from vivavoce.app.provider_board import ProviderLine
from vivavoce.config.settings import EngineChoices, Settings
from vivavoce.contracts.audio import HEARING
from vivavoce.contracts.errors import ConfigurationError, ProviderFailed, UnknownName
from vivavoce.contracts.events import ResponseCompleted, SessionFailed, TranscriptUpdated
from vivavoce.contracts.speech import LanguageOptions, Message
from vivavoce.flow.clock import SystemClock
from vivavoce.providers.discovery import Discovery, discover
from vivavoce.providers.failover.language_model import FailoverLanguageModel
from vivavoce.providers.options import DiscoveryOptions, ProviderOptions
from vivavoce.sessions.conversation import Conversation
from vivavoce.sessions.options import ConversationOptions, WatchdogOptions
from vivavoce.testing.openai_server import OpenAiServer, Trouble
from vivavoce.testing.sinks import EventRecorder, LoopbackSink
from vivavoce.testing.speech import silence, speak, speech_like

pytestmark = pytest.mark.real_time

SCRIPTED = EngineChoices(stt="scripted", tts="scripted", llm="scripted", vad="scripted", turn="scripted")
NOWHERE = DiscoveryOptions(())
WANTED: tuple[Any, ...] = ("stt", "llm", "tts", "vad", "turn")


def settings(*providers: ProviderOptions, services: tuple[str, ...] = (), **engines: str) -> Settings:
    return Settings(providers=providers, engines=replace(SCRIPTED, **engines), discovery=DiscoveryOptions(services))


@asynccontextmanager
async def running(given: Settings) -> AsyncIterator[Parts]:
    parts = await asyncio.to_thread(parts_of, given)  # it reads what is installed
    try:
        await parts.start()
        yield parts
    finally:
        await parts.close()


class Talk:
    """A conversation with parts of the graph at the pace of the clock."""

    def __init__(self, parts: Parts) -> None:
        self.clock = parts.clock
        self.sink = LoopbackSink(parts.clock)
        self.events = EventRecorder(parts.clock)
        options = ConversationOptions(acknowledged=True)
        self.conversation = Conversation("test", parts.ports, options, self.sink, self.events, parts.clock)
        self.sink.on_played = self.conversation.played

    async def __aenter__(self) -> Talk:
        await self.conversation.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sink.close()
        await self.conversation.close()

    async def completed(self, count: int = 1) -> ResponseCompleted:
        async with asyncio.timeout(30):
            while len(self.events.of(ResponseCompleted)) < count:
                await speak(self.conversation.hear, silence(0.1), self.clock)
        return self.events.of(ResponseCompleted)[count - 1]


async def test_a_whole_conversation_with_a_service_for_everything() -> None:
    async with OpenAiServer() as server:
        server.reply = lambda body: "You asked: " + body["messages"][-1]["content"]
        service = ProviderOptions("box", url=server.url, llm="auto", stt="ear", tts="mouth", voice="anna")
        given = settings(service, llm="box", stt="box", tts="box")
        async with running(given) as parts, Talk(parts) as talk:
            await speak(talk.conversation.hear, speech_like(1.0), talk.clock)
            done = await talk.completed()
        assert done.text == "You asked: what time is it" and not done.interrupted
        assert [e.text for e in talk.events.of(TranscriptUpdated) if e.final] == ["what time is it"]
        assert not talk.events.of(SessionFailed)
        assert len(server.asked("/audio/transcriptions")[0].body) > HEARING.samples(0.8) * 2
        assert server.asked("/audio/speech")[0].json["voice"] == "anna"
        assert talk.sink.played(done.stamp.generation) > 0


async def test_a_service_that_fails_is_not_noticed() -> None:
    async with OpenAiServer() as server, OpenAiServer() as other:
        server.troubles = [Trouble("status", 503) for _ in range(9)]
        other.reply = lambda _: "From the other."
        given = settings(
            ProviderOptions("one", url=server.url, llm="m"), ProviderOptions("two", url=other.url, llm="m"), llm="one, two"
        )
        async with running(given) as parts, Talk(parts) as talk:
            talk.conversation.type("hello")
            done = await talk.completed()
        assert done.text == "From the other." and not talk.events.of(SessionFailed)


async def test_the_chosen_port_is_that_one_and_no_other() -> None:
    async with OpenAiServer() as server, OpenAiServer() as other:
        given = settings(
            ProviderOptions("one", url=server.url, llm="m"), ProviderOptions("two", url=other.url, llm="m"), llm="one, two"
        )
        async with running(given) as parts:
            choice = parts.ports.llm
            assert list(choice.ports) == ["auto", "one", "two"]
            assert isinstance(choice.get(), FailoverLanguageModel)
            other.troubles = [Trouble("status", 503)]
            with pytest.raises(ProviderFailed):
                await asked(choice.get("two"))
            assert not server.asked("/chat/completions")


async def test_one_asked_by_name_is_counted_and_shown_like_one_of_the_chain() -> None:
    async with OpenAiServer() as server, OpenAiServer() as other, OpenAiServer() as third:
        given = settings(
            ProviderOptions("one", url=server.url, llm="m"),
            ProviderOptions("two", url=other.url, llm="m"),
            ProviderOptions("aside", url=third.url, llm="m"),
            llm="one, two",
        )
        async with running(given) as parts:
            choice = parts.ports.llm

            def shown(name: str) -> ProviderLine:
                return next(line for line in parts.providers.lines() if line.name == name)

            for name in ("two", "aside"):
                await asked(choice.get(name))
            assert [(shown(n).answers, shown(n).place) for n in ("one", "two", "aside")] == [(0, 0), (1, 1), (1, None)]
            assert all((shown(name).latency_p50 or 0) > 0 for name in ("two", "aside"))
            third.troubles = [Trouble("status", 503) for _ in range(3)]
            for _ in range(3):
                with pytest.raises(ProviderFailed):
                    await asked(choice.get("aside"))
            assert (shown("aside").state, shown("aside").failures) == ("open", 3)
            assert shown("aside").last_error == "provider_failed"
            assert await asked(choice.get("aside")), "whoever names it wants no other: it is asked all the same"
            assert (shown("aside").state, shown("aside").answers) == ("closed", 2)
            server.troubles = [Trouble("status", 401)]
            with pytest.raises(ProviderFailed):
                await asked(choice.get("one"))
            before = len(server.asked("/chat/completions"))
            assert await asked(choice.get()), "the chain knows of it"
            assert len(server.asked("/chat/completions")) == before
            assert (shown("one").state, shown("two").answers) == ("open", 2)


async def test_a_kind_with_one_engine_has_figures_too() -> None:
    async with OpenAiServer() as server:
        given = settings(ProviderOptions("box", url=server.url, llm="m", tts="mouth", voice="anna"), llm="box", tts="box")
        async with running(given) as parts, Talk(parts) as talk:
            talk.conversation.type("hello")
            await talk.completed()
            lines = {(line.kind, line.name): line for line in parts.providers.lines()}
        for kind in ("llm", "tts"):
            assert lines[kind, "box"].answers >= 1
            assert lines[kind, "box"].place == 0
            assert lines[kind, "box"].latency_p50 is not None


@pytest.mark.process
async def test_auto_is_configured_then_found_then_built_in() -> None:
    async with OpenAiServer("ollama") as found, OpenAiServer() as own:
        found.reply = lambda _: "found"
        given = settings(ProviderOptions("own", url=own.url, llm="m"), services=(found.root,), llm="auto")
        async with running(given) as parts:
            choice = parts.ports.llm
            assert list(choice.ports) == ["auto", "ollama", "own", "commands"]
            own.troubles = [Trouble("status", 500)]
            said = choice.get().stream((Message("user", "hello"),), (), LanguageOptions())
            assert [delta.text async for delta in said] == ["found"]
            found.troubles, own.troubles = [Trouble("status", 500)], [Trouble("status", 500)]
            said = choice.get().stream((Message("user", "what is two plus two"),), (), LanguageOptions())
            assert "4" in "".join([delta.text async for delta in said])


@pytest.mark.process
async def test_nothing_configured_and_nothing_found_is_as_before() -> None:
    async with running(settings(services=("http://127.0.0.1:9",), llm="auto")) as parts:
        assert list(parts.ports.llm.ports) == ["commands"]


@pytest.mark.parametrize(
    ("personality", "profile", "models", "ready"),
    [
        ("ollama", "ollama", ("test-model", "other"), True),
        ("llamacpp", "llamacpp", ("other", "test-model"), True),
        ("lmstudio", "lmstudio", ("test-model", "text-embedding-3", "other"), True),
    ],
)
async def test_services_are_known_by_what_they_answer(
    personality: Any, profile: str, models: tuple[str, ...], ready: bool
) -> None:
    async with OpenAiServer(personality) as server:
        server.models = ["text-embedding-3", "other", "test-model"]
        [found] = await discover((server.root,), 2.0)
        assert (found.profile, found.models, found.ready) == (profile, models, ready)
        assert found.url == server.url


async def test_strangers_and_those_without_a_model_are_not_used() -> None:
    async with OpenAiServer("stranger") as stranger, OpenAiServer("openai") as plain, OpenAiServer("lmstudio") as empty:
        empty.loaded = []
        found = await discover((stranger.root, plain.root, empty.root, "http://127.0.0.1:9"), 2.0)
        assert [(one.profile, one.ready) for one in found] == [("lmstudio", False)]


async def test_discovery_is_bounded_and_kept() -> None:
    async with OpenAiServer("mute") as mute, OpenAiServer("ollama") as server:
        discovery = Discovery(DiscoveryOptions((mute.root, server.root), 0.5), SystemClock())
        async with asyncio.timeout(10):
            first = await discovery.find()
        assert [one.profile for one in first] == ["ollama"]
        asked = len(server.seen)
        assert await discovery.find() is first and len(server.seen) == asked


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a test looks from outside
            await asyncio.sleep(0.01)


async def asked(port: Any) -> str:
    said = port.stream((Message("user", "hello"),), (), LanguageOptions())
    return "".join([delta.text async for delta in said])


@pytest.mark.process
async def test_a_service_that_appears_is_offered_and_one_that_vanishes_is_dropped() -> None:
    async with OpenAiServer("ollama") as server:
        server.reply = lambda _: "found"
        given = settings(services=(server.root,), llm="auto")
        given = replace(given, discovery=replace(given.discovery, interval=0.05))
        personality, server.personality = server.personality, "stranger"
        async with running(given) as parts:
            choice = parts.ports.llm
            assert list(choice.ports) == ["commands"]
            server.personality = personality
            await until(lambda: list(choice.ports) == ["auto", "ollama", "commands"])
            chosen = choice.get("ollama")
            assert await asked(choice.get()) == "found"
            [line] = [line for line in parts.providers.lines() if line.name == "ollama"]
            assert (line.kind, line.place, line.found, line.local, line.state) == ("llm", 0, True, True, "closed")
            assert line.answers == 1 and line.latency_p50 is not None and line.latency_p50 > 0

            looks = len(server.asked("/"))
            server.personality = "stranger"
            await until(lambda: list(choice.ports) == ["commands"])
            assert len(server.asked("/")) - looks >= 3  # one miss is no reason
            with pytest.raises(UnknownName, match="there is commands"):
                choice.get("ollama")
            assert choice.held("ollama") is chosen  # who has chosen it is not left with nothing
            assert "ollama" not in [line.name for line in parts.providers.lines()]

            server.personality = personality
            await until(lambda: list(choice.ports) == ["auto", "ollama", "commands"])
            assert choice.get("ollama") is chosen


@pytest.mark.process
async def test_a_conversation_outlives_the_service_it_chose() -> None:
    async with OpenAiServer("ollama") as server:
        given = settings(services=(server.root,), llm="auto")
        given = replace(given, discovery=replace(given.discovery, interval=0.05))
        async with running(given) as parts, Talk(parts) as talk:
            talk.conversation.set_provider("llm", "ollama")
            server.personality = "stranger"
            server.troubles = [Trouble("status", 503) for _ in range(200)]
            await until(lambda: list(parts.ports.llm.ports) == ["commands"])
            talk.conversation.type("what is two plus two")
            done = await talk.completed()
            assert done.text == WatchdogOptions().fallback  # it asked that one and no other, and says so
            assert talk.events.of(SessionFailed)
            talk.conversation.set_provider("llm", "commands")
            talk.conversation.type("what is two plus two")
            assert "4" in (await talk.completed(2)).text


async def test_breakers_and_errors_are_told() -> None:
    async with OpenAiServer() as server, OpenAiServer() as other:
        server.troubles = [Trouble("status", 401) for _ in range(9)]
        given = settings(
            ProviderOptions("one", url=server.url, llm="m"), ProviderOptions("two", url=other.url, llm="m"), llm="one, two"
        )
        async with running(given) as parts:
            assert await asked(parts.ports.llm.get())
            lines = {line.name: line for line in parts.providers.lines() if line.kind == "llm"}
            assert (lines["one"].state, lines["one"].failures, lines["one"].answers) == ("open", 1, 0)
            assert lines["one"].last_error and lines["one"].last_error_age is not None
            assert (lines["two"].state, lines["two"].place, lines["two"].answers) == ("closed", 1, 1)
            assert {(line.kind, line.name) for line in parts.providers.lines()} >= {("stt", "scripted"), ("tts", "scripted")}


ELSEWHERE = ProviderOptions("openai", "openai", llm="m")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Settings(providers=(ELSEWHERE,), local_only=True), "api.openai.com.* which `local_only: true` forbids"),
        (settings(ELSEWHERE, ELSEWHERE), "two are called 'openai'"),
        (settings(replace(ELSEWHERE, name="auto")), "'auto' is the name of the chain"),
        (settings(replace(ELSEWHERE, name="scripted"), llm="scripted"), "'scripted' is the name of an engine"),
        (settings(ELSEWHERE, stt="openai"), "engines.stt: there is no 'openai' here"),
        (settings(ELSEWHERE, llm="openai, openai"), "name each once"),
        (settings(ELSEWHERE, llm="openai, auto"), "`auto` alone"),
    ],
)
def test_what_is_refused(given: Settings, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        parts_of(given)


def test_local_only_takes_what_is_on_this_machine() -> None:
    for url in ("http://127.0.0.1:1/v1", "http://localhost:1/v1", "http://[::1]:1/v1", "http://127.9.9.9/v1"):
        parts_of(replace(settings(ProviderOptions("x", url=url, llm="m"), llm="x"), local_only=True))
    for url in ("http://127.0.0.1.example.com/v1", "http://10.0.0.1/v1", "https://localhost.example/v1", "http://0x7f.1/v1"):
        with pytest.raises(ConfigurationError):
            parts_of(replace(settings(ProviderOptions("x", url=url, llm="m"), llm="x"), local_only=True))


async def test_a_redirect_to_another_machine_is_not_followed() -> None:
    async with OpenAiServer() as server:
        server.troubles = [Trouble("status", 307, {"location": "http://192.0.2.1/v1/chat/completions"})]
        given = replace(settings(ProviderOptions("x", url=server.url, llm="m"), llm="x"), local_only=True)
        async with running(given) as parts, Talk(parts) as talk:
            talk.conversation.type("hello")
            await talk.completed()
            assert "sent us elsewhere" in talk.events.of(SessionFailed)[0].message


async def test_the_key_reaches_the_service_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with OpenAiServer() as server:
        server.troubles = [Trouble("status", 401, message=f"bad key {KEY}")] * 3
        given = replace(settings(ProviderOptions("my-box", url=server.url, llm="m"), llm="my-box"), keys={"my_box": KEY})
        async with running(given) as parts, Talk(parts) as talk:
            talk.conversation.type("hello")
            await talk.completed()
        assert server.asked("/chat/completions")[0].headers["authorization"] == f"Bearer {KEY}"
        assert KEY not in caplog.text and KEY not in repr(talk.events.events)
        assert "refused the key" in talk.events.of(SessionFailed)[0].message
