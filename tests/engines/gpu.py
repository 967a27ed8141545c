"""What the checks on a GPU have in common: they run where there is no pytest."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping

NO_GPU = 77
"""Exit status where no GPU is seen."""
SLACK = 64
"""MiB of GPU memory by which two readings may differ."""


class SkippedError(Exception):
    """The check says nothing on this machine."""


def expect(condition: object, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def used() -> int:
    """MiB of the first GPU's memory in use, by anybody."""
    asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0])


def settled(limit: int, patience: float = 10.0) -> int:
    """MiB in use, once they are at most ``limit``, or after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while (now := used()) > limit and time.monotonic() < deadline:
        time.sleep(0.1)
    return now


def run(checks: Mapping[str, Callable[[], str]]) -> int:
    """Run the checks, say a line for each, and return the exit status."""
    failed = []
    for title, check in checks.items():
        began = time.monotonic()
        try:
            said = f"ok {title}: {check()}"
        except SkippedError as reason:
            said = f"-- {title}: skipped: {reason}"
        except Exception as error:  # noqa: BLE001 - the other checks still count
            failed.append(title)
            said = f"FAILED {title}: {type(error).__name__}: {error}"
        print(f"{said} [{time.monotonic() - began:.1f} s]", flush=True)
    print(json.dumps({"failed": failed}))
    return 1 if failed else 0
