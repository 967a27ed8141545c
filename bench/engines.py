"""Each engine alone, through its port and worker process: what it costs to load, and how soon it answers.

Of a recogniser: recordings of people at the pace of speech, then ``finish``; the time from there to the final transcript,
with 1 and with 4 sessions side by side, and the real-time factor when the audio is there at once. Of a voice: a text of a
clause and two sentences; the first chunk and the real-time factor. CPU time is the worker's own.

Optional engines have no real models here: they run *generated* ones, tiny graphs of the true inputs and outputs. Of those
the figures tell what our side and the library's front cost (features, phonemes, decoding, hand-over), not what a model
costs; the names of the rows say so. ``make bench-engines`` runs this where every optional engine is installed.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import engine_rows, speech
from bench.process import usage_of
from bench.result import Options, Result, Table
from bench.stats import figure
from vivavoce.app.loop import new_event_loop
from vivavoce.contracts.audio import HEARING, AudioChunk
from vivavoce.contracts.ports import SpeechToText, TextToSpeech
from vivavoce.contracts.speech import SynthesisOptions, TranscriptionOptions
from vivavoce.flow.clock import SystemClock
from vivavoce.workers.options import EngineOptions, WorkerOptions
from vivavoce.workers.pool import WorkerPool

FRAME = 320
SIDE_BY_SIDE = (1, 4)
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class _Heard:
    """One utterance: ``late`` seconds from its end to the final; ``words`` in it."""

    late: float
    words: int


def run(options: Options) -> Result:
    """Every engine that is installed."""
    result = Result("engines", "Engines")
    recordings = _recordings(3 if options.quick else 8)
    with (
        tempfile.TemporaryDirectory(prefix="vivavoce-bench-") as folder,
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        rows, missing = engine_rows.rows(Path(folder))
        table: list[tuple[str, ...]] = []
        for row in rows:
            if row.kind == "stt" and not recordings:
                missing.append(f"{row.name}: {speech.ABSENT}")
                continue
            table.append(runner.run(_measure(result, row, recordings, 3 if options.quick else 10)))
    header = ("engine", "model", "load s", "memory MB", "real-time factor", "CPU-s per s of audio")
    result.tables.append(Table("Loaded and alone", header, tuple(table)))
    result.notes += [f"not measured: {line}" for line in missing]
    result.notes.append("generated: a tiny graph of the true inputs and outputs; it tells what all but the model costs")
    return result


def _recordings(count: int) -> list[speech.Utterance]:
    if not speech.present():
        return []
    fitting = [utterance for utterance in speech.sentences() if 1.0 <= utterance.seconds <= 6.0]
    return fitting[:: max(1, len(fitting) // count)][:count]


async def _measure(
    result: Result, row: engine_rows.Row, recordings: Sequence[speech.Utterance], times: int
) -> tuple[str, ...]:
    engine = EngineOptions(row.kind, row.engine, row.settings)
    pool = WorkerPool((WorkerOptions("measured", (engine,)),), SystemClock())
    try:
        await pool.start()
        (status,) = pool.status()
        if status.pid is None or status.last_error:
            return (row.name, row.model, "–", "–", status.last_error or "did not load", "–")
        before = usage_of(status.pid)
        if row.kind == "stt":
            seconds = await _hear(result, row, pool.speech_to_text(row.engine), recordings)
        else:
            seconds = await _speak(result, row, pool.text_to_speech(row.engine), times)
        after = usage_of(status.pid)
        factor = seconds.wall / seconds.audio
        cpu = (after.cpu - before.cpu) / seconds.total
        return (row.name, row.model, f"{status.load_seconds:.2f}", f"{after.memory:.0f}", f"{factor:.3f}", f"{cpu:.3f}")
    finally:
        await pool.close()


@dataclass(frozen=True, slots=True)
class _Seconds:
    """``audio`` handled in ``wall`` seconds when nothing waited; ``total`` audio of the whole measurement."""

    audio: float
    wall: float
    total: float


# --- recognisers


async def _hear(
    result: Result, row: engine_rows.Row, port: SpeechToText, recordings: Sequence[speech.Utterance]
) -> _Seconds:
    await _at_once(port, recordings[0].pcm)  # warm
    total = recordings[0].seconds
    for beside in SIDE_BY_SIDE:
        rounds = [recordings[i : i + beside] for i in range(0, len(recordings), beside)]
        late: list[float] = []
        for group in rounds:
            group = (*group, *recordings[: beside - len(group)])  # a full house every time
            heard = await asyncio.gather(*(_at_pace(port, utterance) for utterance in group))
            late += [1000 * one.late for one in heard]
            total += sum(utterance.seconds for utterance in group)
        name = f"{row.name} ({row.model}), end of speech to final, {beside} session{'s' if beside > 1 else ''}"
        result.figures.append(figure(name, "ms", [late]))
    began = time.monotonic()
    for utterance in recordings:
        await _at_once(port, utterance.pcm)
    audio = sum(len(utterance.pcm) / 32_000 for utterance in recordings)
    return _Seconds(audio, time.monotonic() - began, total + audio)


def _chunks(pcm: bytes, samples: int) -> list[AudioChunk]:
    step = 2 * samples
    return [AudioChunk(pcm[i : i + step], HEARING, i // 2) for i in range(0, len(pcm), step)]


async def _at_pace(port: SpeechToText, utterance: speech.Utterance) -> _Heard:
    """20 ms frames at the pace of speech; the clock runs from the last one."""
    stream = port.open(TranscriptionOptions(session=utterance.name))
    reading = asyncio.get_running_loop().create_task(_final(stream))
    due = time.monotonic()
    try:
        for chunk in _chunks(utterance.pcm[: 2 * utterance.end], FRAME):
            due += FRAME / HEARING.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            stream.send(chunk)
        ended = time.monotonic()
        stream.finish()
        text = await reading
        return _Heard(time.monotonic() - ended, len(text.split()))
    finally:
        stream.cancel()
        reading.cancel()


async def _at_once(port: SpeechToText, pcm: bytes) -> str:
    stream = port.open(TranscriptionOptions(session="bench"))
    reading = asyncio.get_running_loop().create_task(_final(stream))
    try:
        for chunk in _chunks(pcm, 16_000):
            stream.send(chunk)
            await stream.drain()
        stream.finish()
        return await reading
    finally:
        stream.cancel()
        reading.cancel()


async def _final(stream: object) -> str:
    text = ""
    async with asyncio.timeout(PATIENCE):
        async for transcript in stream:  # type: ignore[attr-defined]
            if transcript.final:
                text = transcript.text
    return text


# --- voices


async def _speak(result: Result, row: engine_rows.Row, port: TextToSpeech, times: int) -> _Seconds:
    await _say(port, row.pieces[:1])
    spoken = wall = 0.0
    for beside in SIDE_BY_SIDE:
        first: list[float] = []
        for _ in range(times):
            said = await asyncio.gather(*(_say(port, row.pieces) for _ in range(beside)))
            first += [1000 * one.first for one in said]
            spoken += sum(one.audio for one in said)
            wall += max(one.wall for one in said)
        name = f"{row.name} ({row.model}), text to first chunk, {beside} session{'s' if beside > 1 else ''}"
        result.figures.append(figure(name, "ms", [first]))
    return _Seconds(spoken, wall, spoken)


@dataclass(frozen=True, slots=True)
class _Said:
    first: float
    audio: float
    wall: float


async def _say(port: TextToSpeech, pieces: Sequence[str]) -> _Said:
    began = time.monotonic()
    stream = port.open(SynthesisOptions())
    first, samples = 0.0, 0
    try:
        for piece in pieces:
            stream.send(piece)
        stream.finish()
        async with asyncio.timeout(PATIENCE):
            async for audio in stream:
                first = first or time.monotonic() - began
                samples += audio.chunk.samples
        return _Said(first, samples / 24_000, time.monotonic() - began)
    finally:
        stream.cancel()
