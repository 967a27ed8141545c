"""A network of one's own, with nothing in it but loopback, which can be switched off."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.browser.pages import CHROMIUM
from tests.conftest import require


class OwnNetwork:
    """``within`` is put before a command that is to run there; ``browser`` is a program that starts Chromium there."""

    def __init__(self, place: str, folder: Path) -> None:
        self.within = ("nsenter", f"--net={place}")
        self.browser = folder / "chromium"
        self.browser.write_text(f'#!/bin/sh\nexec {" ".join(self.within)} {CHROMIUM} "$@"\n')
        self.browser.chmod(0o755)

    async def switch(self, state: str) -> None:
        """``up`` or ``down``: nothing passes, and nobody is told."""
        process = await asyncio.create_subprocess_exec(*self.within, "ip", "link", "set", "lo", state)
        assert await process.wait() == 0


@asynccontextmanager
async def own_network(folder: Path) -> AsyncIterator[OwnNetwork]:
    """It lasts as long as a process that waits in it."""
    tools = all(shutil.which(tool) for tool in ("unshare", "nsenter", "ip"))
    require(tools, "unshare, nsenter and ip are not installed (Debian: apt-get install util-linux iproute2)")
    inside = ("unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat")
    holder = await asyncio.create_subprocess_exec(
        *inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert holder.stdin is not None and holder.stdout is not None
    try:
        if await holder.stdout.readline() != b"up\n":
            pytest.skip("the kernel allows no network namespace here (needs root)")
        yield OwnNetwork(f"/proc/{holder.pid}/ns/net", folder)
    finally:
        holder.stdin.close()
        await holder.wait()
