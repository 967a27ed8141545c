"""The speech API over HTTP and the Realtime socket, as its clients meet it.

``/v1/audio/speech`` and ``/v1/audio/transcriptions`` at 1, 4, 16 and 32 requests at once: the first byte of the body, and
the real-time factor (seconds to the last byte per second of audio; all requests of a level run at once, so this is what each
of them waits). A request that is told to come back (429, 503) does so a second later, and that counts. Then: how soon a
voice is free behind a reader who hangs up, voice to voice over ``/v1/realtime`` beside ``/ws/audio`` with the same
recordings, and the memory of idle Realtime sessions. Server and clients share the machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from bench import http_client, load, realtime_caller, scenes
from bench.caller import Move
from bench.process import Server, Setup
from bench.result import Options, Result, Table
from bench.speech import ABSENT, RATE, Utterance, present, sentences
from bench.stats import Bar, Figure, figure, single, summarise
from vivavoce.app.engines import CATALOGUE, lacking
from vivavoce.audio.codecs import wav
from vivavoce.contracts.audio import HEARING
from vivavoce.services.models import directory

TEXT = "The ferry leaves the harbour at half past seven, crosses the bay in forty minutes, and returns before noon."
LONG = " ".join([TEXT] * 60)
FORMATS = ("wav", "mp3", "opus")
LEVELS = (1, 4, 16, 32)
ROUNDS = {1: 6, 4: 2, 16: 1, 32: 1}
SETTINGS = ("server.rates.requests_per_minute=0", "sessions.max_sessions=400")
SEMANTIC = {"type": "semantic_vad", "eagerness": "auto"}
SERVER_VAD = {"type": "server_vad", "silence_duration_ms": 200}


def run(options: Options) -> Result:
    """One server for the requests, fresh ones for the talks and the memory."""
    result = Result("speech_api", "The speech API")
    levels = (1, 4) if options.quick else LEVELS
    with Server(Setup(SETTINGS)) as server:
        for voice in _voices():
            for form in FORMATS[: 2 if options.quick else 3]:
                asyncio.run(_speak(result, server, voice, form, levels))
            result.figures.append(asyncio.run(_cancelled(server, voice, 5 if options.quick else 25)))
        if present():
            asyncio.run(_transcribe(result, server, levels))
    _talks(result, options)
    _memory(result, 20 if options.quick else 200)
    return result


def _voices() -> list[str]:
    models = directory("")
    return [entry.name for entry in CATALOGUE if entry.name in ("flite", "espeak") and not lacking(entry, models)]


async def _speak(result: Result, server: Server, voice: str, form: str, levels: Sequence[int]) -> None:
    whole = await http_client.ask(server.port, http_client.speech(voice, "pcm", TEXT))
    seconds = len(whole.body) / 48_000
    asked = http_client.speech(voice, form, TEXT)
    bars = (Bar("p50", 60.0),)
    await _levels(result, f"speech, {voice}, {form}", levels, lambda: _patiently(server, asked), seconds, bars)


async def _transcribe(result: Result, server: Server, levels: Sequence[int]) -> None:
    [said] = scenes.one_recording()
    asked = http_client.recording(wav.write(said.pcm, HEARING), "whisper-1")
    seconds = len(said.pcm) / 2 / RATE
    await _levels(result, f"transcription of {seconds:.1f} s", levels, lambda: _patiently(server, asked), seconds)


async def _levels(
    result: Result,
    name: str,
    levels: Sequence[int],
    work: Callable[[], Awaitable[tuple[float, float]]],
    seconds: float,
    bars: tuple[Bar, ...] = (),
) -> None:
    """A row for each level; the first byte of one request alone is held against the bar."""
    rows = []
    for level in levels:
        firsts, factors = [], []
        for _ in range(ROUNDS[level]):
            answers = await asyncio.gather(*(work() for _ in range(level)))
            firsts.append([1000 * first for first, _ in answers])
            factors += [whole / seconds for _, whole in answers]
        if level == 1:
            result.figures.append(figure(f"first byte, {name}, alone", "ms", firsts, bars))
        first, factor = summarise(value for one in firsts for value in one), summarise(factors)
        assert first is not None
        assert factor is not None
        numbers = (first.p50, first.p95, factor.p50, factor.p95)
        rows.append((str(level), str(first.count), *(f"{value:.0f}" for value in numbers[:2]), *map(_small, numbers[2:])))
    header = ("at once", "n", "first byte p50 (ms)", "p95", "real-time factor p50", "p95")
    result.tables.append(Table(name, header, tuple(rows)))


def _small(value: float) -> str:
    return f"{value:.3f}"


async def _patiently(server: Server, asked: bytes) -> tuple[float, float]:
    """First and last byte in seconds, refusals for want of room included."""
    began = time.monotonic()
    while True:
        sent = time.monotonic()
        answer = await http_client.ask(server.port, asked)
        if answer.status == 200:
            return sent - began + answer.first, time.monotonic() - began
        if answer.status not in (429, 503):
            raise RuntimeError(f"{answer.status}: {answer.body[:200]!r}")
        await asyncio.sleep(1.0)


async def _cancelled(server: Server, voice: str, times: int) -> Figure:
    """From a reader's hanging up to no job in any worker, asked for every few milliseconds."""
    waits = []
    for _ in range(times):
        gone = await http_client.leave(server.port, http_client.speech(voice, "pcm", LONG))
        while (await asyncio.to_thread(server.get, "/api/metrics"))["gauges"]["workers.jobs"]:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        waits.append(1000 * (time.monotonic() - gone))
    note = "with the request that asks"
    return figure(f"voice free behind a reader who left, {voice}", "ms", [waits], (Bar("p95", 100.0),), note)


