"""The log: one line for people or one JSON object for machines. Speech and secrets are never written."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal


class JsonFormatter(logging.Formatter):
    """One object a line: ``time`` (ISO 8601), ``level``, ``logger``, ``message`` and, where there is one, ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


LIBRARIES = (
    "uvicorn",
    "uvicorn.error",
    "websockets",
    "httpx",
    "httpcore",
    "multipart",
    "python_multipart",
    "asyncio",
    "hpack",
    "urllib3",
)
"""Loggers that write down headers, addresses and whole messages when they are asked for details."""


class WithoutQueries(logging.Filter):
    """Cuts queries off addresses: a one-time token travels in one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter."""
        if isinstance(record.args, tuple):
            record.args = tuple(part.partition("?")[0] if isinstance(part, str) else part for part in record.args)
        return True


def log_to_stderr(level: str, form: Literal["text", "json"]) -> None:
    """Write everything from ``level`` on to standard error; replaces what was set up before.

    Libraries are never asked for details: theirs are what the client said, and the keys it brought along.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
    for name in ("uvicorn.error", "httpx"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, WithoutQueries) for known in logger.filters):
            logger.addFilter(WithoutQueries())
