"""Which models a machine can carry: a pure function of cores, memory and language."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vivavoce.services.model_entries import ModelEntry, ModelKind

KINDS: tuple[ModelKind, ...] = ("vad", "turn", "stt", "tts")
"""In the order in which memory is given out: what a conversation needs most comes first."""
SHARE = 0.5
"""Part of the memory that models may take together."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What counts: cores this process may use, and MB of memory."""

    cores: int
    memory: int

    def __str__(self) -> str:
        return f"{self.cores} {'core' if self.cores == 1 else 'cores'}, {self.memory / 1024:.0f} GB"


def recommend(machine: Machine, language: str, entries: Iterable[ModelEntry]) -> tuple[ModelEntry, ...]:
    """For each kind the highest ranked model of that language the machine can carry, all of them together.

    A model whose licence restricts use is never recommended.
    """
    left = machine.memory * SHARE
    chosen = []
    known = sorted(entries, key=lambda entry: -entry.rank)
    for kind in KINDS:
        for entry in known:
            fits = entry.needs.cores <= machine.cores and entry.needs.memory <= left
            if entry.kind == kind and entry.rank and fits and not entry.restricted and entry.speaks(language):
                chosen.append(entry)
                left -= entry.needs.memory
                break
    return tuple(chosen)


def this_machine() -> Machine:
    """Cores this process may run on, and memory, as far as a container allows it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # not told by this system
        total = 4 << 30
    return Machine(cores, min(total, _container_limit(total)) >> 20)


def _container_limit(otherwise: int) -> int:
    """Bytes the control group allows; ``otherwise`` where there is no limit."""
    try:
        text = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return otherwise
    return int(text) if text.isdigit() else otherwise
