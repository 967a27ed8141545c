"""Generated documents are what the code would write today. `make docs` writes them anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vivavoce.config.show import reference
from vivavoce.transports.openapi import openapi_text
from vivavoce.transports.ws.document import markdown, schema_text

ROOT = Path(__file__).parent.parent

GENERATED: list[tuple[str, Callable[[], str]]] = [
    ("docs/reference/configuration.md", reference),
    ("docs/reference/openapi.json", openapi_text),
    ("docs/reference/websocket.md", markdown),
    ("docs/reference/websocket.schema.json", schema_text),
]


@pytest.mark.parametrize(("name", "generate"), GENERATED, ids=[name for name, _ in GENERATED])
def test_generated_document_is_current(name: str, generate: Callable[[], str]) -> None:
    assert (ROOT / name).read_text() == generate(), f"{name} is out of date: make docs"
