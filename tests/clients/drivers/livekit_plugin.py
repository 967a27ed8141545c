"""LiveKit's plugins for OpenAI's speech API, without a LiveKit server: ``livekit_plugin.py URL RECORDING FOLDER``."""

from __future__ import annotations

import asyncio
import sys
import wave
from pathlib import Path
from typing import Any

from acting import act_async, idle, tell
from livekit import rtc
from livekit.agents import utils
from livekit.agents.types import APIConnectOptions
from livekit.plugins import openai

URL, RECORDING, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
ONCE = APIConnectOptions(max_retry=0, timeout=10)
TEXT = "The ferry leaves at half past seven in the morning, and it comes back at noon."


async def speech(model: str, **more: Any) -> dict[str, Any]:
    voice = openai.TTS(model=model, voice="alloy", base_url=f"{URL}/v1", api_key="unused", **more)
    voice.prewarm()
    try:
        pieces = [made.frame async for made in voice.synthesize(TEXT, conn_options=ONCE)]
    finally:
        await voice.aclose()
    whole = rtc.combine_audio_frames(pieces)
    name = "-".join([model, *more.values()])
    (FOLDER / f"{name}.wav").write_bytes(whole.to_wav_bytes())
    return {"file": f"{name}.wav", "pieces": len(pieces), "rate": whole.sample_rate, "seconds": whole.duration}


async def stopped() -> bool:
    """The reader leaves behind the first piece."""
    voice = openai.TTS(model="tts-1", voice="alloy", base_url=f"{URL}/v1", api_key="unused", response_format="pcm")
    stream = voice.synthesize(TEXT * 100, conn_options=ONCE)
    async for _ in stream:
        break
    await stream.aclose()
    await voice.aclose()
    return await asyncio.to_thread(idle, URL)


async def transcription(model: str) -> dict[str, Any]:
    listener = openai.STT(model=model, base_url=f"{URL}/v1", api_key="unused", use_realtime=False)
    with wave.open(str(RECORDING)) as file:
        count, rate = file.getnframes(), file.getframerate()
        frame = rtc.AudioFrame(file.readframes(count), rate, 1, count)
    try:
        heard = await listener.recognize(frame, conn_options=ONCE)
    finally:
        await listener.aclose()
    return {"type": heard.type, "text": heard.alternatives[0].text, "language": str(heard.alternatives[0].language)}


async def wrong_model() -> Any:
    voice = openai.TTS(model="nobody", voice="alloy", base_url=f"{URL}/v1", api_key="unused")
    try:
        return [made async for made in voice.synthesize(TEXT, conn_options=ONCE)]
    finally:
        await voice.aclose()


async def main() -> dict[str, Any]:
    async with utils.http_context.open():
        return {
            "speech": await act_async(lambda: speech("tts-1")),
            "speech as events": await act_async(lambda: speech("gpt-4o-mini-tts")),
            "speech as opus": await act_async(lambda: speech("tts-1", response_format="opus")),
            "speech as wav": await act_async(lambda: speech("tts-1", response_format="wav")),
            "speech as pcm": await act_async(lambda: speech("tts-1", response_format="pcm")),
            "stopped": await act_async(stopped),
            "heard by whisper": await act_async(lambda: transcription("whisper-1")),
            "heard by its default": await act_async(lambda: transcription("gpt-4o-mini-transcribe")),
            "wrong model": await act_async(wrong_model),
        }


tell(asyncio.run(main()))
