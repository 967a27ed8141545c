"""OpenAI's Agents library for Python, the strictest reader of frames there is: ``agents_realtime.py URL RECORDING FOLDER``.

RECORDING is a question of 24 kHz.
"""

from __future__ import annotations

import asyncio
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acting import act_async, tell
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeModelListener, RealtimeRunner, RealtimeSession
from agents.realtime.openai_realtime import get_server_event_type_adapter
from pydantic import ValidationError

URL, RECORDING, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
SECONDS = 120.0
asked: list[str] = []
"""Cities the tool was asked for."""


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    asked.append(city)
    return f"it rains in {city}"


class Frames(RealtimeModelListener):
    """All frames, as they came, and what the library says of them."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.wrong: list[str] = []

    async def on_event(self, event: Any) -> None:
        if event.type == "raw_server_event":
            self.types.append(event.data["type"])
            self.judge(event.data)
        elif event.type == "error":
            self.wrong.append(str(event.error))
        elif event.type == "exception":
            self.wrong.append(f"{event.context}: {event.exception!r}")

    def judge(self, frame: dict[str, Any]) -> None:
        """The library does not show every type to its own judge. It forgives a missing neighbour, so this does."""
        frame = {**frame, "previous_item_id": frame["previous_item_id"] or ""} if "previous_item_id" in frame else frame
        try:
            get_server_event_type_adapter().validate_python(frame)
        except ValidationError as error:
            self.wrong.append(f"{frame['type']}: {error}")


class Talk:
    """A session, and all that came."""

    def __init__(self, session: RealtimeSession, frames: Frames) -> None:
        self.session = session
        self.frames = frames
        self.events: list[Any] = []
        self._stream = aiter(session)

    async def until(self, wanted: Callable[[Any], bool]) -> Any:
        while True:
            event = await asyncio.wait_for(anext(self._stream), SECONDS)
            self.events.append(event)
            if wanted(event):
                return event

    async def until_type(self, kind: str) -> Any:
        return await self.until(lambda event: event.type == kind)

    async def until_frame(self, kind: str) -> Any:
        """The frame itself."""
        event = await self.until(
            lambda event: (
                event.type == "raw_model_event" and event.data.type == "raw_server_event" and event.data.data["type"] == kind
            )
        )
        return event.data.data

    async def speak(self, pace: float = 0.0) -> None:
        with wave.open(str(RECORDING)) as file:
            pcm = file.readframes(file.getnframes()) + bytes(96_000)
        for start in range(0, len(pcm), 4_800):
            await self.session.send_audio(pcm[start : start + 4_800])
            await asyncio.sleep(pace)

    def audio(self) -> bytes:
        return b"".join(event.audio.data for event in self.events if event.type == "audio")

    def kinds(self) -> list[str]:
        return [event.type for event in self.events if event.type != "raw_model_event"]


everything = Frames()


async def talk(work: Callable[[Talk], Any], **settings: Any) -> Any:
    agent = RealtimeAgent(name="Vivian", instructions="Be brief.", tools=[weather])
    frames = Frames()
    listening = {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "server_vad"}}
    runner = RealtimeRunner(agent)
    runner._model.add_listener(frames)
    session = await runner.run(
        model_config={
            "url": URL.replace("http://", "ws://") + "/v1/realtime?model=gpt-realtime",
            "api_key": "unused",
            "initial_model_settings": {"audio": {"input": listening}, **settings},
        }
    )
    async with session:
        here = Talk(session, frames)
        try:
            return await work(here)
        finally:
            everything.types += frames.types
            everything.wrong += frames.wrong


async def spoken_turn(here: Talk) -> Any:
    """A sum is a question for the tool: audio in, a call, its answer aloud."""
    await here.speak()
    ended = await here.until_type("tool_end")
    done = await here.until_frame("response.done")
    while done["response"]["output"][-1]["type"] != "message":
        done = await here.until_frame("response.done")
    await here.until_type("agent_end")
    (FOLDER / "agents.pcm").write_bytes(here.audio())
    history = [item for item in here.session._history if item.type == "message"]
    return {
        "output": ended.output,
        "asked": list(asked),
        "said": done["response"]["output"][-1]["content"][0]["transcript"],
        "heard": [part.transcript for item in history if item.role == "user" for part in item.content],
        "kinds": here.kinds(),
        "frames": here.frames.types,
    }


async def message(here: Talk) -> Any:
    await here.session.send_message("Where is the key?")
    done = await here.until_frame("response.done")
    return {"said": done["response"]["output"][0]["content"][0]["transcript"], "kinds": here.kinds()}


async def interruption(here: Talk) -> Any:
    await here.session.send_message("Tell me a story.")
    await here.until_type("audio")
    writing = asyncio.ensure_future(here.speak(0.1))
    await here.until_type("audio_interrupted")
    cut = await here.until_frame("response.done")
    await writing
    await here.until_type("tool_end")
    return {"status": cut["response"]["status"], "reason": cut["response"]["status_details"]["reason"]}


async def stopped(here: Talk) -> Any:
    """By the program's word. The library leaves it to the server where speech interrupts, too."""
    await here.session.send_message("Tell me a story.")
    await here.until_type("audio")
    await here.session.interrupt()
    cut = await here.until_frame("response.done")
    return {"status": cut["response"]["status"], "frames": here.frames.types}


async def in_text(here: Talk) -> Any:
    await here.session.send_message("Where is the key?")
    done = await here.until_frame("response.done")
    return {"said": done["response"]["output"][0]["content"][0]["text"], "audio": len(here.audio())}


def rejects_nonsense() -> int:
    judge = Frames()
    judge.judge({"type": "no.such.event", "event_id": "e"})
    judge.judge({"type": "input_audio_buffer.speech_started", "event_id": "e", "item_id": "i", "audio_start_ms": 0.5})
    judge.judge({"type": "response.output_audio.done", "response_id": "r", "item_id": "i", "output_index": 0})
    return len(judge.wrong)


async def main() -> dict[str, Any]:
    acts = {
        "message": lambda: talk(message),
        "turn": lambda: talk(spoken_turn),
        "interruption": lambda: talk(interruption),
        "stopped": lambda: talk(
            stopped, audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}
        ),
        "in text": lambda: talk(in_text, output_modalities=["text"]),
        "eager": lambda: talk(
            message, audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}}, voice="marin"
        ),
    }
    results = await asyncio.gather(*(act_async(work) for work in acts.values()))
    return {
        **dict(zip(acts, results, strict=True)),
        "frames": everything.types,
        "wrong": everything.wrong,
        "nonsense": rejects_nonsense(),
    }


tell(asyncio.run(main()))
