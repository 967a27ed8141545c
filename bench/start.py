"""Start: from the start of the process to ``/health`` answering 200, with the built-in engines; and ``--help``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.process import Server, Setup, environment
from bench.result import Options, Result
from bench.stats import Bar, single

RUNS = 7


def run(options: Options) -> Result:
    """Seven runs each; files are warm in the page cache from the second on."""
    result = Result("start", "Start")
    runs = 3 if options.quick else RUNS
    ready = []
    for _ in range(runs):
        began = time.monotonic()
        with Server(Setup(direct=True)):
            ready.append(time.monotonic() - began)
    helped = []
    command = [str(Path(sys.executable).parent / "vivavoce"), "--help"]
    for _ in range(runs):
        began = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment())
        helped.append(time.monotonic() - began)
    result.figures += [
        single("process start to ready, built-in engines", "s", ready, (Bar("value", 3.0),)),
        single("vivavoce --help", "s", helped, (Bar("value", 0.3),)),
    ]
    result.notes.append(f"Median of {runs}; readiness is asked for every 20 ms.")
    return result
