"""Pipecat's services for the Realtime protocol, in pipelines of their own: ``pipecat_realtime.py URL RECORDING FOLDER``.

RECORDING is a question of 24 kHz.
"""

from __future__ import annotations

import asyncio
import sys
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from acting import act_async, tell
from pipecat.adapters.schemas.function_schema import FunctionSchema
from pipecat.adapters.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    LLMContextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat.workers.runner import WorkerRunner

URL, RECORDING, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
ADDRESS = URL.replace("http://", "ws://") + "/v1/realtime"
SECONDS = 120.0


class Gathered(FrameProcessor):
    """All frames that pass, and those of a kind waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.changed = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        self.changed.set()
        await self.push_frame(frame, direction)

    def of(self, kind: type) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    async def until(self, done: Callable[[], Any]) -> Any:
        async with asyncio.timeout(SECONDS):
            while not (found := done()):
                if broken := [frame.error for frame in self.of(ErrorFrame)]:
                    raise RuntimeError("; ".join(broken))
                self.changed.clear()
                await self.changed.wait()
        return found

    def text(self) -> str:
        return " ".join(frame.text.strip() for frame in self.of(TTSTextFrame)).strip()

    def names(self) -> list[str]:
        return [type(frame).__name__ for frame in self.frames]


class Running:
    """A pipeline around services: ``before`` sees what goes up, ``behind`` what comes down."""

    def __init__(self, processors: Sequence[FrameProcessor]) -> None:
        self.before, self.behind = Gathered(), Gathered()
        pipeline = Pipeline([self.before, *processors, self.behind])
        params = PipelineParams(audio_in_sample_rate=24_000, audio_out_sample_rate=24_000)
        self.worker = PipelineWorker(pipeline, params=params, cancel_on_idle_timeout=False, enable_rtvi=False)

    async def __aenter__(self) -> Running:
        started = asyncio.Event()

        @self.worker.event_handler("on_pipeline_started")
        async def begun(worker: Any, frame: Any) -> None:
            started.set()

        runner = WorkerRunner()
        await runner.add_workers(self.worker)
        self._run = asyncio.ensure_future(runner.run())
        await asyncio.wait_for(started.wait(), SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.worker.queue_frame(EndFrame())
        await asyncio.wait_for(self._run, SECONDS)

    async def speak(self, pace: float = 0.1) -> None:
        with wave.open(str(RECORDING)) as file:
            pcm = file.readframes(file.getnframes()) + bytes(96_000)
        for start in range(0, len(pcm), 4_800):
            await self.worker.queue_frame(InputAudioRawFrame(pcm[start : start + 4_800], 24_000, 1))
            await asyncio.sleep(pace)

    def errors(self) -> list[str]:
        return [frame.error for side in (self.before, self.behind) for frame in side.of(ErrorFrame)]


async def transcription(by_hand: bool) -> Any:
    """Its recogniser: turns judged by the server, or by voice activity detection of the client's own, which commits."""
    detection: Any = False if by_hand else {"type": "server_vad"}
    settings = OpenAIRealtimeSTTService.Settings(model="gpt-realtime-whisper" if by_hand else "gpt-transcribe")
    service = OpenAIRealtimeSTTService(api_key="unused", base_url=ADDRESS, turn_detection=detection, settings=settings)
    async with Running([service]) as here:
        await here.speak()
        if by_hand:
            await here.worker.queue_frame(VADUserStoppedSpeakingFrame())
        heard = await here.behind.until(lambda: here.behind.of(TranscriptionFrame))
        return {
            "texts": [frame.text for frame in heard],
            "interim": len(here.behind.of(InterimTranscriptionFrame)),
            "frames": sorted(set(here.behind.names())),
            "errors": here.errors(),
        }


