"""Where and on what a measurement ran."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

PACKAGES = ("vivavoce", "uvicorn", "uvloop", "websockets", "fastapi", "onnxruntime", "numpy", "pocketsphinx")


def describe() -> dict[str, str]:
    """The machine now, its load included."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{os.cpu_count()} x {_processor()}",
        "memory": _memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "pace": f"{pace():.0f} ms",
        "load before": load(),
    }


def pace() -> float:
    """Milliseconds of a fixed piece of work on one core, best of nine: so that runs on cores of unlike speed compare.

    Half of it is Python, half products of float32 matrices of 256 x 256.
    """
    matrix = np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32)
    best = float("inf")
    for _ in range(9):
        began = time.perf_counter()
        total = 0
        for number in range(250_000):
            total += number & 7
        product = matrix
        for _ in range(12):
            product = matrix @ product
            product /= np.abs(product).max()
        best = min(best, time.perf_counter() - began)
    return best * 1000


def load() -> str:
    """Load averages over 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{total / 2**30:.0f} GiB"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