def _talks(result: Result, options: Options) -> None:
    if not present():
        result.notes.append(f"No talks: {ABSENT}.")
        return
    people = sentences()[:: len(sentences()) // (2 if options.quick else 6)]
    with Server(Setup()) as server:
        plan = load.Plan(server.port, 1, 60.0 + 16.0 * len(people), people, (Move(0.6),), turns=len(people), warm_up=0.0)
        native = load.run(plan)
    result.figures.append(figure("voice to voice, /ws/audio", "ms", [scenes.voice_to_voice(native)]))
    for name, detection in (("semantic_vad", SEMANTIC), ("server_vad of 200 ms", SERVER_VAD)):
        with Server(Setup()) as server:
            talk = asyncio.run(realtime_caller.hold(server.port, people, detection))
        result.figures.append(figure(f"voice to voice, /v1/realtime, {name}", "ms", [talk.waits]))
        result.notes.append(_told(name, people, talk))
    result.notes += [scenes.client_health([native]), *scenes.troubles([native])]


def _told(name: str, people: Sequence[Utterance], talk: realtime_caller.Talk) -> str:
    return (
        f"/v1/realtime, {name}: {len(people)} utterances, {len(talk.waits)} answered behind their end, "
        f"{talk.premature} before it, {talk.unanswered} not."
    )


def _memory(result: Result, count: int) -> None:
    with Server(scenes.scripted()) as server:
        server_mb = asyncio.run(_grown(server, count))
    result.figures.append(
        single(f"server memory per idle Realtime session ({count})", "MB", [server_mb], (Bar("value", 0.5),))
    )


async def _grown(server: Server, count: int) -> float:
    """Megabytes a session; the first sessions are opened and closed before."""
    for socket in [await realtime_caller.idle(server.port) for _ in range(5)]:
        socket.close()
    await asyncio.sleep(1.0)
    before = server.usage()["server"].memory
    sockets = [await realtime_caller.idle(server.port) for _ in range(count)]
    await asyncio.sleep(1.0)
    after = server.usage()["server"].memory
    alive = len((await asyncio.to_thread(server.get, "/api/status"))["sessions"])
    for socket in sockets:
        socket.close()
    if alive != count:
        raise RuntimeError(f"{alive} of {count} sessions were open when memory was read")
    return (after - before) / count
