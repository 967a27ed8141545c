"""Pipecat's speech services for OpenAI's API, in a pipeline of their own: ``pipecat_services.py URL RECORDING FOLDER``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from acting import act_async, tell
from pipecat.frames.frames import ErrorFrame, TranscriptionFrame, TTSAudioRawFrame, TTSSpeakFrame, TTSStoppedFrame
from pipecat.services.openai.stt import OpenAISTTService
from pipecat.services.openai.tts import OpenAITTSService
from pipecat.tests.utils import run_test

URL, RECORDING, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
TEXT = "The ferry leaves at half past seven in the morning, and it comes back at noon."


async def speech() -> dict[str, Any]:
    """Through Pipecat's own pipeline: a sentence to speak goes in, frames of sound come out."""
    service = OpenAITTSService(api_key="unused", base_url=f"{URL}/v1", sample_rate=24_000)
    down, _ = await run_test(service, frames_to_send=[TTSSpeakFrame(TEXT)], expected_down_frames=None)
    frames = [frame for frame in down if isinstance(frame, TTSAudioRawFrame)]
    (FOLDER / "pipecat.pcm").write_bytes(b"".join(frame.audio for frame in frames))
    return {
        "frames": len(frames),
        "rates": sorted({frame.sample_rate for frame in frames}),
        "stopped": any(isinstance(frame, TTSStoppedFrame) for frame in down),
        "errors": [frame.error for frame in down if isinstance(frame, ErrorFrame)],
    }


async def transcription() -> dict[str, Any]:
    """What the service does with a segment its voice activity detection has cut."""
    service = OpenAISTTService(api_key="unused", base_url=f"{URL}/v1")
    segment = await asyncio.to_thread(RECORDING.read_bytes)
    frames = [frame async for frame in service.run_stt(segment)]
    return {
        "texts": [frame.text for frame in frames if isinstance(frame, TranscriptionFrame)],
        "errors": [frame.error for frame in frames if isinstance(frame, ErrorFrame)],
    }


async def refused() -> list[str]:
    settings = OpenAITTSService.Settings(model="nobody", voice="alloy")
    service = OpenAITTSService(api_key="unused", base_url=f"{URL}/v1", sample_rate=24_000, settings=settings)
    _, up = await run_test(service, frames_to_send=[TTSSpeakFrame(TEXT)], expected_down_frames=None)
    return [frame.error for frame in up if isinstance(frame, ErrorFrame)]


async def main() -> dict[str, Any]:
    return {
        "speech": await act_async(speech),
        "heard": await act_async(transcription),
        "refused": await act_async(refused),
    }


tell(asyncio.run(main()))
