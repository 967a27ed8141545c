"""The language model over real sockets: what comes, what breaks, what is withdrawn."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.laws import laws
from tests.unit.providers.services import KEY, language_model, serving
from vivavoce.contracts.errors import InvalidRequest, ProviderFailed, VivavoceError
from vivavoce.contracts.speech import Delta, LanguageOptions, Message, Tool, ToolCall
from vivavoce.providers._http import Address, Service
from vivavoce.testing.openai_server import Trouble

pytestmark = pytest.mark.real_time

ASKED = (Message("user", "What time is it?"),)
TOOL = Tool("set_timer", "Sets a timer.", {"type": "object", "properties": {"seconds": {"type": "number"}}})


async def answer(model: Any, tools: tuple[Tool, ...] = ()) -> list[Delta]:
    return [delta async for delta in model.stream(ASKED, tools, LanguageOptions())]


def said(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize("law", laws.LANGUAGE_MODEL, ids=laws.name)
async def test_laws(law: Any) -> None:
    async with serving() as (_, service):
        await law(language_model(service))


async def test_an_answer_comes_piece_by_piece_over_one_warm_connection() -> None:
    async with serving() as (server, service):
        model = language_model(service)
        await model.warm()
        for _ in range(3):
            deltas = await answer(model)
            assert said(deltas) == "It is late. Go to bed."
            assert len(deltas) == 6
        assert server.connections == 1
        assert all(seen.headers["authorization"] == f"Bearer {KEY}" for seen in server.seen)
        assert server.asked("/chat/completions")[0].json["stream"] is True


async def test_the_model_called_auto_is_the_first_that_chats() -> None:
    async with serving() as (server, service):
        await answer(language_model(service, "auto"))
        assert server.asked("/chat/completions")[0].json["model"] == "test-model"
        server.models = ["whisper-1"]
        with pytest.raises(ProviderFailed, match="no language model"):
            await answer(language_model(service, "auto"))


async def test_a_service_that_loads_on_demand_is_warmed_with_a_request() -> None:
    async with serving() as (server, service):
        await language_model(service, profile="ollama").warm()
        assert server.asked("/chat/completions")[0].json["max_tokens"] == 1


async def test_limits_go_under_the_names_of_the_profile() -> None:
    async with serving() as (server, service):
        options = LanguageOptions(max_tokens=50, temperature=0.5)
        for profile in ("openai", "custom"):
            model = language_model(service, profile=profile, reasoning_effort="low")
            assert [d async for d in model.stream(ASKED, (TOOL,), options)]
        openai, custom = (seen.json for seen in server.asked("/chat/completions"))
        assert openai["max_completion_tokens"] == 50 and "max_tokens" not in openai
        assert custom["max_tokens"] == 50 and custom["temperature"] == 0.5 and custom["reasoning_effort"] == "low"
        assert custom["tools"][0]["function"]["name"] == "set_timer"


async def test_tool_calls_in_fragments_side_by_side() -> None:
    def fragment(index: int, arguments: str, **first: Any) -> dict[str, Any]:
        name = {"name": first.pop("name")} if first else {}
        return {"tool_calls": [{"index": index, **first, "function": {**name, "arguments": arguments}}]}

    async with serving() as (server, service):
        server.reply = lambda _: [
            fragment(0, "", id="a", name="set_timer"),
            fragment(0, '{"sec'),
            fragment(1, '{"seconds":', id="b", name="set_timer"),
            fragment(0, 'onds": 5}'),
            fragment(1, " 7}"),
        ]
        calls = [delta.tool_call for delta in await answer(language_model(service), (TOOL,))]
    assert calls == [ToolCall("a", "set_timer", {"seconds": 5}), ToolCall("b", "set_timer", {"seconds": 7})]


ONCE_FAILED: list[tuple[Trouble, type[VivavoceError], str, str, bool]] = [
    (Trouble("status", 401), ProviderFailed, "provider_not_allowed", "refused the key", False),
    (Trouble("status", 403), ProviderFailed, "provider_not_allowed", "refused the key", False),
    (Trouble("status", 404), ProviderFailed, "provider_model_unknown", "no such model", False),
    (Trouble("status", 400), InvalidRequest, "provider_refused", "does not take this request", False),
    (Trouble("status", 429), ProviderFailed, "provider_failed", "limits how often", True),
    (Trouble("status", 500), ProviderFailed, "provider_failed", "has a problem", True),
    (Trouble("status", 503), ProviderFailed, "provider_failed", "has a problem", True),
    (Trouble("status", 307), ProviderFailed, "provider_failed", "sent us elsewhere", False),
    (Trouble("hang"), ProviderFailed, "provider_failed", "took too long", True),
    (Trouble("hang_later", after=3), ProviderFailed, "provider_failed", "took too long", True),
    (Trouble("reset"), ProviderFailed, "provider_failed", "broke", True),
    (Trouble("drop"), ProviderFailed, "provider_failed", "broke", True),
    (Trouble("truncated", after=3), ProviderFailed, "provider_failed", "broke", True),
    (Trouble("reset_later", after=3), ProviderFailed, "provider_failed", "broke", True),
    (Trouble("broken", after=3), ProviderFailed, "provider_failed", "not JSON", True),
    (Trouble("error_event", after=3), ProviderFailed, "provider_failed", "out of order", True),
    (Trouble("error_event", 429, after=3), ProviderFailed, "provider_failed", "limits", True),
    (Trouble("silent_end", after=3), ProviderFailed, "provider_failed", "in the middle", True),
    (Trouble("wrong_type"), ProviderFailed, "provider_failed", "text/html", False),
    (Trouble("huge", after=3), ProviderFailed, "provider_failed", "more than 1000000 bytes", False),
]


@pytest.mark.parametrize(("trouble", "kind", "code", "text", "retryable"), ONCE_FAILED, ids=lambda v: str(v)[:60])
async def test_trouble(trouble: Trouble, kind: type[VivavoceError], code: str, text: str, retryable: bool) -> None:
    async with serving(trouble, first=0.2, between=0.2) as (_, service):
        deltas: list[Delta] = []
        with pytest.raises(kind, match=text) as caught:
            async for delta in language_model(service).stream(ASKED, (), LanguageOptions()):
                deltas.append(delta)
        assert (caught.value.code, caught.value.retryable) == (code, retryable)
        assert bool(deltas) == (trouble.after == 3), "what came before the trouble was given out"
        assert said(await answer(language_model(service))) == "It is late. Go to bed.", "the next request is well"


async def test_retry_after_is_handed_on() -> None:
    async with serving(Trouble("status", 429, {"retry-after": "7"})) as (_, service):
        with pytest.raises(ProviderFailed) as caught:
            await answer(language_model(service))
        assert caught.value.retry_after == 7.0


async def test_nobody_listens_there() -> None:
    service = Service(Address("test", "http://127.0.0.1:9/v1"))
    with pytest.raises(ProviderFailed, match="is it running") as caught:
        await answer(language_model(service))
    assert caught.value.retryable
    await service.close()


async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    async with serving(None, Trouble("drop"), Trouble("drop"), Trouble("drop")) as (server, service):
        await answer(language_model(service))
        with pytest.raises(ProviderFailed, match="broke"):  # tried once more, not for ever
            await answer(language_model(service))
        assert len(server.asked("/chat/completions")) == 3
        server.troubles = []
        await answer(language_model(service))
        server.troubles = [Trouble("drop")]
        assert said(await answer(language_model(service))) == "It is late. Go to bed."


@pytest.mark.parametrize("trouble", [Trouble("hang"), Trouble("hang_later", after=4), Trouble("slow", delay=0.01)])
async def test_closing_drops_the_request_at_once(trouble: Trouble) -> None:
    """The server notices before anything else of ours happens that would need the connection's end."""
    async with serving(trouble, first=30, between=30) as (server, service):
        stream: Any = language_model(service).stream(ASKED, (), LanguageOptions())
        if trouble.kind == "hang":
            task = asyncio.get_running_loop().create_task(anext(stream))
            await server.until_asked()
            task.cancel()
            await asyncio.wait([task])
        else:
            await anext(stream)
        await stream.aclose()
        async with asyncio.timeout(10):
            await server.seen[0].left.wait()
        assert not server.seen[0].answered


