"""voice-mode's own way to speech and back, short of a sound card: ``voicemode_tools.py URL RECORDING FOLDER``.

Where it finds its services is in its environment variables; they must be set before it is imported.
"""

from __future__ import annotations

import asyncio
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
from acting import act_async, tell
from voice_mode.simple_failover import simple_tts_synthesize
from voice_mode.tools.converse import speech_to_text
from voice_mode.voices import enumerate_voices

URL, RECORDING, FOLDER = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
TEXT = "The ferry leaves at half past seven in the morning, and it comes back at noon."


async def speech() -> dict[str, Any]:
    spoken, samples, rate, _, config = await simple_tts_synthesize(text=TEXT, voice="alloy", model="tts-1")
    if not spoken:
        raise RuntimeError(str(config))
    (FOLDER / "voicemode.pcm").write_bytes((np.asarray(samples) * 32_767).astype("<i2").tobytes())
    return {"rate": rate, "endpoint": config["endpoint"], "voice": config["voice"]}


async def transcription(silence: bool = False) -> Any:
    """Of samples as its microphone gives them: 24 kHz."""
    with wave.open(str(RECORDING)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    there = np.linspace(0, samples.size - 1, samples.size * 3 // 2)
    at_its_rate = np.interp(there, np.arange(samples.size), samples).astype(np.int16)
    heard = await speech_to_text(np.zeros_like(at_its_rate) if silence else at_its_rate)
    return {key: heard.get(key) for key in ("text", "endpoint", "error_type")}


async def voices() -> Any:
    return await enumerate_voices(include_local_only=True)


async def main() -> dict[str, Any]:
    return {
        "speech": await act_async(speech),
        "heard": await act_async(transcription),
        "silence": await act_async(lambda: transcription(silence=True)),
        "voices": await act_async(voices),
    }


tell(asyncio.run(main()))
