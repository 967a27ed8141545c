"""A sampling profiler inside the measured process: every few milliseconds of CPU time it notes the Python stack.

Time spent in C counts for the Python function that called it. It costs below 1 % and needs no rights and no package.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL = 0.002


class Sampler:
    """Counts stacks until ``write``."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()
        self.inclusive: Counter[str] = Counter()
        self.samples = 0
        self._cpu = time.process_time()

    def take(self, _number: int, frame: FrameType | None) -> None:
        """Called by the timer."""
        if frame is None:
            return
        self.samples += 1
        self.own[_name(frame)] += 1
        self.lines[f"{_name(frame)}:{frame.f_lineno}"] += 1
        seen = set()
        walker: FrameType | None = frame
        while walker is not None:
            seen.add(_name(walker))
            walker = walker.f_back
        self.inclusive.update(seen)

    def write(self, path: Path) -> None:
        """As JSON: samples and CPU seconds, own and inclusive counts by function, own counts by line."""
        path.write_text(
            json.dumps(
                {
                    "samples": self.samples,
                    "cpu": time.process_time() - self._cpu,
                    "own": self.own.most_common(80),
                    "inclusive": self.inclusive.most_common(300),
                    "lines": self.lines.most_common(60),
                }
            )
        )


def _name(frame: FrameType) -> str:
    code = frame.f_code
    path = code.co_filename
    for mark in ("/site-packages/", "/src/", "/lib/"):
        if mark in path:
            path = path.split(mark)[-1]
    return f"{path}:{code.co_qualname}"


def start(path: str) -> None:
    """Begin. SIGUSR1 begins the counts anew, SIGUSR2 writes them to ``path``."""
    sampler = [Sampler()]
    signal.signal(signal.SIGPROF, lambda number, frame: sampler[0].take(number, frame))
    signal.signal(signal.SIGUSR1, lambda _number, _frame: sampler.__setitem__(0, Sampler()))
    signal.signal(signal.SIGUSR2, lambda _number, _frame: sampler[0].write(Path(path)))
    signal.siginterrupt(signal.SIGPROF, False)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)
