"""Memory of a session: how much larger the server and its workers get.

Idle: connections that said hello and sent 10 s of microphone noise. Active: conversations with replies, scripted engines,
real voice activity detection. Resident memory, so what the allocator does not give back counts; the first sessions are
opened and closed before, so that code loaded on first use does not count as a session's."""

from __future__ import annotations

from bench import load, scenes
from bench.caller import Move
from bench.process import Server
from bench.result import Options, Result
from bench.speech import ABSENT, present
from bench.stats import Bar, single

BAR = (Bar("value", 0.5),)


def run(options: Options) -> Result:
    """Fresh servers."""
    result = Result("memory", "Memory per session")
    if not present():
        result.skipped = ABSENT
        return result
    idle_count, active_count = (50, 10) if options.quick else (200, 50)
    idle, idle_workers, active = [], [], []
    outcomes = []
    for _ in range(1 if options.quick else 2):
        server_mb, worker_mb, outcome = _grown(idle_count, 5.0 if options.quick else 10.0, silent=True)
        idle.append(server_mb)
        idle_workers.append(worker_mb)
        outcomes.append(outcome)
    server_mb, _, outcome = _grown(active_count, 5.0 if options.quick else 14.0, silent=False)
    active.append(server_mb)
    outcomes.append(outcome)
    result.figures += [
        single(f"server memory per idle session ({idle_count})", "MB", idle, BAR),
        single("workers' memory per idle session", "MB", idle_workers),
        single(f"server memory per active session ({active_count})", "MB", active),
    ]
    result.notes += [scenes.client_health(outcomes), *scenes.troubles(outcomes)]
    return result


def _grown(count: int, seconds: float, *, silent: bool) -> tuple[float, float, load.Outcome]:
    with Server(scenes.scripted()) as server:
        moves = (Move(),)
        load.run(load.Plan(server.port, 2, 6.0, scenes.one_recording(), moves, warm_up=0.0, turns=1))
        before, waiting = server.usage(), len(server.get("/api/status")["sessions"])
        plan = load.Plan(server.port, count, seconds + 6.0, scenes.one_recording(), moves, silent=silent, warm_up=0.0)
        running = load.start(plan)
        running.wait(3.0 + count * 0.01 + seconds)
        after = server.usage()
        alive = server.get("/api/status")["sessions"]
        outcome = running.result()
    if len(alive) != count + waiting:  # those of before may still be resumed
        raise RuntimeError(f"{len(alive) - waiting} of {count} sessions were open when memory was read")
    workers = sum(after[name].memory - before[name].memory for name in before if name != "server" and name in after)
    return (after["server"].memory - before["server"].memory) / count, workers / count, outcome
