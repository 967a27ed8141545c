"""What every driver shares: acts that are tried one after the other, and one JSON object on the last line.

Drivers run in the environment of the client they drive; nothing of this project can be imported there.
"""

from __future__ import annotations

import inspect
import json
import time
import traceback
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen


def told(error: BaseException) -> dict[str, Any]:
    """What a program can see of an exception."""
    names = ("status_code", "code", "param", "type", "request_id")
    seen = {name: getattr(error, name, None) for name in names}
    return {"class": type(error).__name__, "message": str(error), **seen}


def act(function: Callable[[], Any]) -> dict[str, Any]:
    """Do it; what it raises is a result, too."""
    begun = time.monotonic()
    try:
        return {"got": function(), "seconds": time.monotonic() - begun}
    except Exception as error:  # noqa: BLE001 - whatever the client raises is what the test asks for
        return {"raised": told(error), "traceback": traceback.format_exc()}


async def act_async(function: Callable[[], Any]) -> dict[str, Any]:
    """The same for a coroutine function."""
    begun = time.monotonic()
    try:
        result = function()
        result = await result if inspect.isawaitable(result) else result
        return {"got": result, "seconds": time.monotonic() - begun}
    except Exception as error:  # noqa: BLE001 - whatever the client raises is what the test asks for
        return {"raised": told(error), "traceback": traceback.format_exc()}


def tell(seen: dict[str, Any]) -> None:
    """The last line."""
    print(json.dumps(seen))


def jobs(url: str) -> int:
    """How many jobs the workers of the server at ``url`` have, or wait for."""
    with urlopen(f"{url}/api/status", timeout=10) as answer:
        return sum(worker["jobs"] + worker["waiting"] for worker in json.load(answer)["workers"])


def idle(url: str, seconds: float = 20.0) -> bool:
    """Whether all its workers come to rest."""
    for _ in range(round(seconds / 0.1)):
        if jobs(url) == 0:
            return True
        time.sleep(0.1)
    return False
