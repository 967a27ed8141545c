"""OpenAI's Python library on the Realtime protocol: ``openai_realtime.py PLAN``, PLAN being JSON of ``test_realtime.py``.

Every frame is judged by the types of the library's own version, strictly: the library itself takes anything.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
from acting import act_async, tell
from openai import AsyncOpenAI, OpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter, ValidationError

PLAN = json.loads(sys.argv[1])
FOLDER = Path(PLAN["folder"])
SECONDS = 120.0
"""Longest wait for an event."""
PIECE = 4_800
"""Bytes of 100 ms at 24 kHz."""
STORY = "Tell me a story."
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

adapter: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
invalid: list[str] = []
frames: list[int] = []
"""Their sizes."""


def client_of(url: str, key: str = "unused") -> AsyncOpenAI:
    """The oldest version takes the WebSocket's address only like this."""
    ws = url.replace("http://", "ws://")
    return AsyncOpenAI(base_url=f"{url}/v1", websocket_base_url=f"{ws}/v1", api_key=key, max_retries=0)


def recorded(path: str) -> bytes:
    """PCM at 24 kHz, with two seconds of silence behind it."""
    with wave.open(path) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return file.readframes(file.getnframes()) + bytes(96_000)


class Talk:
    """A connection, and all that came."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[Any] = []

    async def next(self) -> Any:
        raw = await asyncio.wait_for(self.connection.recv_bytes(), SECONDS)
        frames.append(len(raw))
        try:
            adapter.validate_json(raw)
        except ValidationError as error:
            invalid.append(f"{raw[:300]!r}: {error}")
        event = self.connection.parse_event(raw)
        self.events.append(event)
        return event

    async def until(self, kind: str) -> Any:
        while True:
            event = await self.next()
            if event.type == kind:
                return event

    async def speak(self, pcm: bytes, pace: float = 0.0) -> None:
        for start in range(0, len(pcm), PIECE):
            audio = base64.b64encode(pcm[start : start + PIECE]).decode()
            await self.connection.input_audio_buffer.append(audio=audio)
            await asyncio.sleep(pace)

    async def ask(self, text: str, **response: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await self.connection.response.create(**({"response": response} if response else {}))

    def joined(self, kind: str) -> str:
        return "".join(event.delta for event in self.events if event.type == kind)

    def audio(self, name: str) -> str:
        pieces = [base64.b64decode(event.delta) for event in self.events if event.type == "response.output_audio.delta"]
        (FOLDER / name).write_bytes(b"".join(pieces))
        return name

    def types(self) -> list[str]:
        return [event.type for event in self.events]


@asynccontextmanager
async def talk(url: str = PLAN["url"], key: str = "unused", update: Any = None, **query: Any) -> AsyncIterator[Talk]:
    needless = "intent" in query and not openai.__version__.startswith("1.")
    model = {} if needless else {"model": "gpt-realtime"}
    async with client_of(url, key).realtime.connect(extra_query=query, **model) as connection:
        here = Talk(connection)
        await here.until("session.created")
        if update is not None:
            await connection.session.update(session=update)
            await here.until("session.updated")
        yield here


def session(**changes: Any) -> dict[str, Any]:
    listening: dict[str, Any] = {"transcription": {"model": "whisper-1"}, **changes.pop("input", {})}
    return {"type": "realtime", "audio": {"input": listening}, **changes}


async def text() -> Any:
    async with talk(update=session(output_modalities=["text"])) as here:
        await here.ask("Where is the key?")
        done = await here.until("response.done")
        return {
            "text": here.joined("response.output_text.delta"),
            "status": done.response.status,
            "types": here.types(),
            "said": done.response.output[0].content[0].text,
        }


async def spoken_turn() -> Any:
    """Through server-side turn detection: 100 ms at a time, as fast as it is taken."""
    async with talk(update=session()) as here:
        await here.speak(recorded(PLAN["recording"]))
        done = await here.until("response.done")
        heard = next(event for event in here.events if event.type.endswith("input_audio_transcription.completed"))
        return {
            "types": here.types(),
            "heard": heard.transcript,
            "said": here.joined("response.output_audio_transcript.delta"),
            "done": done.response.model_dump(mode="json"),
            "times": [
                getattr(event, name)
                for event in here.events
                for name in ("audio_start_ms", "audio_end_ms")
                if event.type.startswith("input_audio_buffer.speech") and hasattr(event, name)
            ],
            "file": here.audio("turn.pcm"),
        }


async def tool() -> Any:
    async with talk(update=session(tools=[TOOL], output_modalities=["text"])) as here:
        await here.ask("What is the weather like?")
        called = await here.until("response.function_call_arguments.done")
        first = await here.until("response.done")
        output = {"type": "function_call_output", "call_id": called.call_id, "output": "it rains"}
        await here.connection.conversation.item.create(item=output)
        await here.connection.response.create()
        second = await here.until("response.done")
        return {
            "name": called.name,
            "arguments": json.loads(called.arguments),
            "first": [item.type for item in first.response.output],
            "said": second.response.output[0].content[0].text,
        }


async def interruption() -> Any:
    """Words over a long reply cut it, and are answered."""
    async with talk(update=session()) as here:
        await here.ask(STORY)
        await here.until("response.output_audio.delta")
        writing = asyncio.ensure_future(here.speak(recorded(PLAN["recording"]), 0.1))
        cut = await here.until("response.done")
        before = len(here.events)
        answered = await here.until("response.done")
        await writing
        after = [event.type for event in here.events[before:]]
        return {
            "types": here.types(),
            "cut": cut.response.model_dump(mode="json"),
            "answered": answered.response.model_dump(mode="json"),
            "after": after,
        }


async def cancelled() -> Any:
    async with talk(update=session()) as here:
        await here.ask(STORY)
        await here.until("response.output_audio.delta")
        await here.connection.response.cancel()
        done = await here.until("response.done")
        item = done.response.output[0].id
        await here.connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=100_000)
        truncated = await here.until("conversation.item.truncated")
        return {"done": done.response.model_dump(mode="json"), "end": truncated.audio_end_ms}


async def by_hand() -> Any:
    """Without turn detection: nothing happens before the client says so."""
    async with talk(update=session(input={"turn_detection": None})) as here:
        await here.speak(recorded(PLAN["recording"]))
        await here.connection.input_audio_buffer.commit()
        heard = await here.until("conversation.item.input_audio_transcription.completed")
        early = [kind for kind in here.types() if kind.startswith("response.")]
        await here.connection.response.create()
        done = await here.until("response.done")
        return {"heard": heard.transcript, "early": early, "status": done.response.status, "types": here.types()}


async def transcription() -> Any:
    update = {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
    async with talk(update=update, intent="transcription") as here:
        await here.speak(recorded(PLAN["recording"]))
        heard = await here.until("conversation.item.input_audio_transcription.completed")
        return {"heard": heard.transcript, "types": here.types(), "session": here.events[0].session.type}


async def beside() -> Any:
    """A response outside the conversation, with its own context and metadata."""
    async with talk(update=session()) as here:
        asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Is it blue?"}]}
        wanted = {"conversation": "none", "input": [asked], "output_modalities": ["text"], "metadata": {"topic": "colour"}}
        await here.connection.response.create(response=wanted)
        done = await here.until("response.done")
        return {
            "said": done.response.output[0].content[0].text,
            "metadata": done.response.metadata,
            "conversation": done.response.conversation_id,
            "items": [kind for kind in here.types() if kind.startswith("conversation.item")],
        }


async def items() -> Any:
    async with talk(update=session()) as here:
        item = {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
        await here.connection.conversation.item.create(item=item)
        await here.until("conversation.item.done")
        await here.connection.conversation.item.retrieve(item_id="mine")
        found = await here.until("conversation.item.retrieved")
        await here.connection.conversation.item.delete(item_id="mine")
        await here.until("conversation.item.deleted")
        await here.connection.conversation.item.retrieve(item_id="mine", event_id="mine_again")
        error = await here.until("error")
        return {"found": found.item.content[0].text, "error": error.error.model_dump()}


async def ephemeral() -> Any:
    """A key for somebody who must not have the real one."""
    made = await client_of(PLAN["guarded"], PLAN["key"]).realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "instructions": "Be brief.", "output_modalities": ["text"]},
    )
    async with talk(PLAN["guarded"], made.value) as here:
        bound = here.events[0].session
        await here.ask("what is twelve times twelve")
        done = await here.until("response.done")
        said = done.response.output[0].content[0].text
        return {"prefix": made.value[:3], "instructions": bound.instructions, "said": said}


async def refused(key: str) -> Any:
    async with talk(PLAN["guarded"], key):
        return "let in"


async def without_asyncio() -> Any:
    """The other half of the library: the same with threads."""

    def converse() -> Any:
        ws = PLAN["url"].replace("http://", "ws://")
        client = OpenAI(base_url=f"{PLAN['url']}/v1", websocket_base_url=f"{ws}/v1", api_key="unused")
        with client, client.realtime.connect(model="gpt-realtime") as connection:
            connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            content = [{"type": "input_text", "text": "Where is the key?"}]
            connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
            connection.response.create()
            for event in connection:
                if event.type == "response.output_text.done":
                    return event.text
        return None

    return await asyncio.to_thread(converse)


def rejects_nonsense() -> int:
    """Whether the judge judges at all."""
    caught = 0
    for bad in ({"type": "no.such.event", "event_id": "e"}, {"type": "input_audio_buffer.speech_started", "event_id": "e"}):
        try:
            adapter.validate_json(json.dumps(bad))
        except ValidationError:
            caught += 1
    return caught


async def main() -> dict[str, Any]:
    """Several at the same time: sessions have nothing to do with each other."""
    several = asyncio.Semaphore(3)

    async def one(work: Callable[[], Any]) -> dict[str, Any]:
        async with several:
            return await act_async(work)

    acts: dict[str, Callable[[], Any]] = {
        "text": text,
        "turn": spoken_turn,
        "tool": tool,
        "interruption": interruption,
        "cancelled": cancelled,
        "by hand": by_hand,
        "transcription": transcription,
        "beside": beside,
        "items": items,
        "ephemeral": ephemeral,
        "wrong key": lambda: refused("vv_wrong"),
        "narrow key": lambda: refused(PLAN["narrow"]),
        "with threads": without_asyncio,
    }
    results = await asyncio.gather(*(one(work) for work in acts.values()))
    seen = {"version": openai.__version__, **dict(zip(acts, results, strict=True))}
    return {**seen, "frames": len(frames), "largest": max(frames), "invalid": invalid, "nonsense": rejects_nonsense()}


tell(asyncio.run(main()))
