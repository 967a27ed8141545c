"""The comparison with peers: one human recording, the same remote engines of fixed latency for everybody.

STT final 60 ms, LLM first token 80 ms then 40 tokens a second, TTS first byte 60 ms. The reply's first clause has 4 tokens
and its first sentence 20. 200 ms of silence configured (``silence_ms`` in the hello). Every second reply is spoken over 1 s
after its beginning.

Once more with the product's own graded endpointing, over recordings without a pause inside: at a pause the scripted
recogniser reads the whole sentence, of which half was said, so that the turn is judged over, taken back and waited for, and
what would be measured is that mistake.

The engines are ports inside the server process, so its CPU holds their bookkeeping and their tones, but no sockets to remote
services.
"""

from __future__ import annotations

from bench import load, scenes
from bench.caller import Move
from bench.process import Server, spent, starved
from bench.result import Options, Result, Table
from bench.speech import ABSENT, Utterance, present
from bench.stats import Bar, Figure, figure, single

V2V, BARGE, CPU, MEMORY = Bar("p50", 450.0), Bar("p95", 120.0), Bar("value", 0.6), Bar("value", 1.0)
MOVES = (Move(), Move(1.0, barge=True))
ARMS = (("200 ms silence", {"silence_ms": 200}, scenes.one_recording), ("graded", {}, scenes.steady))
Said = tuple[dict[str, int], tuple[Utterance, ...]]
"""Wishes, and what is said."""


def run(options: Options) -> Result:
    """1, 10, 20 and 50 sessions, each arm by itself in a fresh server."""
    result = Result("peers", "The work of the peers: remote engines of fixed latency")
    if not present():
        result.skipped = ABSENT
        return result
    counts = (20,) if options.quick else (1, 10, 20, 50)
    rows: list[tuple[str, ...]] = []
    for label, hello, recordings in ARMS:
        for count in counts:
            rows.append(_level(result, options, label, count, (hello, recordings())))
    header = ("endpointing", "sessions", "turns", "v2v p50", "p95", "interrupted p50", "p95", "CPU-s/session-min")
    header += ("server", "workers", "MB/session", "gaps/reply", "premature", "kept from its core")
    result.tables.append(Table("By number of sessions", header, tuple(rows)))
    result.notes.append(
        "Peers on such a machine: pipecat 925–940 ms, 12 sessions a process, 4–8 CPU-s, 13–59 MB, barge-in 335–355 ms; "
        "speech-to-speech 1 013–1 714 ms, barge-in 400 ms; a bare relay without models 380 ms beside engines and silence, "
        "0.4 CPU-s, 0.4 MB. They were not measured by this harness."
    )
    return result


def _level(result: Result, options: Options, label: str, count: int, said: Said) -> tuple[str, ...]:
    hello, recordings = said
    seconds = (11.0 if options.quick else 22.0) + (16.0 if count == 1 else 0.0)
    with Server(scenes.scripted()) as server:
        empty = server.usage()["server"].memory
        plan = load.Plan(server.port, count, seconds, recordings, MOVES, hello, turns=None, warm_up=3.0)
        running = load.start(plan)
        before = server.usage()
        outcome = running.result()
        after = server.usage()
    cpu = spent(before, after)
    minutes = outcome.wall * count / 60
    workers = sum(value for name, value in cpu.items() if name != "server")
    over = [t for t in scenes.turns([outcome]) if t.over_reply]
    pauses = [1000 * (t.paused - t.onset) for t in over if t.paused is not None]
    cuts = [1000 * (t.interrupted - t.onset) for t in over if t.interrupted is not None]
    v2v = scenes.voice_to_voice(outcome)
    per_minute = (cpu["server"] + workers) / minutes
    memory = (after["server"].memory - empty) / count
    gaps = sum(len(notes.gaps) for notes in outcome.notes)
    replies = sum(notes.replies for notes in outcome.notes)
    premature = sum(t.premature for t in scenes.turns([outcome]))
    name = f"{label}, {count} session{'s' if count > 1 else ''}"
    result.figures += [
        figure(f"voice to voice, {name}", "ms", [v2v], (V2V,)),
        figure(f"barge-in: onset to paused, {name}", "ms", [pauses], (BARGE,)),
        Figure(f"audible gaps, {name}", "per reply", value=gaps / max(1, replies), bars=(Bar("value", 0.0),)),
    ]
    if count >= 20:
        result.figures.append(single(f"CPU-s per session-minute, {name}", "s", [per_minute], (CPU,)))
        result.figures.append(single(f"server memory per session, {name}", "MB", [memory], (MEMORY,)))
    result.notes += [f"{name}: {scenes.client_health([outcome])}"]
    result.notes += [f"{name}: {trouble}" for trouble in scenes.troubles([outcome])]
    p50, p95 = _pair(v2v)
    cut50, cut95 = _pair(cuts)
    lost = starved(before, after) / outcome.wall
    return (
        *(label, str(count), str(len(v2v)), p50, p95, cut50, cut95, f"{per_minute:.2f}"),
        *(f"{cpu['server'] / minutes:.2f}", f"{workers / minutes:.2f}", f"{memory:.2f}"),
        *(f"{gaps}/{replies}", str(premature), f"{lost:.0%}"),
    )


def _pair(values: list[float]) -> tuple[str, str]:
    found = figure("", "", [values]).summary
    return ("–", "–") if found is None else (f"{found.p50:.0f}", f"{found.p95:.0f}")
