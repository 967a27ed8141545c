"""Where the server's CPU goes: its Python stacks, sampled every 2 ms of CPU time at 100 conversations (50 with --quick).

The server is pinned to core 0 as in ``capacity``. Time in C counts for the Python function that called it. The whole list is
in ``out/bench/profile.txt``.
"""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

from bench import load, scenes
from bench.capacity import MOVES
from bench.process import Server, spent
from bench.result import OUT, Options, Result, Table
from bench.speech import ABSENT, present
from bench.stats import single

SECONDS, QUICK_SECONDS = 12.0, 6.0
ROOMS = (
    ("read a frame: uvicorn and websockets", ("WebSocketsSansIOProtocol.data_received",)),
    ("hear a frame (session, to the detector)", ("Connection._hear",)),
    ("judgements of the detector, turn machine", ("WorkerProcess._frame",)),
    ("reply audio: pacing and framing", ("Playback._tick", "Playback.pump")),
    ("write: task, uvicorn, socket", ("Connection._write",)),
    ("control messages (played, ping)", ("Connection._control",)),
    ("reply making, scripted voice and model included", ("Speaking._run", "Speaking._write")),
    ("scripted recogniser", ("_ScriptedTranscription.send",)),
)


def run(options: Options) -> Result:
    """One run; it steers, it proves nothing."""
    result = Result("profile", "Where the server's CPU time goes")
    if not present():
        result.skipped = ABSENT
        return result
    count, seconds = (50, QUICK_SECONDS) if options.quick else (100, SECONDS)
    path = (OUT / "profile.raw").absolute()
    path.unlink(missing_ok=True)
    with Server(scenes.scripted(cores=(0,), profile=str(path))) as server:
        plan = load.Plan(server.port, count, seconds + 4, scenes.steady(), MOVES, ping_every=1.0, warm_up=6.0, cores=(1,))
        running = load.start(plan)
        running.wait(3.0 + count * 0.008 + plan.warm_up)
        os.kill(server.pid, signal.SIGUSR1)
        before = server.usage()
        running.wait(seconds)
        after = server.usage()
        os.kill(server.pid, signal.SIGUSR2)
        outcome = running.result()
        for _ in range(100):  # a server under load comes to its signals late
            if path.exists():
                break
            time.sleep(0.1)
        time.sleep(0.3)
    profile = json.loads(path.read_text())
    cpu = spent(before, after)
    result.figures.append(
        single(f"server CPU-s per session-minute, {count} sessions", "s", [cpu["server"] * 60 / seconds / count])
    )
    result.tables += [_rooms(profile), _top(profile)]
    result.notes.append(
        f"{profile['samples']} samples in {profile['cpu']:.1f} CPU seconds; {scenes.client_health([outcome])}"
    )
    (OUT / "profile.txt").write_text(_text(profile))
    return result


def _rooms(profile: dict[str, Any]) -> Table:
    inclusive = dict(profile["inclusive"])
    rows = []
    for label, names in ROOMS:
        counts = [count for name, count in inclusive.items() if name.rsplit(":", 1)[1] in names]
        rows.append((label, f"{100 * max(counts, default=0) / max(1, profile['samples']):.0f} %"))
    return Table("Share of the server's CPU by what it does (inclusive; shares may overlap)", ("what", "share"), tuple(rows))


def _top(profile: dict[str, Any]) -> Table:
    rows = tuple((name, f"{100 * count / max(1, profile['samples']):.1f} %") for name, count in profile["own"][:15])
    return Table("Functions, own time", ("function", "share"), rows)


def _text(profile: dict[str, Any]) -> str:
    samples = max(1, profile["samples"])
    parts = [f"{samples} samples, {profile['cpu']:.2f} CPU seconds"]
    for kind in ("own", "inclusive", "lines"):
        parts.append(f"\n{kind}")
        parts += [f"{100 * count / samples:6.2f} %  {name}" for name, count in profile[kind]]
    return "\n".join(parts) + "\n"
