"""The command ``vivavoce`` as it is, with scripted ports set to given latencies and, if asked, a profiler beside it.

``python -m bench.serve '{"ports": {"llm": {"first_token_latency": 0.08}}}' serve --port 9000``
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from vivavoce.testing import ports


def main() -> None:
    """Change what the entry point of scripted ports opens, then hand over to the command line."""
    spec = json.loads(sys.argv[1])
    _script(spec["ports"])
    if spec.get("profile"):
        from bench.sampler import start

        start(spec["profile"])
    sys.argv = ["vivavoce", *sys.argv[2:]]

    from vivavoce.cli import main as command

    sys.exit(command())


def _script(settings: Mapping[str, Mapping[str, Any]]) -> None:
    given = ports.open_port

    def open_port(kind: str, name: str = "scripted", asked: Mapping[str, Any] | None = None) -> Any:
        return given(kind, name, {**settings.get(kind, {}), **(asked or {})})

    ports.open_port = open_port


if __name__ == "__main__":
    main()
