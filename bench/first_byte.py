"""Text to the first byte of PCM through a voice's port and worker process, by the length of the text.

Two ways: the whole text handed over at once, and cut into a first clause and sentences as replies are (which is what an
endpoint that speaks long texts would do). The server's own front, HTTP, is not in it.
"""

from __future__ import annotations

import asyncio
import time

from bench.result import Options, Result
from bench.stats import Bar, figure
from vivavoce.app.engines import CATALOGUE, lacking, worker_groups
from vivavoce.app.loop import new_event_loop
from vivavoce.config.settings import EngineChoices, Settings
from vivavoce.contracts.ports import TextToSpeech
from vivavoce.contracts.speech import SynthesisOptions
from vivavoce.flow.clock import SystemClock
from vivavoce.services.models import directory
from vivavoce.text.segmentation import Segmenter
from vivavoce.text.speakable import speakable
from vivavoce.workers.pool import WorkerPool

SENTENCE = "The ferry leaves the harbour at half past seven, crosses the bay in forty minutes, and returns before noon. "
TEXTS = {"one clause": "The ferry leaves at half past seven,", "200 characters": "", "2 000 characters": ""}
TEXTS["200 characters"] = (SENTENCE * 3)[:200]
TEXTS["2 000 characters"] = (SENTENCE * 30)[:2_000]


def run(options: Options) -> Result:
    """Every built-in voice that is installed."""
    result = Result("first_byte", "First byte of speech")
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_measure(result, 8 if options.quick else 30))
    return result


async def _measure(result: Result, times: int) -> None:
    models = directory("")
    names = [entry.name for entry in CATALOGUE if entry.kind == "tts" and not lacking(entry, models)]
    if not names:
        result.skipped = "no voice is installed"
        return
    pool = WorkerPool(worker_groups(Settings(engines=EngineChoices()), ("tts",)), SystemClock())
    try:
        await pool.start()
        for name in names:
            await _voice(result, name, pool.text_to_speech(name), times)
    finally:
        await pool.close()


async def _voice(result: Result, name: str, voice: TextToSpeech, times: int) -> None:
    await _first_byte(voice, ["Warming up."])
    for label, text in TEXTS.items():
        whole = [[1000 * await _first_byte(voice, [text]) for _ in range(times)] for _ in range(2)]
        cut = [[1000 * await _first_byte(voice, _segments(text)) for _ in range(times)] for _ in range(2)]
        result.figures.append(figure(f"{name}, {label}, cut as replies are", "ms", cut, (Bar("p50", 60.0),)))
        result.figures.append(figure(f"{name}, {label}, whole", "ms", whole))


def _segments(text: str) -> list[str]:
    segmenter = Segmenter("en")
    return [speakable(segment, "en").text for segment in (*segmenter.push(text), *segmenter.finish())]


async def _first_byte(voice: TextToSpeech, pieces: list[str]) -> float:
    began = time.monotonic()
    synthesis = voice.open(SynthesisOptions())
    try:
        for piece in pieces:
            if piece:
                synthesis.send(piece)
        synthesis.finish()
        async for audio in synthesis:
            if audio.chunk.pcm:
                return time.monotonic() - began
        raise RuntimeError("the voice said nothing")
    finally:
        synthesis.cancel()
        await asyncio.sleep(0.02)