def service(**more: Any) -> OpenAIRealtimeLLMService:
    listening = events.AudioInput(
        transcription=events.InputAudioTranscription(model="gpt-4o-transcribe"),
        turn_detection=events.TurnDetection(silence_duration_ms=500),
    )
    properties = events.SessionProperties(audio=events.AudioConfiguration(input=listening))
    settings = OpenAIRealtimeLLMService.Settings(
        model="gpt-realtime", system_instruction="Be brief.", session_properties=properties
    )
    return OpenAIRealtimeLLMService(api_key="unused", base_url=ADDRESS, settings=settings, **more)


async def turn() -> Any:
    llm = service()
    pair = LLMContextAggregatorPair(LLMContext())
    async with Running([pair.user(), llm]) as here:
        await here.speak()
        await here.behind.until(lambda: "twelve" in here.behind.text() and "LLMFullResponseEndFrame" in here.behind.names())
        sound = here.behind.of(TTSAudioRawFrame)
        (FOLDER / "pipecat-turn.pcm").write_bytes(b"".join(frame.audio for frame in sound))
        return {
            "heard": [frame.text for frame in here.before.of(TranscriptionFrame)],
            "said": here.behind.text(),
            "rates": sorted({frame.sample_rate for frame in sound}),
            "frames": sorted({*here.behind.names(), *here.before.names()}),
            "errors": here.errors(),
        }


async def asked() -> Any:
    """A message of the user in its context."""
    context = LLMContext([{"role": "user", "content": "Where is the key?"}])
    async with Running([service()]) as here:
        await here.worker.queue_frame(LLMContextFrame(context))
        await here.behind.until(lambda: "LLMFullResponseEndFrame" in here.behind.names())
        seconds = sum(len(frame.audio) for frame in here.behind.of(TTSAudioRawFrame)) / 48_000
        return {"said": here.behind.text(), "seconds": seconds, "errors": here.errors()}


async def tool() -> Any:
    """Through its own pair of aggregators, which bring the result back."""
    asked: list[Any] = []
    schema = FunctionSchema("weather", "The weather in a city.", {"city": {"type": "string"}}, ["city"])
    context = LLMContext([{"role": "user", "content": "What is the weather like?"}], ToolsSchema([schema]))
    llm = service()

    async def weather(params: FunctionCallParams) -> None:
        asked.append(dict(params.arguments))
        await params.result_callback("it rains")

    llm.register_function("weather", weather)
    pair = LLMContextAggregatorPair(context)
    async with Running([pair.user(), llm, pair.assistant()]) as here:  # speech comes through, and wakes who waits
        await here.worker.queue_frame(LLMContextFrame(context))
        await here.behind.until(lambda: any("rains" in text for text in _said(context)))
        return {"asked": asked, "said": _said(context)[-1], "errors": here.errors()}


def _said(context: LLMContext) -> list[str]:
    """By the assistant."""
    messages = [message for message in context.get_messages() if isinstance(message, dict)]
    return [str(message.get("content") or "") for message in messages if message["role"] == "assistant"]


async def interruption() -> Any:
    context = LLMContext([{"role": "user", "content": "Tell me a story."}])
    async with Running([service()]) as here:
        await here.worker.queue_frame(LLMContextFrame(context))
        await here.behind.until(lambda: here.behind.of(TTSAudioRawFrame))
        await here.speak()
        await here.behind.until(lambda: "twelve" in here.behind.text())
        return {
            "heard": [frame.text for frame in here.before.of(TranscriptionFrame)],
            "frames": sorted({*here.behind.names(), *here.before.names()}),
            "errors": here.errors(),
        }


async def main() -> dict[str, Any]:
    acts: dict[str, Callable[[], Any]] = {
        "transcription": lambda: transcription(by_hand=False),
        "transcription by hand": lambda: transcription(by_hand=True),
        "turn": turn,
        "asked": asked,
        "tool": tool,
        "interruption": interruption,
    }
    several = asyncio.Semaphore(3)

    async def one(work: Callable[[], Any]) -> dict[str, Any]:
        async with several:
            return await act_async(work)

    results = await asyncio.gather(*(one(work) for work in acts.values()))
    return dict(zip(acts, results, strict=True))


tell(asyncio.run(main()))
