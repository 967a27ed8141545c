"""Many callers in a process of their own. ``python -m bench.load PLAN RESULT`` (pickles); ``run`` does that."""

from __future__ import annotations

import asyncio
import gc
import pickle
import random
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.caller import TICK, Caller, Microphone, Move, Notes
from bench.process import run_python
from bench.speech import Utterance

SLOTS = 20
"""Callers are spread over the milliseconds of a tick, as microphones of strangers are."""
CONNECT_PAUSE = 0.004
READY_WITHIN = 30.0
TURN = 6.0
"""Seconds over which the first utterances are spread."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``callers`` people on the line for ``seconds`` behind a warm-up, or until each has spoken ``turns`` utterances.

    ``cores`` is where this process may run. ``silent`` callers send microphone noise and never speak.
    """

    port: int
    callers: int
    seconds: float
    utterances: tuple[Utterance, ...]
    moves: tuple[Move, ...] = (Move(),)
    hello: Mapping[str, Any] = field(default_factory=dict)
    gap: tuple[float, float] = (0.4, 0.8)
    turns: int | None = None
    warm_up: float = 2.0
    ping_every: float | None = None
    cores: tuple[int, ...] = ()
    silent: bool = False


@dataclass(slots=True)
class Outcome:
    """What happened. ``late`` is how late this process's own ticks were, in seconds; ``cpu`` its CPU seconds."""

    notes: list[Notes]
    late: list[float]
    cpu: float
    wall: float
    measured_from: float
    measured_until: float
    refused: list[str] = field(default_factory=list)


def run(plan: Plan) -> Outcome:
    """Run a plan in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "plan", Path(folder) / "outcome"
        asked.write_bytes(pickle.dumps(plan))
        run_python(["-m", "bench.load", str(asked), str(answered)], plan.cores)
        outcome = pickle.loads(answered.read_bytes())
    assert isinstance(outcome, Outcome)
    return outcome


def start(plan: Plan) -> Running:
    """Run a plan beside the measuring process."""
    return Running(plan)


class Running:
    """A plan under way; ``result`` waits for its end."""

    def __init__(self, plan: Plan) -> None:
        self._outcome: list[Outcome] = []
        self._error: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(plan,))
        self._thread.start()

    def _run(self, plan: Plan) -> None:
        try:
            self._outcome.append(run(plan))
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
            self._error.append(error)

    def wait(self, seconds: float) -> None:
        """Wait a while, or until the plan is done. Raises what the process raised."""
        self._thread.join(seconds)
        if self._error:
            raise self._error[0]

    def result(self) -> Outcome:
        """Wait. Raises what the process raised."""
        self._thread.join()
        if self._error:
            raise self._error[0]
        return self._outcome[0]


async def _hold(plan: Plan) -> Outcome:
    microphone = Microphone(plan.utterances)
    callers = [
        Caller(number, microphone, plan.utterances, plan.moves, plan.gap, plan.ping_every) for number in range(plan.callers)
    ]
    gc.collect()
    gc.disable()
    late: list[float] = []
    ticking = asyncio.get_running_loop().create_task(_tick(plan, callers, late))
    for caller in callers:
        await caller.call(plan.port, plan.hello)
        await asyncio.sleep(CONNECT_PAUSE)
    await _until_ready(callers)
    refused = [f"{caller.notes.errors}" for caller in callers if not caller.ready]
    late.clear()
    began, before = time.monotonic(), time.process_time()
    end = began + plan.warm_up + plan.seconds
    while time.monotonic() < end and not _all_done(plan, callers):  # noqa: ASYNC110 - the callers' hot path sets no event
        await asyncio.sleep(0.05)
    cpu, done = time.process_time() - before, time.monotonic()
    ticking.cancel()
    for caller in callers:
        caller.hang_up()
    await asyncio.sleep(0.2)
    ready = [caller.notes for caller in callers if caller.ready]
    return Outcome(ready, late, cpu, done - began, began + plan.warm_up, done, refused)


async def _until_ready(callers: Sequence[Caller]) -> None:
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end and not all(caller.ready for caller in callers):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.02)


async def _tick(plan: Plan, callers: list[Caller], late: list[float]) -> None:
    """The microphones of all callers; each opens as soon as its line is ready, so that no gap precedes its first frame."""
    wheel = [[c for number, c in enumerate(callers) if number * 7 % SLOTS == slot] for slot in range(SLOTS)]
    dice = random.Random(plan.callers)
    occupied = [slot for slot in range(SLOTS) if wheel[slot]]
    began, count = time.monotonic() + 0.05, 0
    while True:
        for slot in occupied:
            due = began + count * TICK + slot * TICK / SLOTS
            now = time.monotonic()
            if due > now:
                await asyncio.sleep(due - now)
                now = time.monotonic()
            late.append(now - due)
            for caller in wheel[slot]:
                if caller.talking:
                    caller.tick(due)
                elif caller.ready:
                    spread = dice.uniform(0.3, TURN if plan.callers > 1 else 0.4)
                    caller.begin(due - TICK, float("inf") if plan.silent else spread)
                    caller.tick(due)
        count += 1
        await asyncio.sleep(0)


def _all_done(plan: Plan, callers: Sequence[Caller]) -> bool:
    if plan.turns is None:
        return False
    for caller in callers:
        if len(caller.notes.turns) >= plan.turns:
            caller.stopped = True
    return all(c.stopped and (c.notes.turns[-1].over is not None or c.idle) for c in callers)


def main() -> None:
    """See the module."""
    plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_hold(plan))
    Path(sys.argv[2]).write_bytes(pickle.dumps(outcome))


if __name__ == "__main__":
    from bench import load  # the classes must not belong to __main__: they are unpickled elsewhere

    load.main()
