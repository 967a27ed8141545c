"""The doors without sockets: many more broken clients, on virtual time. Each ends as it should, and leaves nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.realtime_stage import RealtimeStage
from tests.wire.stage import ScriptedSessions, connected
from vivavoce.contracts.errors import InvalidAudio, ProtocolViolation, VivavoceError
from vivavoce.testing.hearing import ScriptedSpeechToText
from vivavoce.testing.speaking import ScriptedLanguageModel
from vivavoce.testing.virtual_time import VirtualTimeLoop
from vivavoce.transports.limits import Bucket
from vivavoce.transports.realtime.parsing import parsed
from vivavoce.transports.ws.messages import Hello
from vivavoce.transports.ws.protocol import MESSAGE_TYPES, check_audio, decode_audio, parse_text


def fixed(examples: int) -> settings:
    """The same examples in every run."""
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )  # fmt: skip


def virtually(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end on virtual time; a task that is left fails."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work)
        left = [task for task in asyncio.all_tasks(runner.get_loop()) if not task.done()]
        assert not left, left


LARGEST = 50
EVENTS = [
    "session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear",
    "conversation.item.create", "conversation.item.retrieve", "conversation.item.delete", "conversation.item.truncate",
    "response.create", "response.cancel", "output_audio_buffer.clear", "nonsense",
]  # fmt: skip
FIELDS = [
    "type", "text", "audio", "session", "item", "item_id", "response", "event_id", "content", "role", "id", "generation",
    "samples", "provider", "voice", "language", "mode", "name", "kind", "turn_detection", "input", "output", "format",
    "rate", "tools", "instructions", "output_modalities", "content_index", "audio_end_ms", "previous_item_id", "silence_ms",
]  # fmt: skip

numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, -1, 2**31, 2**63, 10**30, 1e308]))
texts = st.one_of(st.text(max_size=40), st.sampled_from(["", "\ud800", "\0", "AAAA", "en", "hello", "x" * 6_000]))
leaves = st.one_of(st.none(), st.booleans(), numbers, texts, st.sampled_from([*EVENTS, *MESSAGE_TYPES]))
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(FIELDS), texts), inner, max_size=5)
    ),
    max_leaves=12,
)


SOUND = st.sampled_from(
    [
        {"text": "hello"},
        {"language": "en"},
        {"generation": 1, "samples": 480},
        {"provider": {"tts": "scripted"}},
        {"mode": "manual"},
    ]
)
"""Fields of a message that is all right."""


def messages(kinds: list[str]) -> st.SearchStrategy[Any]:
    """JSON that could nearly be a message, text that is no JSON, and bytes."""
    shaped = st.builds(
        lambda kind, fields: {**fields, "type": kind},
        st.sampled_from(kinds),
        st.one_of(st.just({}), SOUND, st.dictionaries(st.sampled_from(FIELDS), values, max_size=5)),
    )
    return st.one_of(
        shaped.map(json.dumps),
        values.map(json.dumps),
        texts,
        st.binary(max_size=100),
        st.sampled_from([bytes(640), bytes(641), b"", "{", "[" * 50_000, '{"type":NaN}', "1" * 5_000, '{"a":' * 2_000]),
    )


def dialogues(kinds: list[str]) -> st.SearchStrategy[list[tuple[Any, float]]]:
    """Messages, each with the seconds behind it."""
    return st.lists(st.tuples(messages(kinds), st.sampled_from([0.0, 0.0, 0.01, 3.0])), max_size=12)


@fixed(500)
@given(messages(list(MESSAGE_TYPES)))
def test_every_text_is_a_message_or_a_complaint(message: Any) -> None:
    try:
        if isinstance(message, bytes):
            check_audio(message)
        else:
            parse_text(message)
    except (ProtocolViolation, InvalidAudio, VivavoceError) as error:
        assert error.code and 0 < len(error.message) < 2_000


@fixed(500)
@given(messages(EVENTS))
def test_every_realtime_text_is_an_object_or_nothing(message: Any) -> None:
    if isinstance(message, str):
        found = parsed(message)
        assert found is None or isinstance(found, dict)
        assert found is None or "audio" in found or json.dumps(found).encode(), "it can be told again"


@fixed(600)
@given(st.binary(max_size=64), st.sampled_from([8_000, 24_000]))
def test_every_frame_is_reply_audio_or_invalid(frame: bytes, rate: int) -> None:
    try:
        audio = decode_audio(frame, rate)
    except InvalidAudio:
        return
    assert len(audio.chunk.pcm) % 2 == 0


@fixed(600)
@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, LARGEST)), max_size=40))
def test_a_bucket_never_gives_more_than_it_says(asked: list[tuple[float, int]]) -> None:
    bucket, now, given_out = Bucket(10.0, 20.0), 0.0, 0
    for pause, amount in asked:
        now += pause
        if bucket.admit(now, amount):
            given_out += amount
        assert given_out <= 20 + 10 * now + LARGEST + 1e-6, "it goes into debt for one event"


@fixed(120)
@given(
    st.lists(st.tuples(messages(list(MESSAGE_TYPES)), st.sampled_from([0.0, 0.0, 0.01, 3.0])), max_size=25), st.booleans()
)
def test_a_native_session_survives_every_client(said: list[tuple[Any, float]], hello: bool) -> None:
    async def talk() -> None:
        sessions = ScriptedSessions()
        async with connected(sessions) as client:
            if hello:
                client.says({"type": "hello"})
            for message, pause in said:
                client.says(message)
                await asyncio.sleep(pause)
            client.says({"type": "ping", "id": "last"})
            await asyncio.sleep(30.0)
            if client.closed is None and not sessions.conversations:
                await asyncio.sleep(60.0)  # who never opened a session, for all that was said, has to go
                assert client.closed == 1008
            elif client.closed is None:
                await alive(client)
            else:
                assert client.closed in (1000, 1008, 1013), client.closed
        assert len(sessions) == 0
        assert all(conversation.closed == 1 for conversation in sessions.conversations)

    async def alive(client: Any) -> None:
        await asyncio.sleep(11.0)  # whatever was refused is taken again
        client.says({"type": "ping", "id": "really last"})
        while (await client.json("pong"))["id"] != "really last":
            pass

    virtually(talk())


@fixed(100)
@given(dialogues(EVENTS))
def test_a_realtime_session_survives_every_client(said: list[tuple[Any, float]]) -> None:
    async def talk() -> None:
        stt, llm = ScriptedSpeechToText(["hello"]), ScriptedLanguageModel(["Short."])
        async with RealtimeStage(stt=stt, llm=llm) as stage:
            for message, pause in said:
                stage.client.says(message)
                await asyncio.sleep(pause)
            await stage.settle(60.0)
            assert stage.closed in (None, 1008), stage.events[-2:]
            assert not [e for e in stage.of("error") if e["error"]["code"] in ("internal_error", "invalid_api_key")]
            if stage.closed is None:
                stage.say("input_audio_buffer.clear")
                await stage.until("input_audio_buffer.cleared", 1 + len(stage.of("input_audio_buffer.cleared")))

    virtually(talk())


def test_the_values_reach_real_messages() -> None:
    """Not everything made up is nonsense: otherwise nothing behind the first check would be tried."""
    found: list[object] = []

    @fixed(600)  # which they are depends on what else is imported, for all that they are fixed
    @given(messages(list(MESSAGE_TYPES)))
    def collect(message: Any) -> None:
        try:
            if isinstance(message, str):
                found.append(parse_text(message))
        except VivavoceError:
            pass

    collect()
    kinds = {type(message) for message in found}
    assert len(kinds) >= 5, kinds
    assert parse_text('{"type":"hello"}') == Hello()
