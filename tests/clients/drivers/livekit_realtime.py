"""LiveKit's plugins for the Realtime protocol, without a LiveKit server: ``livekit_realtime.py URL RECORDING FOLDER``.

RECORDING is a question of 24 kHz.
"""

from __future__ import annotations

import asyncio
import sys
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from acting import act_async, tell
from livekit import rtc
from livekit.agents import function_tool, llm, stt, utils
from livekit.plugins import openai
from openai.types.beta.realtime.session import TurnDetection

URL, RECORDING, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
SECONDS = 120.0
EVENTS = (
    "input_speech_started",
    "input_speech_stopped",
    "input_audio_transcription_completed",
    "generation_created",
    "session_reconnected",
    "error",
)


@function_tool
async def weather(city: str) -> str:
    """The weather in a city."""
    return f"it rains in {city}"


def frames() -> Iterator[rtc.AudioFrame]:
    """100 ms each, two seconds of silence behind the question."""
    with wave.open(str(RECORDING)) as file:
        pcm = file.readframes(file.getnframes()) + bytes(96_000)
    for start in range(0, len(pcm) - 4_799, 4_800):
        yield rtc.AudioFrame(pcm[start : start + 4_800], 24_000, 1, 2_400)


async def transcription() -> Any:
    """Its recogniser, streaming."""
    listener = openai.STT(model="gpt-4o-mini-transcribe", base_url=f"{URL}/v1", api_key="unused", use_realtime=True)
    kinds: list[str] = []
    final = None
    async with listener.stream() as stream:

        async def speak() -> None:
            for frame in frames():
                stream.push_frame(frame)
                await asyncio.sleep(0.1)

        speaking = asyncio.ensure_future(speak())
        async with asyncio.timeout(SECONDS):
            async for event in stream:
                kinds.append(str(event.type))
                if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                    final = event.alternatives[0]
                    break
        await speaking
    await listener.aclose()
    assert final is not None
    return {"kinds": kinds, "text": final.text, "language": str(final.language)}


class Talk:
    """A session of its realtime model, and all that it told."""

    def __init__(self, session: llm.RealtimeSession) -> None:
        self.session = session
        self.told: list[str] = []
        self.errors: list[str] = []
        self._events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        for name in EVENTS:
            session.on(name, lambda event=None, name=name: self._take(name, event))

    def _take(self, name: str, event: Any) -> None:
        self.told.append(name)
        if name == "error":
            self.errors.append(str(event))
        self._events.put_nowait((name, event))

    async def next(self, wanted: str) -> Any:
        while True:
            name, event = await asyncio.wait_for(self._events.get(), SECONDS)
            if name == wanted:
                return event

    async def speak(self, pace: float = 0.1) -> None:
        for frame in frames():
            self.session.push_audio(frame)
            await asyncio.sleep(pace)

    async def ask(self, text: str) -> Any:
        """A generation for a message of the user."""
        context = self.session.chat_ctx.copy()
        context.add_message(role="user", content=text)
        await self.session.update_chat_ctx(context)
        return await self.generate()

    async def generate(self) -> Any:
        """It is told of like those the server begins."""
        generation = await asyncio.wait_for(self.session.generate_reply(), SECONDS)
        await self.next("generation_created")
        return generation


async def said(generation: llm.GenerationCreatedEvent) -> dict[str, Any]:
    """All there is in a generation: its text, its sound, its calls."""
    text, sound, calls = "", [], []
    async with asyncio.timeout(SECONDS):
        async for message in generation.message_stream:
            text += "".join([str(piece) async for piece in message.text_stream])
            sound += [frame async for frame in message.audio_stream]
        calls = [call async for call in generation.function_stream]
    whole = rtc.combine_audio_frames(sound) if sound else None
    return {"text": text.strip(), "sound": whole, "calls": calls}


@asynccontextmanager
async def talk() -> AsyncIterator[Talk]:
    detection = TurnDetection(type="server_vad", create_response=True, interrupt_response=True)
    model = openai.realtime.RealtimeModel(base_url=f"{URL}/v1", api_key="unused", turn_detection=detection)
    session = model.session()
    here = Talk(session)
    try:
        await session.update_instructions("Be brief.")
        yield here
    finally:
        await session.aclose()
        await model.aclose()


async def turn() -> Any:
    async with talk() as here:
        await here.speak()
        transcript = await here.next("input_audio_transcription_completed")
        answer = await said(await here.next("generation_created"))
        (FOLDER / "livekit-turn.wav").write_bytes(answer["sound"].to_wav_bytes())
        return {"heard": transcript.transcript, "said": answer["text"], "told": here.told, "errors": here.errors}


async def asked() -> Any:
    async with talk() as here:
        answer = await said(await here.ask("Where is the key?"))
        seconds = answer["sound"].duration
        return {"said": answer["text"], "seconds": seconds, "errors": here.errors}


async def tool() -> Any:
    async with talk() as here:
        await here.session.update_tools([weather])
        first = await said(await here.ask("What is the weather like?"))
        call = first["calls"][0]
        context = here.session.chat_ctx.copy()
        output = llm.FunctionCallOutput(call_id=call.call_id, name=call.name, output="it rains", is_error=False)
        context.items.append(output)
        await here.session.update_chat_ctx(context)
        second = await said(await here.generate())
        return {"call": [call.name, call.arguments], "said": second["text"], "errors": here.errors}


async def interruption() -> Any:
    """Speech over a reply: the plugin is told, the generation ends early, and the next one answers."""
    async with talk() as here:
        first = await here.ask("Tell me a story.")
        message = await anext(aiter(first.message_stream))
        sound = aiter(message.audio_stream)
        seconds = [(await anext(sound)).duration]

        async def listen() -> None:
            async for frame in sound:
                seconds.append(frame.duration)

        reading = asyncio.ensure_future(listen())
        speaking = asyncio.ensure_future(here.speak())
        await here.next("input_speech_started")
        transcript = await here.next("input_audio_transcription_completed")
        answer = await said(await here.next("generation_created"))
        await asyncio.wait_for(asyncio.gather(reading, speaking), SECONDS)
        return {
            "cut": sum(seconds),
            "heard": transcript.transcript,
            "said": answer["text"],
            "errors": here.errors,
        }


async def stopped() -> Any:
    async with talk() as here:
        first = await here.ask("Tell me a story.")
        async for message in first.message_stream:
            await anext(aiter(message.audio_stream))
            here.session.interrupt()
            here.session.truncate(message_id=message.message_id, modalities=["audio"], audio_end_ms=100)
            break
        answer = await said(await here.ask("Where is the key?"))
        return {"said": answer["text"], "errors": here.errors}


async def main() -> dict[str, Any]:
    acts: dict[str, Callable[[], Any]] = {
        "transcription": transcription,
        "turn": turn,
        "asked": asked,
        "tool": tool,
        "interruption": interruption,
        "stopped": stopped,
    }
    several = asyncio.Semaphore(3)

    async def one(work: Callable[[], Any]) -> dict[str, Any]:
        async with several:
            return await act_async(work)

    async with utils.http_context.open():
        results = await asyncio.gather(*(one(work) for work in acts.values()))
    return dict(zip(acts, results, strict=True))


tell(asyncio.run(main()))
