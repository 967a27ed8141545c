"""Calls over WebRTC: voice to voice, CPU of the media process, bad networks in both directions, and many calls in a row.

A real server process with the built-in engines for each back end; the caller is aiortc in this process, the same for both.
Packets are dropped and delayed by a relay on loopback, by a fixed pattern, both ways. Voice to voice is from the last
sample of speech at the microphone to the first sound of the answer behind the caller's jitter buffer; turns end at 0.5 s
of silence, so half a second of it is that wait."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from bench.process import Server, Setup, Usage, usage_of
from bench.result import Options, Result, Table
from bench.speech import Utterance, spoken
from bench.stats import figure, single, summarise
from bench.webrtc_line import Network

PACKAGES = {"wrtc": "webrtc", "aiortc": "aiortc"}
GOOD = Network()
NETWORKS = (GOOD, Network(0.02), Network(0.05), Network(jitter=0.06), Network(jitter=0.12))
QUESTIONS = (
    ("What is twelve times twelve?", "144"),
    ("What is seven plus eight?", "15"),
    ("What is nine times nine?", "81"),
)
CALLS, QUICK_CALLS = 200, 5
TURNS, QUICK_TURNS = 12, 2
WARM_UP = 10
"""Calls before memory, descriptors and threads are first counted."""


@dataclass
class Scene:
    """What came of the turns through one network."""

    times: list[float] = field(default_factory=list)
    asked: int = 0
    right: int = 0
    lost: str = ""
    cpu: float = 0.0


def run(options: Options) -> Result:
    """Each back end that is installed."""
    result = Result("webrtc", "Calls over WebRTC")
    missing = [name for name in ("aiortc",) if find_spec(name) is None] + (["flite"] if not shutil.which("flite") else [])
    if missing:
        result.skipped = f"{', '.join(missing)} is not installed"
        return result
    questions = [(spoken(text), answer) for text, answer in QUESTIONS]
    rows = []
    for backend, package in PACKAGES.items():
        if find_spec(package) is None:
            result.notes.append(f"{backend} is not installed and was not measured.")
            continue
        settings = ("webrtc.loopback=true", 'webrtc.addresses=["127.0.0.1"]', f"webrtc.backend={backend}")
        with Server(Setup(settings)) as server:
            scenes = {network: asyncio.run(_hold(server, network, questions, options)) for network in NETWORKS}
            growth = asyncio.run(_many(server, QUICK_CALLS if options.quick else CALLS))
        result.figures.append(figure(f"{backend}: voice to voice", "ms", [[1000 * t for t in scenes[GOOD].times]]))
        result.figures.append(single(f"{backend}: CPU of the media process per minute of a call", "s", [scenes[GOOD].cpu]))
        rows += [_row(backend, network, scene) for network, scene in scenes.items()]
        result.notes.append(f"{backend}: {growth}")
    header = ("back end", "network each way", "voice to voice p50 (ms)", "p95", "answered rightly", "packets lost")
    result.tables.append(Table("Voice to voice through bad networks", header, tuple(rows)))
    return result


def _row(backend: str, network: Network, scene: Scene) -> tuple[str, ...]:
    found = summarise(1000 * t for t in scene.times)
    times = ("–", "–") if found is None else (f"{found.p50:.0f}", f"{found.p95:.0f}")
    return (backend, str(network), *times, f"{scene.right} of {scene.asked}", scene.lost)


async def _hold(server: Server, network: Network, questions: list[tuple[Utterance, str]], options: Options) -> Scene:
    from bench.webrtc_caller import call

    scene = Scene()
    async with call(f"http://127.0.0.1:{server.port}", network) as one:
        pid = _media(server)
        before, began = usage_of(pid), time.monotonic()
        for number in range(QUICK_TURNS if options.quick else TURNS):
            question, expected = questions[number % len(questions)]
            seconds, text = await one.ask(question)
            scene.asked += 1
            scene.right += expected in text
            if seconds is not None:
                scene.times.append(seconds)
        scene.cpu = (usage_of(pid).cpu - before.cpu) * 60 / (time.monotonic() - began)
        assert one.relay is not None
        scene.lost = " + ".join(f"{one.relay.lost[way]} of {one.relay.counts[way]} {way}" for way in ("up", "down"))
    return scene


async def _many(server: Server, count: int) -> str:
    """Open and close calls one after the other; how the process grew behind the first few."""
    from bench.webrtc_caller import call

    begun, now = _look(server), _look(server)
    for number in range(count):
        async with call(f"http://127.0.0.1:{server.port}"):
            if number == min(WARM_UP, count // 2):
                begun = _look(server)
    await asyncio.sleep(2.0)
    now = _look(server)
    kinds = ("MB", "descriptors", "threads")
    grown = ", ".join(f"{kind} {before:.0f} to {after:.0f}" for kind, before, after in zip(kinds, begun, now, strict=True))
    return f"{count} calls opened and closed: {grown}; {_open_calls(server)} left open."


def _media(server: Server) -> int:
    """The media process; it is there from the first call on."""
    return int(next(worker["pid"] for worker in server.get("/api/status")["workers"] if worker["group"] == "webrtc"))


def _look(server: Server) -> tuple[float, int, int]:
    pid = _media(server)
    usage: Usage = usage_of(pid)
    return usage.memory, len(list(Path(f"/proc/{pid}/fd").iterdir())), len(list(Path(f"/proc/{pid}/task").iterdir()))


def _open_calls(server: Server) -> int:
    return int(server.get("/api/metrics")["gauges"]["webrtc.calls"])
