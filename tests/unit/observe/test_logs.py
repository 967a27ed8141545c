"""The log, for people and for machines."""

from __future__ import annotations

import json
import logging

import pytest

from vivavoce.observe.logs import LIBRARIES, JsonFormatter, log_to_stderr


def test_json_lines_can_be_read_back() -> None:
    try:
        raise ValueError("with a \n newline")
    except ValueError:
        import sys

        record = logging.LogRecord("vivavoce", logging.ERROR, "", 1, "it %s — ü", ("failed",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert found["level"] == "error" and found["message"] == "it failed — ü" and "ValueError" in found["error"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_level_is_kept(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    try:
        log_to_stderr("warning", form)  # type: ignore[arg-type]
        logging.getLogger("vivavoce").info("not this")
        logging.getLogger("vivavoce").warning("but this")
    finally:
        logging.getLogger().handlers[:] = before
    written = capsys.readouterr().err
    assert "but this" in written and "not this" not in written


def test_libraries_are_not_asked_for_details_and_addresses_lose_their_queries(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:]
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    uvicorn = logging.getLogger("uvicorn.error")
    filters = uvicorn.filters[:]
    try:
        log_to_stderr("debug", "text")
        uvicorn.debug("< TEXT 'secret words'")
        logging.getLogger("httpcore.http11").debug("Authorization: Bearer secret")
        logging.getLogger("httpx").info("HTTP Request: %s %s %d", "GET", "http://127.0.0.1/x?token=once_secret", 401)
        logging.getLogger("vivavoce.x").debug("our own details")
    finally:
        logging.getLogger().handlers[:] = before
        uvicorn.filters[:] = filters
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        logging.getLogger().setLevel(logging.WARNING)
    written = capsys.readouterr().err
    assert "secret" not in written
    assert "HTTP Request: GET http://127.0.0.1/x 401" in written
    assert "our own details" in written