async def test_a_cancelled_reader_drops_the_request() -> None:
    async with serving(Trouble("hang_later", after=4), first=30, between=30) as (server, service):
        task = asyncio.get_running_loop().create_task(answer(language_model(service)))
        await server.until_asked()
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])
        async with asyncio.timeout(10):
            await server.seen[0].left.wait()


@pytest.mark.parametrize("kind", ["status", "error_event", "slow"])
async def test_the_key_is_never_told(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    trouble = Trouble(kind, 401, message=f"Incorrect API key provided: {KEY}")
    async with serving(trouble, trouble) as (_, service):
        try:
            await answer(language_model(service))
        except VivavoceError as error:
            assert KEY not in f"{error} {error!r} {error.message} {error.args} {error.cause!r}"
        assert KEY not in repr(service.address)
    assert caplog.records and KEY not in caplog.text
    assert not any(KEY in str(vars(record)) for record in caplog.records)


async def test_a_model_that_knows_no_tools_answers_without_them() -> None:
    refused = Trouble("status", 400, message="test-model does not support tools")
    async with serving(refused, None, None) as (server, service):
        model = language_model(service)
        for _ in range(2):
            assert said(await answer(model, (TOOL,))) == "It is late. Go to bed."
        assert ["tools" in seen.json for seen in server.seen] == [True, False, False]
        server.troubles = [Trouble("status", 400, message="too long")]
        with pytest.raises(InvalidRequest, match="too long"):
            await answer(model, (TOOL,))
