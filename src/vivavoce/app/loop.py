"""The event loop servers run on: uvloop where there is one, with a pool of threads whose size is stated."""

from __future__ import annotations

import asyncio
import sys

from vivavoce.flow.threads import background

if sys.platform == "win32":
    from asyncio import new_event_loop as _new_event_loop
else:
    from uvloop import new_event_loop as _new_event_loop


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop; whoever runs it closes its threads with it, as ``asyncio.Runner`` does."""
    loop: asyncio.AbstractEventLoop = _new_event_loop()
    loop.set_default_executor(background())
    return loop
